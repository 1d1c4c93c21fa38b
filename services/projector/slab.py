"""Slabs: decoding, folding by programme, and writing them together with the position."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

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
from services.ledger.errors import StoreBusyError, UnknownFactKindError
from services.ledger.exchange import MAX_TOTAL_LEGS, ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event, LoggedRecord
from services.ledger.new_exchange import NewExchange
from services.ledger.ports import ProjectionStore
from services.ledger.record_times import make_monotonic
from services.ledger.records import Record, Watermark
from services.ledger.state import Ledger
from services.ledger.times import SECOND, Instant
from services.projector.watermarks import make_watermark


@dataclass(slots=True)
class _ProgrammeRecords:
    """The records of one programme in a slab."""

    new_exchange_candidates: list[tuple[Record, NewExchange]] = field(default_factory=list)
    facts: list[LoggedRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slab:
    """Contiguous records of one partition, decoded and grouped by programme."""

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
    """Projects a prefix of contiguous records and returns the new watermark.

    Raises as `read_slab` and `write_slab` do.
    """
    return write_slab(store, read_slab(log_id, records, partition=partition), meter)


# decision 0025: new exchanges take a fast path
def read_slab(
    log_id: str, records: Sequence[Record], *, partition: int = 0, previous_record_time: Instant = 0
) -> Slab:
    """Decodes a prefix of contiguous records, up to the limit of legs in one transaction.

    Record times are raised to at least `previous_record_time`, the time of the record before them.
    Raises UnknownFactKindError when the first record needs a later version. Reads no read models.
    """
    programmes: dict[str, _ProgrammeRecords] = {}
    record_count, legs, last = 0, 0, records[0]
    for record in make_monotonic(records, previous_record_time):
        candidate = read_new_exchange(record)
        try:
            logged = None if candidate else _read(record)
        except UnknownFactKindError:
            if record_count:
                break
            raise
        if candidate:
            legs += len(candidate.giver_ids) * len(candidate.receiver_ids)
        else:
            legs += _leg_count(logged)
        if record_count and legs > MAX_TOTAL_LEGS:
            break
        part = programmes.get(record.programme_id) or programmes.setdefault(
            record.programme_id, _ProgrammeRecords()
        )
        if candidate:
            part.new_exchange_candidates.append((record, candidate))
        elif logged:
            part.facts.append(logged)
        record_count, last = record_count + 1, record
    start_time = max(previous_record_time, records[0].record_time)
    return Slab(records[0].offset, start_time, make_watermark(log_id, partition, last), programmes)


def write_slab(store: ProjectionStore, slab: Slab, meter: Meter = NO_OP_METER) -> Watermark:
    """Folds a slab into the read models in one transaction and returns the new watermark.

    Raises FencedWriterError when another writer moved the position, StoreBusyError when a retry may
    succeed. Nothing is written then.
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
    """Projects new exchanges without their state, and folds all records that need state.

    A record needs state when another record, stored or in this slab, concerns the same id.
    """
    records, candidates, ledger = part.facts, part.new_exchange_candidates, Ledger()
    id_counts = Counter(exchange.event_id for _, exchange in candidates)
    concerned_ids = find_needs(records).event_ids
    concerned_ids |= store.find_used_event_ids(programme_id, id_counts)
    if len(id_counts) < len(candidates):
        concerned_ids |= {event_id for event_id, count in id_counts.items() if count > 1}
    candidate_ids = set(id_counts)
    while True:
        if not candidate_ids.isdisjoint(concerned_ids):
            concerned_records = [
                _read(record)
                for record, exchange in candidates
                if exchange.event_id in concerned_ids
            ]
            candidates = [pair for pair in candidates if pair[1].event_id not in concerned_ids]
            records = sorted(records + concerned_records, key=lambda record: record.offset)
            candidate_ids -= concerned_ids
        needs = find_needs(records)
        if records:
            ledger = store.load(programme_id, needs)
        # The ledger's waiting facts may concern ids that no record of the slab names.
        if candidate_ids.isdisjoint(needs.event_ids):
            exchanges = [exchange for _, exchange in candidates]
            return project_records(programme_id, ledger, records, exchanges)
        concerned_ids = needs.event_ids


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
