"""One slab of one partition: read, folded by programme, written with its position."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from services.adapters.wire.event import read_record
from services.adapters.wire.fresh import read_fresh
from services.ledger.changes import Changes, affected, project
from services.ledger.clocks import raised
from services.ledger.errors import DataForeign
from services.ledger.exchange import MAX_LEGS_AT_ONCE, ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event, Logged
from services.ledger.fresh import Fresh
from services.ledger.ports import (
    Held,
    Partition,
    ProjectionStore,
    Record,
    StaleWriter,
    StoreBusy,
    Watermark,
)
from services.ledger.state import Ledger
from services.ledger.times import SECOND, Instant
from services.ledger.wording import counted
from services.metrics import (
    BUSY,
    COMMIT_SECONDS,
    SLAB_FACTS,
    UNMEASURED,
    VISIBLE_SECONDS,
    Meter,
)


@dataclass(slots=True)
class _Part:
    """A programme's records: exchanges that are new as it seems, and all others."""

    fresh: list[tuple[Record, Fresh]] = field(default_factory=list)
    facts: list[Logged] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slab:
    """Contiguous records of a partition, read, and by programme."""

    start: int
    start_time: Instant
    end: Watermark
    parts: dict[str, _Part]


def project_slab(
    store: ProjectionStore,
    log_id: str,
    records: Sequence[Record],
    *,
    partition: int = 0,
    meter: Meter = UNMEASURED,
) -> Watermark:
    """Projects contiguous records of a partition, or the first of them; how far it is then.

    Raises as `read_slab` and `write_slab`.
    """
    return write_slab(store, read_slab(log_id, records, partition=partition), meter)


def read_slab(
    log_id: str, records: Sequence[Record], *, partition: int = 0, since: Instant = 0
) -> Slab:
    """Contiguous records of a partition, or the first of them, read; knows no read models.

    `since` is the time of the record before them, which none of theirs is earlier than. Raises Held
    when the first record needs a later version.
    """
    parts: dict[str, _Part] = {}
    taken, legs, last = 0, 0, records[0]
    for record in raised(records, since):
        fresh = read_fresh(record)
        try:
            logged = None if fresh else _read(record)
        except Held:
            if taken:
                break
            raise
        legs += len(fresh.giver_ids) * len(fresh.receiver_ids) if fresh else _leg_count(logged)
        if taken and legs > MAX_LEGS_AT_ONCE:
            break
        part = parts.get(record.programme_id) or parts.setdefault(record.programme_id, _Part())
        if fresh:
            part.fresh.append((record, fresh))
        elif logged:
            part.facts.append(logged)
        taken, last = taken + 1, record
    start_time = max(since, records[0].record_time)
    return Slab(records[0].offset, start_time, mark(log_id, partition, last), parts)


def write_slab(store: ProjectionStore, slab: Slab, meter: Meter = UNMEASURED) -> Watermark:
    """Folds what was read into the read models; how far the partition is then.

    Raises StaleWriter when somebody else has moved the read models, StoreBusy when the same may
    succeed later.
    """
    changes = [_project(store, programme_id, part) for programme_id, part in slab.parts.items()]
    began = time.perf_counter()
    try:
        store.commit(changes, slab.start, slab.end)
    except StoreBusy:
        meter.add(BUSY, 1)
        raise
    meter.observe(COMMIT_SECONDS, time.perf_counter() - began)
    meter.observe(SLAB_FACTS, slab.end.next_offset - slab.start)
    meter.observe(VISIBLE_SECONDS, max(0.0, time.time() - slab.end.record_time / SECOND))
    return slab.end


def _project(store: ProjectionStore, programme_id: str, part: _Part) -> Changes:
    """Lays out what nothing else concerns, and folds the rest."""
    facts, fresh, ledger = part.facts, part.fresh, Ledger()
    named = Counter(each.event_id for _, each in fresh)
    concerned = affected(facts).event_ids | store.known(programme_id, named)
    if len(named) < len(fresh):
        concerned |= {event_id for event_id, count in named.items() if count > 1}
    left = set(named)
    while True:
        if not left.isdisjoint(concerned):
            met = [_read(record) for record, each in fresh if each.event_id in concerned]
            fresh = [pair for pair in fresh if pair[1].event_id not in concerned]
            facts = sorted(facts + met, key=lambda logged: logged.offset)
            left -= concerned
        needs = affected(facts)
        if facts:
            ledger = store.load(programme_id, needs)
        # A waiting fact that is released here may concern what no fact of the slab itself does.
        if left.isdisjoint(needs.event_ids):
            return project(programme_id, ledger, facts, [each for _, each in fresh])
        concerned = needs.event_ids


def _read(record: Record) -> Logged:
    return read_record(record.offset, record.record_time, record.programme_id, record.value)


def _leg_count(logged: Logged | None) -> int:
    match logged:
        case Logged(
            event=Event(
                fact=ExchangeRecorded(exchange=exchange) | ExchangeCorrected(exchange=exchange)
            )
        ):
            return exchange.leg_count
        case _:
            return 0


def mark(log_id: str, partition: int, last: Record) -> Watermark:
    """The watermark of read models that reflect a partition up to `last`."""
    digest = sha256(last.value).digest()[:16]
    return Watermark(log_id, partition, last.offset + 1, last.record_time, digest)


def check_same_log(log: Partition, watermark: Watermark | None) -> None:
    """Raises DataForeign when the read models were not made from this log as it stands."""
    remedy = "mutua rebuild makes them again from the log"
    if watermark is None:
        return
    if watermark.log_id != log.log_id:
        raise DataForeign(f"the read models were made from another log; {remedy}")
    last = log.read(watermark.next_offset - 1, 1)
    if not last:
        raise DataForeign(
            f"the log ends at {log.end():,}, before the "
            f"{counted(watermark.next_offset, 'fact')} the read models have seen: it was cut or "
            f"restored; if the log is right, {remedy}"
        )
    found = mark(log.log_id, log.number, last[0])
    at = max(found.record_time, watermark.record_time)  # it may have been raised
    if replace(found, record_time=at) != watermark:
        raise DataForeign(
            "the log does not hold the fact that was projected last: it was changed or restored; "
            f"if the log is right, {remedy}"
        )


def check_went_forward(found: Mapping[int, int], durable: Mapping[int, int]) -> None:
    """Raises StaleWriter where the read models are behind what was projected here.

    A slab would find that out; but the next one may be long in coming.
    """
    for number, next_offset in durable.items():
        if (at := found.get(number, 0)) < next_offset:
            raise StaleWriter(
                f"partition {number} is at offset {at} in the read models and was at "
                f"{next_offset}: they went back, to a backup or to a standby that was behind; "
                "projecting begins again from there"
            )
