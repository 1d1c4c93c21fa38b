"""Events on the wire: normalized, read into facts, told apart by digest.

A new family of facts is one file beside this one and its lines in `FACTS`.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2
from services.adapters.wire import exchange, nothing_to_report, organization, programme, values
from services.adapters.wire.values import Unfit, to_instant, to_word
from services.ledger.exchange import ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event, Fact, Logged, Source
from services.ledger.ports import Held
from services.ledger.times import Instant
from services.ledger.words import Assurance, Precision, Visibility


class Form(NamedTuple):
    """How the wire's form of a fact is tidied (text), ordered (sets), and read."""

    tidy: Callable[[Any], None]
    order: Callable[[Any], None]
    read: Callable[[Any], Fact]


FACTS: dict[str, Form] = {
    "exchange_recorded": Form(
        exchange.tidy_recorded, exchange.order_recorded, exchange.to_recorded
    ),
    "exchange_corrected": Form(
        exchange.tidy_corrected, exchange.order_corrected, exchange.to_corrected
    ),
    "exchange_retracted": Form(
        exchange.tidy_retracted, exchange.order_retracted, exchange.to_retracted
    ),
    "organization_registered": Form(
        organization.tidy_organization, organization.order_organization, organization.to_registered
    ),
    "organization_updated": Form(
        organization.tidy_organization, organization.order_organization, organization.to_updated
    ),
    "alias_added": Form(organization.tidy_alias, organization.order_alias, organization.to_alias),
    "nothing_to_report": Form(
        nothing_to_report.tidy_nothing,
        nothing_to_report.order_nothing,
        nothing_to_report.to_nothing,
    ),
    "programme_configured": Form(
        programme.tidy_configured, programme.order_configured, programme.to_configured
    ),
}


FACT_KINDS: Final = {name: pb.Event.DESCRIPTOR.fields_by_name[name].number for name in FACTS}
"""The number of each kind of fact in the contract, by the name of its field."""


def read_record(offset: int, record_time: Instant, programme_id: str, value: bytes) -> Logged:
    """One record of the log, read. `event` is None when it is no fact this version can read.

    Raises Held when a later version can.
    """
    message = pb.Event()
    event, digest = None, b""
    try:
        message.ParseFromString(value)
        if message.WhichOneof("fact") is None and (kind := _newer_kind(message)):
            raise Held(kind, offset)
        if not message.assurance:  # a server that sets it has normalized the event before
            normalize(message)
        if b"\0" in value and _has_nul(message):
            raise Unfit("text", "has a NUL, which no text may have")
        event = to_event(message)
        digest = digest_of(message)
    except (DecodeError, Unfit):
        pass
    if event is not None and not _belongs(event, programme_id):
        event = None
    return Logged(
        offset=offset,
        record_time=record_time if event is None else event.record_time or record_time,
        programme_id=programme_id,
        digest=digest,
        event=event,
        value=value,
    )


def _newer_kind(message: pb.Event) -> int:
    """The number of the fact that a later version put here; 0 when there is none."""
    fields = UnknownFieldSet(message)
    kinds = [
        field.field_number
        for field in (fields[index] for index in range(len(fields)))
        if field.field_number in _FACT_NUMBERS and field.wire_type == _LENGTH_DELIMITED
    ]
    return kinds[0] if kinds and message.event_id else 0


_FACT_NUMBERS: Final = range(20, 80)
"""What the contract keeps for facts in `Event`."""
_LENGTH_DELIMITED: Final = 2
"""How a message stands in a message; anything else there is garbage."""


def _has_nul(message: Message) -> bool:
    """Whether any text in it has a character that PostgreSQL cannot store."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else (value,)
        if field.type == field.TYPE_MESSAGE and any(map(_has_nul, values)):
            return True
        if field.type == field.TYPE_STRING and any("\0" in each for each in values):
            return True
    return False


def _belongs(event: Event, programme_id: str) -> bool:
    """Whether a fact that somebody else may have put on the log can be folded here."""
    match event.fact:
        case ExchangeRecorded(exchange=told) | ExchangeCorrected(exchange=told):
            if bool(told.giver_ids) != bool(told.receiver_ids):
                return False
    timed = event.occur_time is not None or not event.fact.IS_TIMED
    return timed and event.programme_id == programme_id


def normalize(message: pb.Event) -> None:
    """Brings an event to the one form in which it is compared and stored, in place.

    Normalizing twice changes nothing more.
    """
    tidy(message)
    order(message)


def tidy(message: pb.Event) -> None:
    """Text NFC and trimmed, each member of a set once, times in whole microseconds, in place."""
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
        FACTS[field].tidy(getattr(message, field))


def order(message: pb.Event) -> None:
    """Sorts the sets of a tidy event, in place."""
    field = message.WhichOneof("fact")
    if field is not None:
        FACTS[field].order(getattr(message, field))


def to_event(message: pb.Event) -> Event:
    """The fact a tidy message carries. Raises Unfit, naming the field."""
    field = message.WhichOneof("fact")
    if field is None:
        raise Unfit("fact", "is missing, or of a kind newer than this server")
    has = message.HasField
    return Event(
        event_id=message.event_id,
        programme_id=message.programme_id,
        fact=FACTS[field].read(getattr(message, field)),
        occur_time=to_instant(message.occur_time, "occur_time") if has("occur_time") else None,
        occur_precision=to_word(
            Precision, message.occur_precision, "occur_precision", Precision.EXACT
        ),
        report_time=to_instant(message.report_time, "report_time") if has("report_time") else None,
        visibility=to_word(Visibility, message.visibility, "visibility", Visibility.PROGRAMME),
        source=_to_source(message.source) if has("source") else _NO_SOURCE,
        recorded_by=message.recorded_by,
        assurance=to_word(Assurance, message.assurance, "assurance"),
        record_time=to_instant(message.record_time, "record_time") if has("record_time") else None,
    )


_NO_SOURCE: Final = Source()


def _to_source(source: types_pb2.Source) -> Source:
    return Source(
        client=source.client,
        batch=source.batch,
        generation=source.generation,
        reference=source.reference,
    )


def digest_of(message: pb.Event) -> bytes:
    """SHA-256 over what the client said: the normalized event without the server's fields."""
    said = pb.Event()
    said.CopyFrom(message)
    said.ClearField("recorded_by")
    said.ClearField("assurance")
    said.ClearField("record_time")
    return sha256(said.SerializeToString(deterministic=True)).digest()


def client_of(value: bytes) -> str:
    """The program that recorded a fact, as it names itself; "" where a record does not say."""
    try:
        return pb.Event.FromString(value).source.client
    except DecodeError:
        return ""
