"""The format of an exported log: JSON Lines, a header and then one line per record in log order.

A line holds the event in proto JSON and, in a field of its own, the record time. It holds base64
instead of the event when proto JSON would not give the same bytes back: the record is no event, is
of a newer version, or another program serialized it.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from mutua.v1 import event_pb2 as pb
from services.adapters.wire.event import normalize, read_record
from services.adapters.wire.values import from_instant
from services.ledger.errors import (
    InvalidArgumentError,
    NewerSchemaError,
    UnknownFactKindError,
    Violation,
)
from services.ledger.fact_registry import validate_fact
from services.ledger.facts import Event
from services.ledger.records import Record
from services.ledger.times import Instant, datetime_to_instant, instant_to_datetime
from services.ledger.validation import Violations, check_id, check_programme

FORMAT: Final = "mutua-log"
VERSION: Final = 1
_HEADER: Final = ("format", "version", "log_id", "position", "record_count", "programme_id")
_RECORD: Final = ("offset", "record_time", "programme_id")


class InvalidLineError(InvalidArgumentError):
    """A line of the file is not one that an export writes there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportHeader:
    """The first line: the file has `record_count` records of the log before `position`.

    `programme_id` is "" when the file has the records of all programmes.
    """

    log_id: str
    position: str
    record_count: int
    programme_id: str


@dataclass(frozen=True, slots=True)
class ExportLine:
    """A record to append to a log.

    `has_own_time` is true when its value contains the time of its first append. A record that is no
    readable event cannot contain it, so only the clock of the log can give it that time.
    """

    record: Record
    has_own_time: bool


def format_header(header: ExportHeader) -> str:
    values = (FORMAT, VERSION, header.log_id, header.position, header.record_count)
    return json.dumps(dict(zip(_HEADER, (*values, header.programme_id), strict=True)))


def read_header(line: bytes) -> ExportHeader:
    """Reads the first line. Raises InvalidLineError, NewerSchemaError for a newer format."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidLineError("this is no exported log", remedy="mutua export log writes one")
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerSchemaError(
            f"the file has format {version}, this mutua reads up to {VERSION}",
            remedy="upgrade mutua",
        )
    if (
        set(document) != set(_HEADER)
        or version != VERSION
        or not _is_count(document["record_count"])
    ):
        raise InvalidLineError(
            f"the header must have {', '.join(_HEADER)}", remedy="export the log again"
        )
    return ExportHeader(
        log_id=str(document["log_id"]),
        position=str(document["position"]),
        record_count=document["record_count"],
        programme_id=str(document["programme_id"]),
    )


# decision 0039: an export gives back the same bytes
def format_record(record: Record, latest: MutableMapping[str, Instant]) -> str:
    """A line without its line end, from which `read_line` makes the same record again.

    `latest` maps each programme to the time of its last record and is updated. A time before that
    one is raised to it because a clock may have stepped back; the embedded log does the same when
    it appends.
    """
    event, record_time = _read(record)
    value = record.value.removesuffix(_serialize_time(record_time))
    record_time = max(record_time, latest.get(record.programme_id, 0))
    latest[record.programme_id] = record_time
    line: dict[str, Any] = {
        "offset": record.offset,
        "record_time": _format_time(record_time),
        "programme_id": record.programme_id,
    }
    if event is not None and (message := _whole_event(value)) is not None:
        line["event"] = MessageToDict(message, preserving_proto_field_name=True)
    else:
        line["value"] = b64encode(value).decode()
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def read_line(line: bytes) -> ExportLine:
    """Reads a record. Raises InvalidLineError unless a server could have appended it then."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidLineError(f"is no JSON ({error}): the file is damaged or cut") from None
    payload_keys = {"event", "value"}.intersection(document) if isinstance(document, dict) else ()
    if len(payload_keys) != 1 or set(document) != {*_RECORD, *payload_keys}:
        raise InvalidLineError(
            f"is no record: it must have {', '.join(_RECORD)}, and event or value"
        )
    if not _is_count(document["offset"]):
        raise InvalidLineError("offset must be a whole number from 0 on")
    record_time = _read_time(document["record_time"])
    if not isinstance(document["programme_id"], str):
        raise InvalidLineError("programme_id must be text")
    value = (
        _serialize_event(document["event"])
        if "event" in document
        else _decode_value(document["value"])
    )
    record = Record(document["offset"], record_time, document["programme_id"], value)
    event, _ = _read(record)
    if event is None and "event" in document:
        raise InvalidLineError("event is no fact of this programme that this version can read")
    if violations := _violations(record, event):
        summary = "; ".join(f"{each.field} {each.description}" for each in violations)
        raise InvalidLineError(summary, tuple(violations))
    if event is not None:
        value += _serialize_time(record_time)
    return ExportLine(
        Record(record.offset, record_time, record.programme_id, value), event is not None
    )


def _read(record: Record) -> tuple[Event | None, Instant]:
    """The fact of a record, None if this version cannot read it, and the time of its append."""
    try:
        logged = read_record(record.offset, record.record_time, record.programme_id, record.value)
    except UnknownFactKindError:
        return None, record.record_time
    return logged.event, logged.record_time


def _violations(record: Record, event: Event | None) -> Violations:
    """Violations of the rules at the record time; a record that is no fact has none."""
    violations: Violations = []
    check_programme(record.programme_id, violations)
    if event is None:
        return violations
    violations += validate_fact(event, now=record.record_time)
    if event.recorded_by:
        check_id(event.recorded_by, "recorded_by", violations)
    message = pb.Event.FromString(record.value)
    tidy = pb.Event.FromString(record.value)
    normalize(tidy)
    # A server normalizes a fact before it sets assurance. In another form the same fact would
    # count twice.
    if message.assurance and tidy != message:
        violations.append(
            Violation("event", "is not as a server writes it: it was changed by hand")
        )
    return violations


def _whole_event(value: bytes) -> pb.Event | None:
    """The event, None unless its proto JSON gives exactly these bytes back."""
    message = pb.Event.FromString(value)
    message.DiscardUnknownFields()
    is_whole = message.SerializeToString(deterministic=True) == value
    return message if is_whole and not message.HasField("record_time") else None


def _serialize_event(document: Any) -> bytes:
    if not isinstance(document, dict):
        raise InvalidLineError("event must be an object")
    message = pb.Event()
    try:
        ParseDict(document, message)
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidLineError(f"event cannot be read: {str(error).rstrip('.')}") from None
    if message.HasField("record_time"):
        raise InvalidLineError("event has a record_time, which belongs in the field next to event")
    return message.SerializeToString(deterministic=True)


def _decode_value(text: Any) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise InvalidLineError("value must be base64") from None


def _serialize_time(record_time: Instant) -> bytes:
    """The field with the time of the first append, which is the last one in a value."""
    return pb.Event(record_time=from_instant(record_time)).SerializeToString()


def _format_time(at: Instant) -> str:
    return instant_to_datetime(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read_time(text: Any) -> Instant:
    try:
        at = datetime_to_instant(datetime.fromisoformat(text))
    except (ValueError, TypeError):
        at = -1
    if at < 0 or _format_time(at) != text:
        raise InvalidLineError("record_time must be like 2026-03-14T09:30:00.000000Z")
    return at


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
