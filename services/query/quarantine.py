"""Records that can never apply: why, and what to do."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import DecodeError

from mutua.ids import resubmission_id
from mutua.v1 import event_pb2
from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.values import Unfit, from_instant, to_instant
from services.ledger.errors import QuestionImpossible, Violation
from services.ledger.ports import QuarantinedRow
from services.ledger.words import Quarantine
from services.query.answering import Asked
from services.query.paging import MAX_SIZE

REMEDIES: Final = {
    Quarantine.EVENT_ID_REUSED: "The first fact under this event id stands. If this is another "
    "fact, resubmit it: it gets an id of its own.",
    Quarantine.STALE_CORRECTION: "Somebody changed the exchange first. Look at what stands now; if "
    "the correction still holds, resubmit it as a change of that.",
    Quarantine.UNREADABLE: "If a newer mutua wrote it, upgrade this one. Otherwise write the fact "
    "anew from what is left of it, and resubmit that.",
    Quarantine.NOT_APPLICABLE: "The fact contradicts what stands: mend what the detail names, and "
    "resubmit it.",
}
_READ_AT_ONCE: Final = 50
"""Maximum number of records in memory: a page may have room for only a few of them."""


def list_quarantine(asked: Asked) -> pb.ListQuarantineResponse:
    """Raises QuestionImpossible for more offsets than one page holds."""
    offsets = asked.request.offsets
    if len(offsets) > MAX_SIZE:
        limit = f"has {len(offsets):,} numbers; at most {MAX_SIZE:,}"
        raise QuestionImpossible(f"offsets {limit}", (Violation("offsets", limit),))
    page = pb.ListQuarantineResponse(**asked.rest())
    return asked.fill(page, _records(asked), lambda record: record, lambda record: record.offset)


def _records(asked: Asked) -> Iterator[pb.QuarantinedRecord]:
    """The records that are asked for, in log order, after the previous page."""
    offsets, programme_id = asked.request.offsets, asked.question.programme_id
    after = -1 if asked.page.after is None else asked.page.after
    while rows := asked.snapshot.quarantine(programme_id, offsets, after, _READ_AT_ONCE):
        ids = {row.offset: resubmission_id(programme_id, row.value) for row in rows}
        resubmitted = asked.snapshot.recorded(programme_id, ids.values())
        for row in rows:
            yield _record(row, ids[row.offset] if ids[row.offset] in resubmitted else "")
        after = rows[-1].offset


def _record(row: QuarantinedRow, resubmitted_as: str) -> pb.QuarantinedRecord:
    return pb.QuarantinedRecord(
        offset=row.offset,
        reason=pb.QuarantineReason.ValueType(row.reason),
        detail=row.detail,
        remedy=REMEDIES[row.reason],
        record_time=from_instant(row.record_time),
        event=_legible(row.value),
        record=row.value,
        resubmitted_as=resubmitted_as,
    )


def _legible(value: bytes) -> event_pb2.Event | None:
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
        except Unfit:
            event.ClearField(name)
    return event if event.ListFields() else None
