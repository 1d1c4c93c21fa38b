"""Statements of parties about an exchange, in an answer."""

from mutua.v1 import event_pb2
from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.values import from_instant
from services.ledger.statements import Statement


def from_statement(
    statement: Statement, *, party: str, revision_id: str, is_current: bool
) -> pb.ExchangeStatement:
    event = event_pb2.Event.FromString(statement.value)
    fact = event.exchange_confirmed if statement.agrees else event.exchange_disputed
    return pb.ExchangeStatement(
        event_id=statement.event_id,
        agrees=statement.agrees,
        party=party,
        note=fact.note if fact.HasField("note") else None,
        record_time=from_instant(statement.record_time),
        recorded_by=statement.recorded_by,
        revision_id=revision_id,
        is_current=is_current,
    )
