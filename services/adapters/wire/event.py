"""Events on the wire: normalized, parsed into facts, compared by digest.

A new family of facts is one file next to this one and its lines in `FACT_CODECS`.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2
from services.adapters.wire import (
    exchange,
    nothing_to_report,
    organization,
    pairing,
    programme,
    report,
    values,
)
from services.adapters.wire.values import EnumNumbers, InvalidFieldError, to_instant
from services.ledger.enums import Assurance, Precision, Visibility
from services.ledger.errors import UnknownFactKindError
from services.ledger.exchange import ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event, Fact, LoggedRecord, Source
from services.ledger.times import Instant


class FactCodec(NamedTuple):
    """How a message of a fact is tidied (text), sorted (sets) and read."""

    tidy: Callable[[Any], None]
    sort_sets: Callable[[Any], None]
    read: Callable[[Any], Fact]


FACT_CODECS: dict[str, FactCodec] = {
    "exchange_recorded": FactCodec(
        exchange.tidy_exchange_recorded,
        exchange.sort_exchange_recorded,
        exchange.to_exchange_recorded,
    ),
    "exchange_corrected": FactCodec(
        exchange.tidy_exchange_corrected,
        exchange.sort_exchange_corrected,
        exchange.to_exchange_corrected,
    ),
    "exchange_retracted": FactCodec(
        exchange.tidy_exchange_retracted,
        exchange.sort_exchange_retracted,
        exchange.to_exchange_retracted,
    ),
    "exchange_confirmed": FactCodec(
        report.tidy_statement, report.sort_statement, report.to_exchange_confirmed
    ),
    "exchange_disputed": FactCodec(
        report.tidy_statement, report.sort_statement, report.to_exchange_disputed
    ),
    "organization_registered": FactCodec(
        organization.tidy_organization,
        organization.sort_organization,
        organization.to_organization_registered,
    ),
    "organization_updated": FactCodec(
        organization.tidy_organization,
        organization.sort_organization,
        organization.to_organization_updated,
    ),
    "alias_added": FactCodec(
        organization.tidy_alias, organization.sort_alias, organization.to_alias
    ),
    "nothing_to_report": FactCodec(
        nothing_to_report.tidy_nothing_to_report,
        nothing_to_report.sort_nothing_to_report,
        nothing_to_report.to_nothing_to_report,
    ),
    "pairing_formed": FactCodec(
        pairing.tidy_pairing, pairing.sort_pairing, pairing.to_pairing_formed
    ),
    "pairing_ended": FactCodec(
        pairing.tidy_pairing, pairing.sort_pairing, pairing.to_pairing_ended
    ),
    "programme_configured": FactCodec(
        programme.tidy_programme_configured,
        programme.sort_programme_configured,
        programme.to_programme_configured,
    ),
}


FACT_KIND_NUMBERS: Final = {
    name: pb.Event.DESCRIPTOR.fields_by_name[name].number for name in FACT_CODECS
}
"""The field number of every kind of fact in the contract, by field name."""


def read_record(offset: int, record_time: Instant, programme_id: str, value: bytes) -> LoggedRecord:
    """Reads a record of the log; `event` is None when it is not a readable fact.

    Raises UnknownFactKindError when only a later version can read it.
    """
    message = pb.Event()
    event, digest = None, b""
    try:
        message.ParseFromString(value)
        if message.WhichOneof("fact") is None and (kind := _newer_kind(message)):
            raise UnknownFactKindError(kind, offset)
        if not message.assurance:  # a server that sets it has normalized the event
            normalize(message)
        if b"\0" in value and _has_nul(message):
            raise InvalidFieldError.for_field("text", "has a NUL, which no text may have")
        event = to_event(message)
        if not _belongs(event, programme_id):
            event = None
        digest = digest_stored_bytes(message, value) or digest_event(message)
    except (DecodeError, InvalidFieldError):
        pass
    if event is not None:
        record_time = event.record_time or record_time
    return LoggedRecord(offset, record_time, programme_id, digest, event, value)


def _newer_kind(message: pb.Event) -> int:
    """Returns the number of a fact of a later version, 0 when there is none."""
    fields = UnknownFieldSet(message)
    kinds = [
        field.field_number
        for field in (fields[index] for index in range(len(fields)))
        if field.field_number in _FACT_NUMBERS and field.wire_type == _LENGTH_DELIMITED
    ]
    return kinds[0] if kinds and message.event_id else 0


_FACT_NUMBERS: Final = range(20, 80)
"""Field numbers that the contract reserves for facts in `Event`."""
_LENGTH_DELIMITED: Final = 2
"""The wire type of a message in a message; any other type there is garbage."""


def _has_nul(message: Message) -> bool:
    """Whether any text in a message has a NUL, which PostgreSQL cannot store."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else (value,)
        if field.type == field.TYPE_MESSAGE and any(map(_has_nul, values)):
            return True
        if field.type == field.TYPE_STRING and any("\0" in text for text in values):
            return True
    return False


