"""The worker under Faust: takes slabs of the partitions that are its own, and projects them.

It crashes rather than skips. Whatever goes wrong ends the process, and whoever started it starts it
again; it then goes on where the read models stand. Only what would go wrong again the same way is
held: one partition stands still, and the others go on.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

from services.adapters.kafka.topic import make_record_reader
from services.adapters.telemetry.metrics import BUSY_SLABS, NO_OP_METER, PROJECTOR_PARTITIONS, Meter
from services.adapters.telemetry.tracing import slab_span
from services.ledger.errors import (
    FencedWriterError,
    LogUnavailableError,
    MutuaError,
    StoreBusyError,
    SupersededReadModelsError,
    UnknownFactKindError,
)
from services.ledger.ports import Partition
from services.ledger.records import Hold, Record, Watermark
from services.ledger.times import Instant
from services.projector.embedded_projector import find_hold_reason
from services.projector.projection_thread import (
    THREAD_COUNT,
    FencedProjectionStore,
    ProjectionThread,
)
from services.projector.slab import Slab, check_not_rewound, check_same_log, read_slab, write_slab
from services.projector.stall_detector import StallDetector
from services.projector.truncation_detector import (
    LogTruncatedError,
    ReplicatedLog,
    TruncationDetector,
)

logger = logging.getLogger(__name__)

# decision 0096: one slab waits per partition
MIN_PREFETCH_RECORDS: Final = 500
"""Fewer are read faster than a thread is asked to, and projected together with what follows."""
_RETRY_SECONDS: Final = 0.25


_T = TypeVar("_T")


# decision 0074: a failing record is found by bisection
class ProjectionFailedError(Exception):
    """Not for want of the read models, but at a record; it may be the record's fault."""


