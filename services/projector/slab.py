"""One slab of one partition: read, folded by programme, written with its position."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from services.adapters.telemetry.metrics import (
    BUSY_SLABS,
    COMMIT_SECONDS,
    NO_OP_METER,
    SLAB_FACTS,
    VISIBLE_SECONDS,
    Meter,
)
from services.adapters.wire.event import read_record
from services.adapters.wire.new_exchange import read_new_exchange
from services.ledger.changes import ProgrammeChanges, find_needs, project_records
from services.ledger.errors import (
    FencedWriterError,
    ForeignDataError,
    StoreBusyError,
    UnknownFactKindError,
)
from services.ledger.exchange import MAX_TOTAL_LEGS, ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event, LoggedRecord
from services.ledger.new_exchange import NewExchange
from services.ledger.ports import Partition, ProjectionStore
from services.ledger.record_times import make_monotonic
from services.ledger.records import Record, Watermark
from services.ledger.state import Ledger
from services.ledger.times import SECOND, Instant
from services.ledger.wording import format_count


@dataclass(slots=True)
class _ProgrammeRecords:
    """A programme's records: exchanges that are new as it seems, and all others."""

    fresh: list[tuple[Record, NewExchange]] = field(default_factory=list)
    facts: list[LoggedRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slab:
    """Contiguous records of a partition, read, and by programme."""

    start_offset: int
    start_time: Instant
    watermark: Watermark
    programmes: dict[str, _ProgrammeRecords]


def project_slab(
    store: ProjectionStore,
    log_id: str,
    records: Sequence[Record],
    *,
    partition: int = 0,
    meter: Meter = NO_OP_METER,
) -> Watermark:
    """Projects contiguous records of a partition, or the first of them; how far it is then.

    Raises as `read_slab` and `write_slab`.
    """
    return write_slab(store, read_slab(log_id, records, partition=partition), meter)


# decision 0025: new exchanges take a fast path
def read_slab(
    log_id: str, records: Sequence[Record], *, partition: int = 0, previous_record_time: Instant = 0
) -> Slab:
    """Contiguous records of a partition, or the first of them, read; knows no read models.

    `since` is the time of the record before them, which none of theirs is earlier than. Raises Held
    when the first record needs a later version.
    """
    parts: dict[str, _ProgrammeRecords] = {}
    taken, legs, last = 0, 0, records[0]
    for record in make_monotonic(records, previous_record_time):
        fresh = read_new_exchange(record)
        try:
            logged = None if fresh else _read(record)
        except UnknownFactKindError:
            if taken:
                break
            raise
        legs += len(fresh.giver_ids) * len(fresh.receiver_ids) if fresh else _leg_count(logged)
        if taken and legs > MAX_TOTAL_LEGS:
            break
        part = parts.get(record.programme_id) or parts.setdefault(
            record.programme_id, _ProgrammeRecords()
        )
        if fresh:
            part.fresh.append((record, fresh))
        elif logged:
            part.facts.append(logged)
        taken, last = taken + 1, record
    start_time = max(previous_record_time, records[0].record_time)
    return Slab(records[0].offset, start_time, make_watermark(log_id, partition, last), parts)


def write_slab(store: ProjectionStore, slab: Slab, meter: Meter = NO_OP_METER) -> Watermark:
    """Folds what was read into the read models; how far the partition is then.

    Raises FencedWriterError when somebody else has moved the read models, StoreBusyError when the
    same may succeed later.
    """
    changes = [
        _project(store, programme_id, part) for programme_id, part in slab.programmes.items()
    ]
    began = time.perf_counter()
    try:
        store.commit(changes, slab.start_offset, slab.watermark)
    except StoreBusyError:
        meter.add(BUSY_SLABS, 1)
        raise
    meter.observe(COMMIT_SECONDS, time.perf_counter() - began)
    meter.observe(SLAB_FACTS, slab.watermark.next_offset - slab.start_offset)
    meter.observe(VISIBLE_SECONDS, max(0.0, time.time() - slab.watermark.record_time / SECOND))
    return slab.watermark


def _project(
    store: ProjectionStore, programme_id: str, part: _ProgrammeRecords
) -> ProgrammeChanges:
    """Lays out what nothing else concerns, and folds the rest."""
    facts, fresh, ledger = part.facts, part.fresh, Ledger()
    named = Counter(each.event_id for _, each in fresh)
    concerned = find_needs(facts).event_ids | store.find_used_event_ids(programme_id, named)
    if len(named) < len(fresh):
        concerned |= {event_id for event_id, count in named.items() if count > 1}
    left = set(named)
    while True:
        if not left.isdisjoint(concerned):
            met = [_read(record) for record, each in fresh if each.event_id in concerned]
            fresh = [pair for pair in fresh if pair[1].event_id not in concerned]
            facts = sorted(facts + met, key=lambda logged: logged.offset)
            left -= concerned
        needs = find_needs(facts)
        if facts:
            ledger = store.load(programme_id, needs)
        # A waiting fact that is released here may concern what no fact of the slab itself does.
        if left.isdisjoint(needs.event_ids):
            return project_records(programme_id, ledger, facts, [each for _, each in fresh])
        concerned = needs.event_ids


def _read(record: Record) -> LoggedRecord:
    return read_record(record.offset, record.record_time, record.programme_id, record.value)


def _leg_count(logged: LoggedRecord | None) -> int:
    match logged:
        case LoggedRecord(
            event=Event(
                fact=ExchangeRecorded(exchange=exchange) | ExchangeCorrected(exchange=exchange)
            )
        ):
            return exchange.leg_count
        case _:
            return 0


def make_watermark(log_id: str, partition: int, last: Record) -> Watermark:
    """The watermark of read models that reflect a partition up to `last`."""
    digest = sha256(last.value).digest()[:16]
    return Watermark(log_id, partition, last.offset + 1, last.record_time, digest)


def check_same_log(log: Partition, watermark: Watermark | None) -> None:
    """Raises ForeignDataError when the read models were not made from this log as it stands."""
    remedy = "mutua rebuild makes them again from the log"
    if watermark is None:
        return
    if watermark.log_id != log.log_id:
        raise ForeignDataError(f"the read models were made from another log; {remedy}")
    last = log.read(watermark.next_offset - 1, 1)
    if not last:
        raise ForeignDataError(
            f"the log ends at {log.end():,}, before the "
            f"{format_count(watermark.next_offset, 'fact')} the read models have seen: it "
            "was cut or "
            f"restored; if the log is right, {remedy}"
        )
    found = make_watermark(log.log_id, log.number, last[0])
    at = max(found.record_time, watermark.record_time)  # it may have been raised
    if replace(found, record_time=at) != watermark:
        raise ForeignDataError(
            "the log does not hold the fact that was projected last: it was changed or restored; "
            f"if the log is right, {remedy}"
        )


def check_not_rewound(found: Mapping[int, int], durable: Mapping[int, int]) -> None:
    """Raises FencedWriterError where the read models are behind what was projected here.

    A slab would find that out; but the next one may be long in coming.
    """
    for number, next_offset in durable.items():
        if (at := found.get(number, 0)) < next_offset:
            raise FencedWriterError(
                f"partition {number} is at offset {at} in the read models and was at "
                f"{next_offset}: they went back, to a backup or to a standby that was behind; "
                "projecting begins again from there"
            )
