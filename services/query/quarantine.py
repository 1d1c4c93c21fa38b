"""The question that lists quarantined records, each with its cause and a remedy."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import DecodeError

from mutua.ids import resubmission_id
from mutua.limits import MAX_PAGE_SIZE
from mutua.v1 import event_pb2
from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.values import InvalidFieldError, from_instant, to_instant
from services.ledger.enums import QuarantineCause
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.records import StoredQuarantineRecord
from services.query.query_context import QueryContext

REMEDIES: Final = {
    QuarantineCause.EVENT_ID_REUSED: (
        "The first fact under this event id applies. If this is another fact, resubmit it: it gets "
        "an id of its own."
    ),
    QuarantineCause.STALE_CORRECTION: (
        "Somebody changed the exchange first. Look at the current revision; if the correction "
        "is still right, resubmit it as a change of that revision."
    ),
    QuarantineCause.UNREADABLE: (
        "If a newer mutua wrote it, upgrade this one. Otherwise rewrite the fact from its "
        "readable parts, and resubmit it."
    ),
    QuarantineCause.NOT_APPLICABLE: (
        "The fact contradicts the current state: correct what the detail names, and resubmit it."
    ),
}
_RECORDS_PER_READ: Final = 50
"""Maximum number of records in memory, because a page may have room for only a few of them."""


def list_quarantine(query: QueryContext) -> pb.ListQuarantineResponse:
    """A page of quarantined records in log order.

    Raises ImpossibleQuestionError for more offsets than one page holds.
    """
    offsets = query.request.offsets
    if len(offsets) > MAX_PAGE_SIZE:
        raise ImpossibleQuestionError.for_field(
            "offsets", f"has {len(offsets):,} numbers", f"at most {MAX_PAGE_SIZE:,}"
        )
    page = pb.ListQuarantineResponse(**query.coverage_fields())
    return query.fill_page(
        page, _records(query), lambda record: record, lambda record: record.offset
    )


def _records(query: QueryContext) -> Iterator[pb.QuarantinedRecord]:
    """The requested records in log order, after those of the previous page."""
    offsets, programme_id = query.request.offsets, query.question.programme_id
    last_offset = -1 if query.page.after_key is None else query.page.after_key
    while rows := query.snapshot.read_quarantine(
        programme_id, offsets, last_offset, _RECORDS_PER_READ
    ):
        ids = {row.offset: resubmission_id(programme_id, row.value) for row in rows}
        resubmitted_ids = query.snapshot.find_recorded_event_ids(programme_id, ids.values())
        for row in rows:
            event_id = ids[row.offset]
            yield _from_record(row, event_id if event_id in resubmitted_ids else "")
        last_offset = rows[-1].offset


def _from_record(row: StoredQuarantineRecord, resubmitted_as: str) -> pb.QuarantinedRecord:
    return pb.QuarantinedRecord(
        offset=row.offset,
        reason=pb.QuarantineReason.ValueType(row.reason),
        detail=row.detail,
        remedy=REMEDIES[row.reason],
        record_time=from_instant(row.record_time),
        event=_decode_leniently(row.value),
        record=row.value,
        resubmitted_as=resubmitted_as,
    )


def _decode_leniently(value: bytes) -> event_pb2.Event | None:
    """The readable fields of a record, without invalid times; None if it is no event at all.

    The event has no record_time, because the quarantined record has one of its own.
    """
    event = event_pb2.Event()
    try:
        event.ParseFromString(value)
    except DecodeError:
        return None
    event.ClearField("record_time")
    for name in ("occur_time", "report_time"):
        try:
            to_instant(getattr(event, name), name)
        except InvalidFieldError:
            event.ClearField(name)
    return event if event.ListFields() else None
