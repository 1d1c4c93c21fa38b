"""Records of new exchanges, parsed without the core's objects; see `ledger.new_exchange`."""

from typing import Final

from google.protobuf.message import DecodeError

from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2
from services.adapters.wire.event import PRECISIONS, VISIBILITIES, digest_stored_bytes
from services.adapters.wire.exchange import FORMALITIES, KINDS, SIDES
from services.adapters.wire.values import InvalidFieldError, to_instant, to_set
from services.ledger.new_exchange import NewExchange
from services.ledger.records import Record

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
    content, source = message.exchange_recorded.exchange, message.source
    givers, receivers, knows = content.giver_ids, content.receiver_ids, content.HasField
    digest = digest_stored_bytes(message, value)
    if digest is None or bool(givers) != bool(receivers):
        return None
    try:
        record_time = record.record_time
        if has("record_time"):
            record_time = to_instant(message.record_time, "record_time") or record_time
        return NewExchange(
            record.offset,
            record_time,
            message.event_id,
            digest,
            value,
            to_instant(message.occur_time, "occur_time"),
            int(PRECISIONS[message.occur_precision]),
            to_instant(message.report_time, "report_time") if has("report_time") else None,
            int(VISIBILITIES[message.visibility]),
            recorded_by,
            source.client,
            source.batch,
            source.generation,
            int(KINDS[content.kind]),
            int(FORMALITIES[content.formality]),
            int(SIDES[content.reported_by]),
            to_set(content.topics, "topics"),
            to_set(givers, "giver_ids"),
            to_set(receivers, "receiver_ids"),
            to_set(content.party_ids, "party_ids"),
            content.giver_minutes if knows("giver_minutes") else None,
            content.receiver_minutes if knows("receiver_minutes") else None,
            content.benefit_minutes if knows("benefit_minutes") else None,
        )
    except InvalidFieldError:  # an unknown enum number, an invalid time or a duplicate
        return None
