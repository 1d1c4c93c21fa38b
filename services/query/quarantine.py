"""Records that can never apply: why, and what to do."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import DecodeError

from mutua.ids import resubmission_id
from mutua.v1 import event_pb2
from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.values import InvalidFieldError, from_instant, to_instant
from services.ledger.enums import QuarantineCause
from services.ledger.errors import ImpossibleQuestionError, Violation
from services.ledger.records import StoredQuarantineRecord
from services.query.executor import QueryContext
from services.query.paging import MAX_PAGE_SIZE

REMEDIES: Final = {
    QuarantineCause.EVENT_ID_REUSED: (
        "The first fact under this event id stands. If this is another fact, resubmit it: it gets "
        "an id of its own."
    ),
    QuarantineCause.STALE_CORRECTION: (
        "Somebody changed the exchange first. Look at what stands now; if the correction still "
        "holds, resubmit it as a change of that."
    ),
    QuarantineCause.UNREADABLE: (
        "If a newer mutua wrote it, upgrade this one. Otherwise write the fact anew from what is "
        "left of it, and resubmit that."
    ),
    QuarantineCause.NOT_APPLICABLE: (
        "The fact contradicts what stands: mend what the detail names, and resubmit it."
    ),
}
_RECORDS_PER_READ: Final = 50
"""Maximum number of records in memory: a page may have room for only a few of them."""


def list_quarantine(asked: QueryContext) -> pb.ListQuarantineResponse:
    """Raises ImpossibleQuestionError for more offsets than one page holds."""
    offsets = asked.request.offsets
    if len(offsets) > MAX_PAGE_SIZE:
        limit = f"has {len(offsets):,} numbers; at most {MAX_PAGE_SIZE:,}"
        raise ImpossibleQuestionError(f"offsets {limit}", (Violation("offsets", limit),))
    page = pb.ListQuarantineResponse(**asked.coverage_fields())
    return asked.fill_page(
        page, _records(asked), lambda record: record, lambda record: record.offset
    )


def _records(asked: QueryContext) -> Iterator[pb.QuarantinedRecord]:
    """The records that are asked for, in log order, after the previous page."""
    offsets, programme_id = asked.request.offsets, asked.question.programme_id
    after = -1 if asked.page.after_key is None else asked.page.after_key
    while rows := asked.snapshot.read_quarantine(programme_id, offsets, after, _RECORDS_PER_READ):
        ids = {row.offset: resubmission_id(programme_id, row.value) for row in rows}
        resubmitted = asked.snapshot.find_recorded_event_ids(programme_id, ids.values())
        for row in rows:
            yield _record(row, ids[row.offset] if ids[row.offset] in resubmitted else "")
        after = rows[-1].offset


def _record(row: StoredQuarantineRecord, resubmitted_as: str) -> pb.QuarantinedRecord:
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
    """What can be read of a record, without times that are none; None when it is no event.

    Its record_time, which only replayed logs have, stands beside it already.
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