def _belongs(event: Event, programme_id: str) -> bool:
    """Whether a fact, perhaps of another writer of the log, can be folded here."""
    match event.fact:
        case (
            ExchangeRecorded(exchange=exchange_content)
            | ExchangeCorrected(exchange=exchange_content)
        ):
            if bool(exchange_content.giver_ids) != bool(exchange_content.receiver_ids):
                return False
    timed = event.occur_time is not None or not event.fact.IS_TIMED
    return timed and event.programme_id == programme_id


def normalize(message: pb.Event) -> None:
    """Brings an event to the form in which it is compared and stored, in place; idempotent."""
    tidy(message)
    sort_sets(message)


def tidy(message: pb.Event) -> None:
    """Makes text NFC and trimmed, set members unique and times whole microseconds, in place."""
    message.event_id = message.event_id.strip().lower()
    message.programme_id = message.programme_id.strip()
    for name in ("occur_time", "report_time"):
        if message.HasField(name):
            values.tidy_time(getattr(message, name))
    if message.HasField("source"):
        source = message.source
        source.client = values.tidy(source.client)
        source.batch = values.tidy(source.batch)
        source.reference = values.tidy(source.reference)
    field = message.WhichOneof("fact")
    if field is not None:
        FACT_CODECS[field].tidy(getattr(message, field))


def sort_sets(message: pb.Event) -> None:
    """Sorts the sets of a tidy event, in place."""
    field = message.WhichOneof("fact")
    if field is not None:
        FACT_CODECS[field].sort_sets(getattr(message, field))


def to_event(message: pb.Event) -> Event:
    """Returns the event of a tidy message, in the order of the fields of `Event`.

    Raises InvalidFieldError, which names the field.
    """
    field = message.WhichOneof("fact")
    if field is None:
        raise InvalidFieldError.for_field("fact", "is missing, or of a kind newer than this server")
    has = message.HasField
    return Event(
        message.event_id,
        message.programme_id,
        FACT_CODECS[field].read(getattr(message, field)),
        to_instant(message.occur_time, "occur_time") if has("occur_time") else None,
        PRECISIONS[message.occur_precision],
        to_instant(message.report_time, "report_time") if has("report_time") else None,
        VISIBILITIES[message.visibility],
        _to_source(message.source) if has("source") else _NO_SOURCE,
        message.recorded_by,
        _ASSURANCES[message.assurance],
        to_instant(message.record_time, "record_time") if has("record_time") else None,
    )


PRECISIONS: Final = EnumNumbers(Precision, "occur_precision", Precision.EXACT)
VISIBILITIES: Final = EnumNumbers(Visibility, "visibility", Visibility.PROGRAMME)
_ASSURANCES: Final = EnumNumbers(Assurance, "assurance")
_NO_SOURCE: Final = Source()


def _to_source(source: types_pb2.Source) -> Source:
    return Source(source.client, source.batch, source.generation, source.reference)


def digest_stored_bytes(message: pb.Event, value: bytes) -> bytes | None:
    """Returns the digest of a normalized event from its bytes on the log, at half of the cost.

    Returns None when they do not end with the server's fields, as when a later version wrote them.
    """
    server_fields = _encode_server_fields(message.recorded_by, message.assurance)
    if message.HasField("record_time"):
        server_fields += pb.Event(record_time=message.record_time).SerializeToString()
    if message.assurance and value.endswith(server_fields):
        return sha256(value[: -len(server_fields)]).digest()
    return None


@lru_cache(maxsize=10_000)
def _encode_server_fields(recorded_by: str, assurance: types_pb2.Assurance.ValueType) -> bytes:
    return pb.Event(recorded_by=recorded_by, assurance=assurance).SerializeToString()


def digest_event(message: pb.Event) -> bytes:
    """Returns the SHA-256 of a normalized event without the server's fields."""
    client_event = pb.Event()
    client_event.CopyFrom(message)
    client_event.ClearField("recorded_by")
    client_event.ClearField("assurance")
    client_event.ClearField("record_time")
    return sha256(client_event.SerializeToString(deterministic=True)).digest()


def read_client(value: bytes) -> str:
    """Returns the name of the program that recorded a fact, "" when there is none."""
    try:
        return pb.Event.FromString(value).source.client
    except DecodeError:
        return ""
