"""The form of an exported log: JSON Lines, one header and then one line a record, in log order.

A line holds the event in proto JSON, without its record_time, which stands beside it. A record that
this would not give back byte for byte (no event, one of a newer version, one that another program
wrote in its own way) holds base64 instead.
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
    """A line of the file is not what an export has there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportHeader:
    """What a file holds: `record_count` records of the log before `position`.

    `programme_id` is "" when all programmes are there.
    """

    log_id: str
    position: str
    record_count: int
    programme_id: str


@dataclass(frozen=True, slots=True)
class ExportLine:
    """A record as it is to stand on a log.

    `has_own_time` is whether its value tells the time when it was first appended; where nobody
    could read it there, only the log can keep it.
    """

    record: Record
    has_own_time: bool


def format_header(header: ExportHeader) -> str:
    values = (FORMAT, VERSION, header.log_id, header.position, header.record_count)
    return json.dumps(dict(zip(_HEADER, (*values, header.programme_id), strict=True)))


def read_header(line: bytes) -> ExportHeader:
    """Raises InvalidLineError, or NewerSchemaError for a form newer than this."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise InvalidLineError("this is no exported log; mutua export log writes one")
    version = told.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerSchemaError(
            f"the file has format {version}, this mutua reads up to {VERSION}; upgrade mutua"
        )
    if set(told) != set(_HEADER) or version != VERSION or not _is_count(told["record_count"]):
        raise InvalidLineError(f"the header must have {', '.join(_HEADER)}; export the log again")
    return ExportHeader(
        log_id=str(told["log_id"]),
        position=str(told["position"]),
        record_count=told["record_count"],
        programme_id=str(told["programme_id"]),
    )


# decision 0039: an export gives back the same bytes
def format_record(record: Record, latest: MutableMapping[str, Instant]) -> str:
    """One line, without its end, from which `read_line` makes the same record again.

    `latest` has the time of the last record of each programme, and gets this one's: it is raised to
    the one before it where a clock stepped back, as a log of one file does when it appends.
    """
    event, record_time = _read(record)
    value = record.value.removesuffix(_stamp(record_time))
    record_time = max(record_time, latest.get(record.programme_id, 0))
    latest[record.programme_id] = record_time
    line: dict[str, Any] = {
        "offset": record.offset,
        "record_time": _told(record_time),
        "programme_id": record.programme_id,
    }
    if event is not None and (message := _plain(value)) is not None:
        line["event"] = MessageToDict(message, preserving_proto_field_name=True)
    else:
        line["value"] = b64encode(value).decode()
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def read_line(line: bytes) -> ExportLine:
    """Raises InvalidLineError unless it is a record that a server could have appended then."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidLineError(f"is no JSON ({error}): the file is damaged or cut") from None
    kept = {"event", "value"}.intersection(told) if isinstance(told, dict) else ()
    if len(kept) != 1 or set(told) != {*_RECORD, *kept}:
        raise InvalidLineError(
            f"is no record: it must have {', '.join(_RECORD)}, and event or value"
        )
    if not _is_count(told["offset"]):
        raise InvalidLineError("offset must be a whole number from 0 on")
    record_time = _read_time(told["record_time"])
    if not isinstance(told["programme_id"], str):
        raise InvalidLineError("programme_id must be text")
    value = _event_value(told["event"]) if "event" in told else _bytes_value(told["value"])
    record = Record(told["offset"], record_time, told["programme_id"], value)
    event, _ = _read(record)
    if event is None and "event" in told:
        raise InvalidLineError("event is no fact of this programme that this version can read")
    if violations := _violations(record, event):
        told_all = "; ".join(f"{each.field} {each.description}" for each in violations)
        raise InvalidLineError(told_all, tuple(violations))
    if event is not None:
        value += _stamp(record_time)
    return ExportLine(
        Record(record.offset, record_time, record.programme_id, value), event is not None
    )


def _read(record: Record) -> tuple[Event | None, Instant]:
    """The fact of a record, if this version can read it, and when it was first appended."""
    try:
        logged = read_record(record.offset, record.record_time, record.programme_id, record.value)
    except UnknownFactKindError:
        return None, record.record_time
    return logged.event, logged.record_time


def _violations(record: Record, event: Event | None) -> Violations:
    """By the rules that held when it was recorded; records that are no facts have none."""
    found: Violations = []
    check_programme(record.programme_id, found)
    if event is None:
        return found
    found += validate_fact(event, now=record.record_time)
    if event.recorded_by:
        check_id(event.recorded_by, "recorded_by", found)
    message = pb.Event.FromString(record.value)
    tidy = pb.Event.FromString(record.value)
    normalize(tidy)
    # Who sets assurance has normalized before; in another form a fact would not count once.
    if message.assurance and tidy != message:
        found.append(Violation("event", "is not as a server writes it: it was changed by hand"))
    return found


def _plain(value: bytes) -> pb.Event | None:
    """The event that proto JSON can say so that these very bytes come back; else None."""
    message = pb.Event.FromString(value)
    message.DiscardUnknownFields()
    is_whole = message.SerializeToString(deterministic=True) == value
    return message if is_whole and not message.HasField("record_time") else None


def _event_value(told: Any) -> bytes:
    if not isinstance(told, dict):
        raise InvalidLineError("event must be an object")
    message = pb.Event()
    try:
        ParseDict(told, message)
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidLineError(f"event cannot be read: {str(error).rstrip('.')}") from None
    if message.HasField("record_time"):
        raise InvalidLineError("event has a record_time, which must stand beside it")
    return message.SerializeToString(deterministic=True)


def _bytes_value(told: Any) -> bytes:
    try:
        return b64decode(told, validate=True)
    except (ValueError, TypeError):
        raise InvalidLineError("value must be base64") from None


def _stamp(record_time: Instant) -> bytes:
    """The field that tells when a record was first appended, as it stands last in a value."""
    return pb.Event(record_time=from_instant(record_time)).SerializeToString()


def _told(at: Instant) -> str:
    return instant_to_datetime(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read_time(told: Any) -> Instant:
    try:
        at = datetime_to_instant(datetime.fromisoformat(told))
    except (ValueError, TypeError):
        at = -1
    if at < 0 or _told(at) != told:
        raise InvalidLineError("record_time must be like 2026-03-14T09:30:00.000000Z")
    return at


def _is_count(told: Any) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and told >= 0
