"""Records of new exchanges, parsed without the core's objects; see `ledger.new_exchange`."""

from functools import lru_cache
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2
from services.adapters.wire.values import InvalidFieldError, to_instant, to_set
from services.ledger.enums import Formality, Kind, Precision, Side, Visibility
from services.ledger.new_exchange import NewExchange
from services.ledger.records import Record

_KINDS: Final = {int(word): int(word) for word in Kind}
_FORMALITIES: Final = {int(word): int(word) for word in Formality}
_SIDES: Final = {int(word): int(word) for word in Side}
_PRECISIONS: Final = {0: int(Precision.EXACT), **{int(word): int(word) for word in Precision}}
_VISIBILITIES: Final = {
    0: int(Visibility.PROGRAMME),
    **{int(word): int(word) for word in Visibility},
}
"""The enum numbers of this version; unspecified means the default."""

_NORMALIZED: Final = (types_pb2.ASSURANCE_OPEN, types_pb2.ASSURANCE_AUTHENTICATED)
"""Assurances that a server sets after it has normalized the event."""


# decision 0025: new exchanges take a fast path
def read_new_exchange(record: Record) -> NewExchange | None:
    """Returns the new exchange of a record, None for any other or uncommon record.

    The result equals that of `read_record`. Only records that a server has normalized are read
    here: their bytes are the normalized form, with the server's fields last.
    """
    message = pb.Event()
    value = record.value
    try:
        message.ParseFromString(value)
    except DecodeError:
        return None
    if b"\0" in value:  # perhaps in a text; `read_record` finds out
        return None
    has, assurance, recorded_by = message.HasField, message.assurance, message.recorded_by
    if (
        message.WhichOneof("fact") != "exchange_recorded"
        or assurance not in _NORMALIZED
        or message.programme_id != record.programme_id
        or not has("occur_time")
    ):
        return None
    record_time, suffix = record.record_time, _encode_suffix(recorded_by, assurance)
    content, source = message.exchange_recorded.exchange, message.source
    givers, receivers, knows = content.giver_ids, content.receiver_ids, content.HasField
    if bool(givers) != bool(receivers):
        return None
    try:
        if has("record_time"):
            suffix += pb.Event(record_time=message.record_time).SerializeToString()
            record_time = to_instant(message.record_time, "record_time") or record_time
        if not value.endswith(suffix):
            return None
        return NewExchange(
            record.offset,
            record_time,
            message.event_id,
            sha256(value[: -len(suffix)]).digest(),
            value,
            to_instant(message.occur_time, "occur_time"),
            _PRECISIONS[message.occur_precision],
            to_instant(message.report_time, "report_time") if has("report_time") else None,
            _VISIBILITIES[message.visibility],
            recorded_by,
            source.client,
            source.batch,
            source.generation,
            _KINDS[content.kind],
            _FORMALITIES[content.formality],
            _SIDES[content.reported_by],
            to_set(content.topics, "topics"),
            to_set(givers, "giver_ids"),
            to_set(receivers, "receiver_ids"),
            to_set(content.party_ids, "party_ids"),
            content.giver_minutes if knows("giver_minutes") else None,
            content.receiver_minutes if knows("receiver_minutes") else None,
            content.benefit_minutes if knows("benefit_minutes") else None,
        )
    except (KeyError, InvalidFieldError):  # an unknown enum number, an invalid time or a duplicate
        return None


@lru_cache(maxsize=10_000)
def _encode_suffix(recorded_by: str, assurance: types_pb2.Assurance.ValueType) -> bytes:
    """Returns the server's fields as encoded at the end of a record."""
    return pb.Event(recorded_by=recorded_by, assurance=assurance).SerializeToString()
