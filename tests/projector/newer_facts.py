"""Facts of a later version of the contract, as records on the log."""

from mutua.v1.event_pb2 import Event
from tests.strategies import PROGRAMME, event_id

LENGTH_DELIMITED = 2


def newer_fact(
    kind: int,
    *,
    id: str = event_id(99),  # noqa: A002 (of the event)
    wire_type: int = LENGTH_DELIMITED,
    programme: str = PROGRAMME,
) -> bytes:
    """An event with an empty message (or the number 0) in field `kind`."""
    return Event(event_id=id, programme_id=programme).SerializeToString() + _field(kind, wire_type)


def _field(number: int, wire_type: int) -> bytes:
    tag = number << 3 | wire_type
    return bytes([tag & 0x7F | 0x80, tag >> 7, 0])
