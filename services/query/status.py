"""How far the read models are, and what they hold."""

from functools import partial
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.ledger.ports import ReadableLog
from services.ledger.position import Position
from services.ledger.question import UNBOUND_NAMES
from services.ledger.wording import format_count
from services.query.executor import QueryContext
from services.query.organizations import count_organizations
from services.query.position_tracker import PositionTracker

FACTS_WAITING: Final = "FACTS_WAITING"
FACTS_QUARANTINED: Final = "FACTS_QUARANTINED"


def get_status(
    asked: QueryContext,
    *,
    log: ReadableLog,
    model_version: int,
    progress: PositionTracker,
) -> pb.GetStatusResponse:
    counts = asked.snapshot.read_counts(asked.question.programme_id)
    reached = progress.get(asked.partition)
    projected = asked.version.next_offset
    end = log.get_partition(asked.partition).end()
    reason = reached.hold_reason or _truncation_reason(end, projected)
    end = max(end, projected)
    warnings = [FACTS_WAITING] if counts.waiting_count else []
    warnings += [FACTS_QUARANTINED] if counts.quarantine_count else []
    inside = asked.frame.select_exchanges(asked.question)
    warnings += [UNBOUND_NAMES] if asked.frame.has_unbound_names(inside) else []
    position = partial(Position, log.log_id, asked.partition)
    held = pb.HeldPartition(position=str(position(reached.next_offset)), reason=reason)
    return pb.GetStatusResponse(
        log_position=str(position(end)),
        projection_position=str(position(projected)),
        lag_count=end - projected,
        fact_count=counts.fact_count,
        exchange_count=counts.exchange_count,
        organization_count=count_organizations(asked.frame, asked.question),
        waiting_count=counts.waiting_count,
        quarantine_count=counts.quarantine_count,
        model_version=model_version,
        held=[held] if reason else [],
        warnings=warnings,
        **asked.coverage_fields(),
    )


def _truncation_reason(end: int, projected: int) -> str:
    """What is wrong with a log that ends before what was projected of it; "" when nothing is."""
    if end >= projected:
        return ""
    return (
        f"the log ends at {end:,}, before the {format_count(projected, 'fact')} that answers "
        "are made of: it was cut or restored, and projectors say what to do"
    )
