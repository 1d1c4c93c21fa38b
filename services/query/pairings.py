"""The question about the pairings of a programme."""

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.pairing import from_pairing
from services.ledger.pairing import Pairing, find_pairings
from services.query.query_context import QueryContext


def get_pairings(query: QueryContext) -> pb.GetPairingsResponse:
    """Which organizations the programme binds together, and when."""
    return pb.GetPairingsResponse(
        pairings=map(from_pairing, read_pairings(query)), **query.coverage_fields()
    )


def read_pairings(query: QueryContext) -> list[Pairing]:
    """Returns the pairings of the programme under the identity of the question."""
    statements = query.snapshot.read_pairing_statements(query.question.programme_id)
    return find_pairings(statements, query.view.aliases)
