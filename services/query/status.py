"""How far the read models are, and what they hold."""

from functools import partial
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.ledger.ports import ReadableLog
from services.ledger.position import Position
from services.ledger.question import UNBOUND_NAMES
from services.ledger.wording import counted
from services.query.answering import Asked
from services.query.organizations import organization_count
from services.query.progress import Progress

FACTS_WAITING: Final = "FACTS_WAITING"
FACTS_QUARANTINED: Final = "FACTS_QUARANTINED"


def get_status(
    asked: Asked,
    *,
    log: ReadableLog,
    model_version: int,
    progress: Progress,
) -> pb.GetStatusResponse:
    counts = asked.snapshot.counts(asked.question.programme_id)
    reached = progress.of(asked.partition)
    projected = asked.moment.next_offset
    end = log.partition(asked.partition).end()
    reason = reached.held or _cut(end, projected)
    end = max(end, projected)
    warnings = [FACTS_WAITING] if counts.waiting_count else []
    warnings += [FACTS_QUARANTINED] if counts.quarantine_count else []
    inside = asked.frame.inside(asked.question)
    warnings += [UNBOUND_NAMES] if asked.frame.has_unbound(inside) else []
    position = partial(Position, log.log_id, asked.partition)
    held = pb.HeldPartition(position=str(position(reached.next_offset)), reason=reason)
    return pb.GetStatusResponse(
        log_position=str(position(end)),
        projection_position=str(position(projected)),
        lag_count=end - projected,
        fact_count=counts.fact_count,
        exchange_count=counts.exchange_count,
        organization_count=organization_count(asked.frame, asked.question),
        waiting_count=counts.waiting_count,
        quarantine_count=counts.quarantine_count,
        model_version=model_version,
        held=[held] if reason else [],
        warnings=warnings,
        **asked.rest(),
    )


def _cut(end: int, projected: int) -> str:
    """What is wrong with a log that ends before what was projected of it; "" when nothing is."""
    if end >= projected:
        return ""
    return (
        f"the log ends at {end:,}, before the {counted(projected, 'fact')} that answers "
        "are made of: it was cut or restored, and projectors say what to do"
    )
