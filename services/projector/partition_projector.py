"""Projects one partition, and has everything that a worker knows about it."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any

from services.adapters.telemetry.metrics import NO_OP_METER, Meter
from services.adapters.telemetry.tracing import slab_span
from services.ledger.errors import (
    FencedWriterError,
    MutuaError,
    StoreBusyError,
    UnknownFactKindError,
)
from services.ledger.ports import Partition
from services.ledger.records import Hold, Record, Watermark
from services.ledger.times import Instant
from services.projector.projection_thread import ProjectionThread
from services.projector.slab import Slab, read_slab, write_slab
from services.projector.watermarks import check_log_holds_watermark, find_hold_reason

logger = logging.getLogger(__name__)


# decision 0074: a failing record is found by bisection
class ProjectionFailedError(MutuaError):
    """Projecting failed at one record although the read models were available."""


class PartitionProjector:
    """Projects a partition during one assignment; the next assignment makes a new one.

    Hold the lock of its thread to create it, and to call `project` and `release`. Any thread may
    call and read the rest, which takes no locks.
    """

    def __init__(
        self,
        partition: Partition,
        thread: ProjectionThread,
        *,
        leader_epoch: int | None,
        read_record: Callable[[Any], Record],
        retry: Callable[[Callable[[], Watermark]], Watermark],
        meter: Meter = NO_OP_METER,
    ) -> None:
        """Loads position and hold. Raises ForeignDataError when the log is another one.

        `leader_epoch` was read before. `read_record` converts a fetched message, and `retry`
        repeats a write until the read models accept it.
        """
        self.number = partition.number
        self._log_id = partition.log_id
        self._thread = thread
        self._read_record = read_record
        self._retry = retry
        self._meter = meter
        watermark = thread.store.read_watermark(self.number)
        check_log_holds_watermark(partition, watermark)
        self.next_offset = 0 if watermark is None else watermark.next_offset
        self._record_time: Instant = 0 if watermark is None else watermark.record_time
        """The record time of the last projected record."""
        self.leader_epoch = leader_epoch
        """The epoch of the partition's leader when the log was compared with `watermarks`."""
        self.watermarks = deque(() if watermark is None else (watermark,))
        """The watermarks since that comparison, and the last one before it."""
        hold = thread.store.read_hold(self.number)
        if hold is not None and _is_over(hold, partition, self.next_offset):
            thread.store.delete_hold(self.number)
            hold = None
        self._retried_offset = hold.offset if hold is not None and hold.failure_count else None
        """Offset of a record that failed before. This process tries it again, because it may be a
        later version, or the cause may be gone."""
        self.hold = hold if self._retried_offset is None else None
        self._prefetched: dict[int, Future[Slab]] = {}
        """Slabs decoded while a database works outside of Python, by first offset."""
        self._fetched_end = 0
        """The end of the fetched records; 0 when none was fetched."""
        self._progress_time = time.monotonic()

    def add_fetched(self, records: Sequence[Any]) -> None:
        """Notes that these records wait to be projected."""
        if self._fetched_end <= self.next_offset:
            self._progress_time = time.monotonic()
        self._fetched_end = records[-1].offset + 1

    def prefetch(self, records: Sequence[Any], decoding_thread: Executor) -> None:
        """Decodes the records before it is their turn."""
        self._prefetched[records[0].offset] = decoding_thread.submit(self._decode, records)

    def is_stalled(self, seconds: float) -> bool:
        """Whether fetched records wait and none was projected for `seconds`.

        A held partition is not expected to make progress.
        """
        is_behind = self.hold is None and self._fetched_end > self.next_offset
        return is_behind and time.monotonic() - self._progress_time > seconds

    def project(self, fetched_records: Sequence[Any]) -> None:
        """Projects records, in as many transactions as necessary.

        Returns when they are durable, or the partition is held. Raises FencedWriterError when
        records are missing or another writer moved the position, and ProjectionFailedError when a
        record failed that is worth another try.
        """
        prefetched = self._prefetched.pop(fetched_records[0].offset, None)
        records = [record for record in fetched_records if record.offset >= self.next_offset]
        if not records or self.hold is not None:
            return  # fetched for a previous assignment, or before the partition was held
        if len(records) < len(fetched_records):
            prefetched = None
        with slab_span(self.number, records):
            end = self.next_offset + len(records) - 1
            if (records[0].offset, records[-1].offset) != (self.next_offset, end):
                raise FencedWriterError(
                    f"partition {self.number} is at offset {self.next_offset}, but the fetched "
                    f"records are {records[0].offset} to {records[-1].offset}, "
                    f"{len(records)} of them"
                )
            while records:
                try:
                    slab = prefetched.result() if prefetched else self._decode(records)
                    if slab.start_time < self._record_time:  # decoded before that time was known
                        slab = self._decode(records)
                    write = partial(write_slab, self._thread.store, slab, self._meter)
                    watermark = self._retry(write)
                except (FencedWriterError, StoreBusyError):
                    raise
                except UnknownFactKindError as error:
                    self._save_hold(Hold(self.number, self.next_offset, str(error), 0))
                    return
                except Exception as error:
                    logger.info("projecting %d records failed", len(records), exc_info=True)
                    if len(records) == 1:
                        self._count_failure(error)
                        return
                    middle = len(records) // 2
                    self.project(records[:middle])
                    self.project(records[middle:])
                    return
                self._advance(watermark)
                records = records[self.next_offset - records[0].offset :]
                prefetched = None

    def release(self) -> None:
        """Ends the hold. What was fetched so far is fetched again."""
        self._fetched_end = 0
        self._prefetched.clear()
        self.hold = None

    def _decode(self, records: Sequence[Any]) -> Slab:
        return read_slab(
            self._log_id,
            [*map(self._read_record, records)],
            partition=self.number,
            previous_record_time=self._record_time,
        )

    def _advance(self, watermark: Watermark) -> None:
        """Notes a committed slab, and deletes the hold of a record that no longer fails."""
        self.watermarks.append(watermark)
        self._record_time = watermark.record_time
        self._progress_time = time.monotonic()
        self.next_offset = watermark.next_offset
        if self._retried_offset is not None and self._retried_offset < self.next_offset:
            with suppress(StoreBusyError):  # the next slab deletes it
                self._thread.store.delete_hold(self.number)
                self._retried_offset = None

    def _count_failure(self, error: Exception) -> None:
        """Counts a failure at the next record. Raises ProjectionFailedError until it is held."""
        offset, previous_hold = self.next_offset, self._thread.store.read_hold(self.number)
        has_failed_before = previous_hold is not None and previous_hold.offset == offset
        count = previous_hold.failure_count + 1 if previous_hold and has_failed_before else 1
        reason = f"projecting failed at offset {offset} of partition {self.number}: {error!r}"
        hold = Hold(self.number, offset, reason, count)
        self._save_hold(hold)
        if not hold.stops_partition:
            raise ProjectionFailedError(reason) from error

    def _save_hold(self, hold: Hold) -> None:
        self._thread.store.save_hold(hold)
        if hold.stops_partition:
            self.hold = hold
            logger.error(
                "partition %d is held: %s; mutua topic release %d retries it",
                *(hold.partition, hold.reason, hold.partition),
            )


# decision 0044: an unknown fact kind holds the partition
def _is_over(hold: Hold, partition: Partition, next_offset: int) -> bool:
    """Whether the partition is past the hold, or this version knows the fact kind."""
    return hold.offset != next_offset or (
        hold.failure_count == 0 and not find_hold_reason(partition, next_offset)
    )
