"""One slab of one partition: read, folded by programme, written with its position."""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

from services.adapters.wire.event import read_record
from services.ledger.changes import affected, project
from services.ledger.errors import DataForeign
from services.ledger.exchange import MAX_LEGS_AT_ONCE, ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event, Logged
from services.ledger.ports import Log, ProjectionStore, Record, Watermark


def project_slab(store: ProjectionStore, log_id: str, records: Sequence[Record]) -> Watermark:
    """Projects contiguous records, or the first of them, and returns where the read models stand.

    Raises StaleWriter when somebody else has moved the read models, StoreBusy when the same may
    succeed later.
    """
    by_programme: dict[str, list[Logged]] = defaultdict(list)
    taken, legs = 0, 0
    for record in records:
        logged = read_record(record.offset, record.record_time, record.programme_id, record.value)
        legs += _leg_count(logged)
        if taken and legs > MAX_LEGS_AT_ONCE:
            break
        by_programme[record.programme_id].append(logged)
        taken += 1
    records = records[:taken]
    changes = []
    for programme_id, facts in by_programme.items():
        ledger = store.load(programme_id, affected(facts))
        changes.append(project(programme_id, ledger, facts))
    end = mark(log_id, records[-1])
    store.commit(changes, records[0].offset, end)
    return end


def _leg_count(logged: Logged) -> int:
    match logged.event:
        case Event(fact=ExchangeRecorded(exchange=exchange) | ExchangeCorrected(exchange=exchange)):
            return exchange.leg_count
        case _:
            return 0


def mark(log_id: str, last: Record) -> Watermark:
    """The watermark of read models that reflect everything up to `last`."""
    return Watermark(log_id, last.offset + 1, last.record_time, sha256(last.value).digest()[:16])


def check_same_log(log: Log, watermark: Watermark | None) -> None:
    """Raises DataForeign when the read models were not made from this log as it stands."""
    if watermark is None:
        return
    remedy = "delete the read-*.sqlite files and they are made again from the log"
    if watermark.log_id != log.log_id:
        raise DataForeign(f"the read models were made from another log; {remedy}")
    last = log.read(watermark.next_offset - 1, 1)
    if not last:
        raise DataForeign(
            f"the log ends at {log.end():,}, before the {watermark.next_offset:,} facts the read "
            f"models have seen: it was cut or restored; if the log is right, {remedy}"
        )
    if mark(log.log_id, last[0]) != watermark:
        raise DataForeign(
            "the log does not hold the fact that was projected last: it was changed or restored; "
            f"if the log is right, {remedy}"
        )
