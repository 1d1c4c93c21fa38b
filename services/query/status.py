"""The question about the read models' status: position, lag, counts and holds."""

from functools import partial
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.ledger.ports import ReadableLog
from services.ledger.position import Position
from services.ledger.question import UNBOUND_NAMES
from services.ledger.wording import format_count
from services.query.organizations import count_organizations
from services.query.position_tracker import PositionTracker
from services.query.query_context import QueryContext

FACTS_WAITING: Final = "FACTS_WAITING"
FACTS_QUARANTINED: Final = "FACTS_QUARANTINED"


def get_status(
    query: QueryContext,
    *,
    log: ReadableLog,
    model_version: int,
    positions: PositionTracker,
) -> pb.GetStatusResponse:
    """Counts of the programme, with the position of its partition in the log and read models.

    A log that ends before the read models is reported in `held`, although no hold is stored and
    `mutua_partition_held` stays 0: the projector has ended. If the log grew past that position
    again, only the projector notices.
    """
    counts = query.snapshot.read_counts(query.question.programme_id)
    progress = positions.get(query.partition)
    next_offset = query.version.next_offset
    end = log.get_partition(query.partition).end()
    reason = progress.hold_reason or _truncation_reason(end, next_offset)
    end = max(end, next_offset)
    warnings = [FACTS_WAITING] if counts.waiting_count else []
    warnings += [FACTS_QUARANTINED] if counts.quarantine_count else []
    exchanges = query.view.select_exchanges(query.question)
    warnings += [UNBOUND_NAMES] if query.view.has_unbound_names(exchanges) else []
    position = partial(Position, log.log_id, query.partition)
    held = pb.HeldPartition(position=str(position(progress.next_offset)), reason=reason)
    return pb.GetStatusResponse(
        log_position=str(position(end)),
        projection_position=str(position(next_offset)),
        lag_count=end - next_offset,
        fact_count=counts.fact_count,
        exchange_count=counts.exchange_count,
        organization_count=count_organizations(query.view, query.question),
        waiting_count=counts.waiting_count,
        quarantine_count=counts.quarantine_count,
        model_version=model_version,
        held=[held] if reason else [],
        position=str(position(next_offset)),
        warnings=warnings,
        **query.coverage_fields(),
    )


def _truncation_reason(end: int, next_offset: int) -> str:
    """Describes a log that ends before the projected position; "" for a log that does not."""
    if end >= next_offset:
        return ""
    return (
        f"the log ends at {end:,}, before the {format_count(next_offset, 'fact')} that answers "
        "are computed from: it was truncated or restored, and projectors log what to do"
    )