class Worker:
    """See `faust_transport.Owner`.

    A seek waits for the slabs under way, and no slab runs with what was loaded for another owner:
    what changes the assignment holds the locks of all lanes.
    """

    def __init__(
        self,
        *,
        log: ReplicatedLog,
        open_store: Callable[[], FencedProjectionStore],
        on_ready: Callable[[], None],
        on_superseded: Callable[[str], None],
        on_failure: Callable[[str], None],
        meter: Meter = NO_OP_METER,
    ) -> None:
        """`on_superseded` has the worker stopped, as other read models are to be written: which.

        `on_failure` ends the process, with a reason; where it returns, nothing more is done.
        """
        self.next_offsets: dict[int, int] = {}
        self.holds: dict[int, Hold] = {}
        self._kept = TruncationDetector(log)
        self._times: dict[int, Instant] = {}
        """When what was projected last of a partition was recorded."""
        self._log = log
        self._open_store = open_store
        self._on_ready = on_ready
        self._on_superseded = on_superseded
        self._on_failure = on_failure
        self._meter = meter
        self._lanes = [ProjectionThread(number) for number in range(THREAD_COUNT)]
        self._read: dict[int, Callable[[Any], Record]] = {}
        self._reader = ThreadPoolExecutor(1, "slab-reader")
        self._ahead: dict[tuple[int, int], Future[Slab]] = {}
        """Read while a database works outside of Python; by partition and first offset."""
        self._failed: dict[int, int] = {}
        """Where projecting failed, of partitions in which it is tried once more: this may be a
        later version, or the cause may be gone."""
        self._pulse = StallDetector()
        self._ready = False
        self._stopping = False
        self._waiting_for = ""
        """What is amiss with the read models; "" when they can be written, as far as was seen."""
        meter.add(BUSY_SLABS, 0)
        meter.watch(PROJECTOR_PARTITIONS, lambda: len(self.next_offsets))

    async def take_over(self, partitions: Collection[int]) -> None:
        await self._run(self._lanes[0], lambda: self._load(sorted(partitions)))

    async def project(self, partition: int, records: Sequence[Any]) -> None:
        """Projects what aiokafka read of a partition; returns when it is durable, or held.

        To be called in the order of the partition; several partitions go on side by side.
        """
        await self._run(self._lane(partition), lambda: self._project(partition, records))

    async def resume_released(self) -> dict[int, int]:
        """Where the partitions go on that somebody has released; they are held no longer.

        Asks the read models also when nothing is held: so it is seen that they are away, or that
        others are to be written.
        """
        asked = [self._run(lane, partial(self._release, lane)) for lane in self._lanes]
        return dict(
            chain.from_iterable((each or {}).items() for each in await asyncio.gather(*asked))
        )

    def check_truncation(self) -> None:
        """Sees that the log holds what was projected of it, if another broker leads it by now.

        Otherwise ends the process, and nobody goes on with what is projected. Raises
        LogUnavailableError when the log cannot be asked. One thread looks, again and again.
        """
        try:
            self._kept.check()
        except LogTruncatedError as cut:
            number = cut.partition
            with self._all_lanes():
                self._insisted(lambda: self._lane(number).store.invalidate_watermark(number))
                self.report_failure(cut)

    def on_poll(self) -> None:
        self._pulse.record_poll()

    def on_fetch(self, partition: int, records: Sequence[Any]) -> None:
        next_offset = self.next_offsets.get(partition, 0)
        self._pulse.record_fetch(partition, records[-1].offset + 1, next_offset=next_offset)
        if len(records) >= MIN_PREFETCH_RECORDS and partition in self._read:
            place = partition, records[0].offset
            self._ahead[place] = self._reader.submit(self._slab, partition, records)

    def on_rebalance_end(self) -> None:
        if not self._ready:
            self._ready = True
            self._on_ready()

    def report_failure(self, reason: BaseException) -> None:
        if not self._stopping:
            told = isinstance(reason, MutuaError | FencedWriterError | ProjectionFailedError)
            self._on_failure(str(reason) if told else repr(reason))

    @property
    def unready_reason(self) -> str:
        """Why facts of its partitions are not projected as they come; "" when they are."""
        if not self._ready:
            return "it has not got its partitions yet"
        return "; ".join(hold.reason for hold in self.holds.values()) or self._waiting_for

    def describe_stall(self, seconds: float, *, rebalancing: bool) -> str:
        """Why it seems that this worker gets no further; "" when it does. Any thread."""
        if self._stopping:
            return ""
        return self._pulse.describe_stall(
            self.next_offsets, self.holds, seconds, rebalancing=rebalancing
        )

    def stop(self) -> None:
        """To be called before Faust is stopped: what it reports from then on is no failure."""
        self._stopping = True

    def close(self) -> None:
        """Ends after the slabs under way."""
        for lane in self._lanes:
            lane.executor.shutdown()
            lane.close()
        self._reader.shutdown()

    def _lane(self, partition: int) -> ProjectionThread:
        return self._lanes[partition % THREAD_COUNT]

    async def _run(self, lane: ProjectionThread, work: Callable[[], _T]) -> _T | None:
        """Runs it on the thread of a lane; what it raises ends the process."""
        try:
            return await asyncio.get_running_loop().run_in_executor(lane.executor, work)
        except SupersededReadModelsError as superseded:
            self._on_superseded(str(superseded))
            return None
        except Exception as error:
            logger.debug("the worker ends", exc_info=True)
            self.report_failure(error)
            return None

    def _load(self, partitions: Sequence[int]) -> None:
        """Reads where the partitions stand, however long the log or the read models are away."""
        while True:
            try:
                return self._look_up(partitions)
            except (LogUnavailableError, StoreBusyError) as away:
                self._wait(away)

    def _look_up(self, partitions: Sequence[int]) -> None:
        """Reads where the partitions stand, and whether that is of the log as it is."""
        durable: dict[int, int] = {}
        held: dict[int, Hold] = {}
        failed: dict[int, int] = {}
        marks: list[Watermark] = []
        self._log.check_identity()
        epochs = self._log.leader_epochs()
        with self._all_lanes():
            for lane in self._lanes:
                lane.reopen(self._open_store)
            self._lanes[0].store.fence(partitions)
            for number in partitions:
                store, partition = self._lane(number).store, self._log.get_partition(number)
                watermark = store.read_watermark(number)
                check_same_log(partition, watermark)
                durable[number] = 0 if watermark is None else watermark.next_offset
                marks += [watermark] if watermark else []
                hold = store.read_hold(number)
                if hold is None:
                    continue
                if _is_over(hold, partition, durable[number]):
                    store.delete_hold(number)
                elif hold.crash_count:
                    failed[number] = hold.offset
                else:
                    held[number] = hold
            count = self._log.partition_count
            self._read = {number: make_record_reader(number, count) for number in partitions}
            self._pulse.forget(partitions)
            self._ahead.clear()
            self.holds, self.next_offsets, self._failed = held, durable, failed
            self._times = {mark.partition: mark.record_time for mark in marks}
            self._kept.reset(epochs, partitions, marks)

    @contextmanager
    def _all_lanes(self) -> Iterator[None]:
        with ExitStack() as locks:
            for lane in self._lanes:
                locks.enter_context(lane.lock)
            yield

    def _project(self, partition: int, found: Sequence[Any]) -> None:
        lane = self._lane(partition)
        with lane.lock:
            self._project_with(lane.store, partition, found)

    def _project_with(
        self, store: FencedProjectionStore, partition: int, found: Sequence[Any]
    ) -> None:
        next_offset = self.next_offsets.get(partition)
        if next_offset is None or partition in self.holds:
            return  # fetched for an assignment that is over, or before it was held
        left = [each for each in found if each.offset >= next_offset]
        if not left:
            return
        ahead = self._ahead.pop((partition, found[0].offset), None)
        with slab_span(partition, left):
            self._project_from(
                store, partition, next_offset, left, ahead if len(left) == len(found) else None
            )

    def _project_from(
        self,
        store: FencedProjectionStore,
        partition: int,
        next_offset: int,
        left: Sequence[Any],
        ahead: Future[Slab] | None,
    ) -> None:
        if (left[0].offset, left[-1].offset) != (next_offset, next_offset + len(left) - 1):
            raise FencedWriterError(
                f"partition {partition} is to go on at offset {next_offset}, and the records that "
                f"came are {left[0].offset} to {left[-1].offset}, {len(left)} of them"
            )
        try:
            self._commit(store, partition, left, ahead)
        except UnknownFactKindError as held:
            self._hold(store, Hold(partition, self.next_offsets[partition], str(held), 0))

    def _slab(self, partition: int, records: Sequence[Any], since: Instant = 0) -> Slab:
        found = [*map(self._read[partition], records)]
        return read_slab(self._log.log_id, found, partition=partition, previous_record_time=since)

    def _commit(
        self,
        store: FencedProjectionStore,
        partition: int,
        records: Sequence[Any],
        ahead: Future[Slab] | None = None,
    ) -> None:
        """Projects all of the records, in as many transactions as it takes."""
        while records:
            try:
                since = self._times.get(partition, 0)
                slab = ahead.result() if ahead else self._slab(partition, records, since)
                if slab.start_time < since:  # it was read before that was known
                    slab = self._slab(partition, records, since)
                end = self._insisted(partial(write_slab, store, slab, self._meter))
            except (FencedWriterError, UnknownFactKindError, StoreBusyError):
                raise
            except Exception as error:
                logger.info("projecting %d records failed", len(records), exc_info=True)
                self._narrow(store, partition, records, error)
                return
            records, ahead = records[end.next_offset - records[0].offset :], None
            self._kept.add_watermark(end)
            self._times[partition], self.next_offsets[partition] = end.record_time, end.next_offset
            self._pulse.record_progress(partition)
            if self._failed.get(partition, end.next_offset) < end.next_offset:
                with suppress(StoreBusyError):  # the next slab says so again
                    store.delete_hold(partition)
                    del self._failed[partition]

    def _narrow(
        self, store: FencedProjectionStore, partition: int, records: Sequence[Any], error: Exception
    ) -> None:
        """Looks for the one record at which projecting fails, and counts that as a crash there."""
        if len(records) > 1:
            middle = len(records) // 2
            self._commit(store, partition, records[:middle])
            if partition not in self.holds:
                self._commit(store, partition, records[middle:])
            return
        offset, before = records[0].offset, store.read_hold(partition)
        count = before.crash_count + 1 if before is not None and before.offset == offset else 1
        reason = f"projecting failed at offset {offset} of partition {partition}: {error!r}"
        hold = Hold(partition, offset, reason, count)
        self._hold(store, hold)
        if not hold.is_permanent:
            raise ProjectionFailedError(reason) from error

    def _hold(self, store: FencedProjectionStore, hold: Hold) -> None:
        store.save_hold(hold)
        if hold.is_permanent:
            self.holds[hold.partition] = hold
            logger.error(
                "partition %d is held: %s; mutua topic release %d has it tried again",
                *(hold.partition, hold.reason, hold.partition),
            )

    def _release(self, lane: ProjectionThread) -> dict[int, int]:
        """Of one lane: whoever waited for all would let none go on meanwhile."""
        with lane.lock:
            mine = {
                number: at for number, at in self.next_offsets.items() if self._lane(number) is lane
            }
            if not mine:
                return {}
            try:
                lane.store.require_current()
                check_not_rewound(lane.store.read_positions(), mine)
                holds = {
                    number: lane.store.read_hold(number) for number in mine if number in self.holds
                }
            except StoreBusyError as busy:
                self._waiting_for = str(busy)
                return {}
            self._waiting_for = ""
            released = [number for number, hold in holds.items() if hold is None]
            self._pulse.forget(released)
            for number in released:
                del self.holds[number]
            return {number: self.next_offsets[number] for number in released}

    def _insisted(self, write: Callable[[], _T]) -> _T:
        """What is written to the read models, however long that takes.

        `stuck` ends it when it is too long.
        """
        while True:
            try:
                written = write()
            except StoreBusyError as busy:
                self._wait(busy)
            else:
                self._waiting_for = ""
                return written

    def _wait(self, reason: Exception) -> None:
        """Raises the reason when it is time to stop: what waits is done by the next process."""
        if self._stopping:
            raise reason
        if self._waiting_for != str(reason):
            logger.warning("projecting waits: %s", reason)
        self._waiting_for = str(reason)
        threading.Event().wait(_RETRY_SECONDS)


# decision 0044: an unknown fact kind holds the partition
def _is_over(hold: Hold, partition: Partition, next_offset: int) -> bool:
    """Whether the partition went past it, or this is the later version that was waited for."""
    return hold.offset != next_offset or (
        hold.crash_count == 0 and not find_hold_reason(partition, next_offset)
    )
