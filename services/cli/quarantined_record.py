"""Describes a quarantined record, and builds the fact that is sent again."""

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import (
    EXCHANGE_STATE_RETRACTED,
    QUARANTINE_REASON_EVENT_ID_REUSED,
    QUARANTINE_REASON_STALE_CORRECTION,
    QUARANTINE_REASON_UNREADABLE,
    Exchange,
    QuarantinedRecord,
    QuarantineReason,
)
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT
from services.adapters.wire.json_dates import with_text_dates
from services.cli.connection import GlobalOptions
from services.cli.dates import format_occurrence
from services.cli.exchange_summary import (
    ExchangeSummary,
    details,
    summarize_revision,
)
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import Column, to_json, to_table
from services.cli.parameters import words_by_number
from services.ledger.wording import format_count
from services.notation.exchange_cells import current_revision

REASON_WORDS: Final = {
    number: word.replace("-", " ")
    for number, word in words_by_number(QuarantineReason.items()).items()
}
SERVER_SET_FIELDS: Final = ("recorded_by", "assurance", "record_time")
"""Fields that the server sets, again on every submission."""


def needs_fixing(record: QuarantinedRecord) -> bool:
    """Whether it would come to the same if it were sent again as `build_resubmission` makes it."""
    return record.reason not in (
        QUARANTINE_REASON_EVENT_ID_REUSED,
        QUARANTINE_REASON_STALE_CORRECTION,
    )


def build_resubmission(record: QuarantinedRecord, exchange: Exchange | None) -> Event:
    """The client's fact without the fields that a resubmission sets again.

    A stale correction replaces the revision that is current in `exchange`.
    """
    event = Event()
    event.CopyFrom(record.event)
    for field in ("event_id", "programme_id", *SERVER_SET_FIELDS):
        event.ClearField(field)
    is_stale = record.reason == QUARANTINE_REASON_STALE_CORRECTION
    if is_stale and exchange is not None and not is_retracted(exchange):
        event.exchange_corrected.replaces_event_id = exchange.revisions[-1].event_id
    return event


def is_retracted(exchange: Exchange) -> bool:
    return exchange.state == EXCHANGE_STATE_RETRACTED


def to_editable(event: Event) -> dict[str, Any]:
    """A fact to be edited: proto JSON without what is not set, dates as text."""
    document = MessageToDict(event, preserving_proto_field_name=True)
    plain: dict[str, Any] = with_text_dates(document, Event.DESCRIPTOR)
    return plain


def columns(directory: CommandLineDirectory) -> list[Column[QuarantinedRecord]]:
    return [
        Column("number", lambda row: str(row.offset), True),
        Column("when", _when),
        Column("reason", lambda row: REASON_WORDS.get(row.reason, "")),
        Column("about", lambda row: _about(row, directory)),
        Column("in words", lambda row: row.detail),
        Column("resubmitted as", lambda row: row.resubmitted_as),
    ]


def _when(record: QuarantinedRecord) -> str:
    return format_occurrence(record.record_time, OCCUR_PRECISION_EXACT)


def _about(record: QuarantinedRecord, directory: CommandLineDirectory) -> str:
    event = record.event
    match event.WhichOneof("fact"):
        case _ if record.reason == QUARANTINE_REASON_UNREADABLE:
            return format_count(len(record.record), "byte")
        case "exchange_recorded" | "exchange_corrected" as fact:
            fact_details = details(summarize_fact(event), directory)
            parties = (
                fact_details.get("with")
                or f"{fact_details.get('from', '')} to {fact_details.get('to', '')}"
            )
            words = [fact_details.get("kind", "exchange"), parties, fact_details.get("on", "")]
            return f"{'correction: ' * (fact == 'exchange_corrected')}{', '.join(words)}"
        case "exchange_retracted":
            return f"retraction of {event.exchange_retracted.exchange_id}"
        case "alias_added":
            return f"alias {event.alias_added.alias!r} of {event.alias_added.organization_id!r}"
        case "organization_registered":
            return directory.label(event.organization_registered.organization.organization_id)
        case "organization_updated":
            return directory.label(event.organization_updated.organization.organization_id)
        case fact:
            return (fact or "").replace("_", " ")


def summarize_fact(event: Event) -> ExchangeSummary:
    """The summary of the exchange that a fact records or corrects."""
    is_first = event.HasField("exchange_recorded")
    fact = event.exchange_recorded if is_first else event.exchange_corrected
    return ExchangeSummary(
        content=fact.exchange,
        occur_time=event.occur_time,
        occur_precision=event.occur_precision,
    )


def describe_record(
    record: QuarantinedRecord,
    exchange: Exchange | None,
    directory: CommandLineDirectory,
    global_options: GlobalOptions,
) -> Iterator[str]:
    yield f"Record {record.offset}, {_when(record)}: {REASON_WORDS.get(record.reason, '')}."
    yield f"Why: {record.detail}."
    yield f"What to do: {record.remedy}"
    if record.resubmitted_as:
        yield f"It was resubmitted as {record.resubmitted_as}."
    if exchange is not None:
        yield from _compare_with_current(record, exchange, directory)
    yield "\nThe fact as it came:\n"
    yield to_json(to_editable(record.event) if record.HasField("event") else record.record.hex(" "))
    if not record.resubmitted_as:
        command = f"{global_options.command} quarantine"
        file = ""
        yield ""
        if needs_fixing(record):
            yield f"To fix it: {command} show {record.offset} --format json > fact.json"
            file = " --fact fact.json"
        yield f"To send it again: {command} resubmit {record.offset}{file}"


def _compare_with_current(
    record: QuarantinedRecord, exchange: Exchange, directory: CommandLineDirectory
) -> Iterator[str]:
    """A table of the current revision next to the record's content."""
    current = exchange.revisions[-1].event_id
    yield f"\nExchange {exchange.exchange_id}, current revision {current}:\n"
    now = details(summarize_revision(current_revision(exchange)), directory)
    record_details = {}
    if record.event.WhichOneof("fact") != "exchange_retracted":
        record_details = details(summarize_fact(record.event), directory)
    words = list(dict.fromkeys((*now, *record_details)))
    yield to_table(
        words,
        [
            Column("", lambda word: word),
            Column("recorded now", lambda word: now.get(word, "")),
            Column("this record", lambda word: record_details.get(word, "")),
        ],
    )
    if is_retracted(exchange):
        yield "The exchange was retracted, which is final."
