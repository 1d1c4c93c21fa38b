"""Events on the wire: normalized, read into facts, told apart by digest.

A new family of facts is one file beside this one and its lines in `FACTS`.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from google.protobuf.message import DecodeError

from mutua.v1 import event_pb2 as pb
from services.adapters.wire import exchange, organization
from services.adapters.wire.values import Unfit, tidy, tidy_time, to_instant, to_word
from services.ledger.facts import Event, Fact, Logged, Source
from services.ledger.times import Instant
from services.ledger.words import Assurance, Precision, Visibility

FACTS: dict[str, tuple[Callable[[Any], None], Callable[[Any], Fact]]] = {
    "exchange_recorded": (exchange.tidy_recorded, exchange.to_recorded),
    "exchange_corrected": (exchange.tidy_corrected, exchange.to_corrected),
    "exchange_retracted": (exchange.tidy_retracted, exchange.to_retracted),
    "organization_registered": (organization.tidy_organization, organization.to_registered),
    "organization_updated": (organization.tidy_organization, organization.to_updated),
    "alias_added": (organization.tidy_alias, organization.to_alias),
}


def read_record(offset: int, record_time: Instant, programme_id: str, value: bytes) -> Logged:
    """One record of the log, read. `event` is None when it is no fact this version can read."""
    message = pb.Event()
    event, digest = None, b""
    try:
        message.ParseFromString(value)
        if not message.assurance:  # a server that sets it has normalized the event before
            normalize(message)
        event = to_event(message)
        digest = digest_of(message)
    except (DecodeError, Unfit):
        pass
    if event is not None and event.programme_id != programme_id:
        event = None
    return Logged(
        offset=offset,
        record_time=record_time if event is None else event.record_time or record_time,
        programme_id=programme_id,
        digest=digest,
        event=event,
        value=value,
    )


def normalize(message: pb.Event) -> None:
    """Brings an event to the one form in which it is compared and stored, in place.

    Text NFC and trimmed, sets sorted and without repetition, times in whole microseconds, ids of
    events in lower case. Normalizing twice changes nothing more.
    """
    message.event_id = message.event_id.strip().lower()
    message.programme_id = message.programme_id.strip()
    for name in ("occur_time", "report_time"):
        if message.HasField(name):
            tidy_time(getattr(message, name))
    if message.HasField("source"):
        source = message.source
        source.client = tidy(source.client)
        source.batch = tidy(source.batch)
        source.reference = tidy(source.reference)
    field = message.WhichOneof("fact")
    if field is not None:
        tidy_fact, _ = FACTS[field]
        tidy_fact(getattr(message, field))


def to_event(message: pb.Event) -> Event:
    """The fact a normalized message carries. Raises Unfit, naming the field."""
    field = message.WhichOneof("fact")
    if field is None:
        raise Unfit("fact", "is missing, or of a kind newer than this server")
    _, to_fact = FACTS[field]
    has, source = message.HasField, message.source
    return Event(
        event_id=message.event_id,
        programme_id=message.programme_id,
        fact=to_fact(getattr(message, field)),
        occur_time=to_instant(message.occur_time, "occur_time") if has("occur_time") else None,
        occur_precision=to_word(
            Precision, message.occur_precision, "occur_precision", Precision.EXACT
        ),
        report_time=to_instant(message.report_time, "report_time") if has("report_time") else None,
        visibility=to_word(Visibility, message.visibility, "visibility", Visibility.PROGRAMME),
        source=Source(
            client=source.client,
            batch=source.batch,
            generation=source.generation,
            reference=source.reference,
        ),
        recorded_by=message.recorded_by,
        assurance=to_word(Assurance, message.assurance, "assurance"),
        record_time=to_instant(message.record_time, "record_time") if has("record_time") else None,
    )


def digest_of(message: pb.Event) -> bytes:
    """SHA-256 over what the client said: the normalized event without the server's fields."""
    said = pb.Event()
    said.CopyFrom(message)
    said.ClearField("recorded_by")
    said.ClearField("assurance")
    said.ClearField("record_time")
    return sha256(said.SerializeToString(deterministic=True)).digest()
