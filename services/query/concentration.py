"""How far giving, and receiving, lie with a few."""

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_coverage
from services.adapters.wire.concentration import from_concentration
from services.network.concentration import compute_concentration
from services.query.executor import QueryContext


def get_concentration(asked: QueryContext) -> pb.GetConcentrationResponse:
    found = compute_concentration(asked.frame, asked.question)
    return pb.GetConcentrationResponse(
        concentrations=map(from_concentration, found.rows),
        coverage=from_coverage(found.coverage),
        warnings=found.warnings,
    )
