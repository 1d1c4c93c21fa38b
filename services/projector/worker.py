"""The worker under Faust: projects the slabs of the partitions that are assigned to it.

It crashes rather than skips a record. An unexpected error ends the process; its process manager
restarts it, and it resumes at the positions of the read models. A record that fails every time is
held instead: its partition stops, and the other partitions continue.
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
from services.projector.projection_thread import (
    THREAD_COUNT,
    FencedProjectionStore,
    ProjectionThread,
)
from services.projector.slab import Slab, read_slab, write_slab
from services.projector.stall_detector import StallDetector
from services.projector.truncation_detector import (
    LogTruncatedError,
    ReplicatedLog,
    TruncationDetector,
)
from services.projector.watermarks import check_not_rewound, check_same_log, find_hold_reason

logger = logging.getLogger(__name__)

# decision 0096: one slab waits per partition
MIN_PREFETCH_RECORDS: Final = 500
"""Smaller slabs are not prefetched, because decoding them is faster than handing them to a thread.
Such slabs are merged with the slabs that follow."""
_RETRY_SECONDS: Final = 0.25


_T = TypeVar("_T")


# decision 0074: a failing record is found by bisection
class ProjectionFailedError(Exception):
    """Projecting failed at one record although the read models were available."""


class Worker:
    """Implements `faust_transport.PartitionOwner`.

    A reassignment waits until every running slab has committed. It takes the locks of all threads,
    so a slab never runs against positions that were loaded for a different assignment.
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
        """Takes callbacks instead of ending the process itself.

        `on_superseded` gets the reason when other read models have to be written; it stops the
        worker. `on_failure` gets the reason of a failure and ends the process; if it returns, the
        worker does nothing more.
        """
        self.next_offsets: dict[int, int] = {}
        self.holds: dict[int, Hold] = {}
        self._truncation = TruncationDetector(log)
        self._record_times: dict[int, Instant] = {}
        """The record time of the last projected record, by partition."""
        self._log = log
        self._open_store = open_store
        self._on_ready = on_ready
        self._on_superseded = on_superseded
        self._on_failure = on_failure
        self._meter = meter
        self._threads = [ProjectionThread(number) for number in range(THREAD_COUNT)]
        self._decoders: dict[int, Callable[[Any], Record]] = {}
        self._decoding_thread = ThreadPoolExecutor(1, "slab-reader")
        self._prefetched: dict[tuple[int, int], Future[Slab]] = {}
        """Slabs decoded while a database works outside of Python, by partition and first offset."""
        self._retried_offsets: dict[int, int] = {}
        """Offsets of records that failed before, by partition. They are retried once, because this
        process may be a later version, or the cause may be gone."""
        self._stalls = StallDetector()
        self._ready = False
        self._stopping = False
        self._store_problem = ""
        """Why the read models could not be written at the last attempt; "" when they could."""
        meter.add(BUSY_SLABS, 0)
        meter.watch(PROJECTOR_PARTITIONS, lambda: len(self.next_offsets))

    async def take_over(self, partitions: Collection[int]) -> None:
        await self._run(self._threads[0], lambda: self._load(sorted(partitions)))

    async def project(self, partition: int, records: Sequence[Any]) -> None:
        """Projects records of a partition; returns when they are durable, or the partition is held.

        Call it in offset order within a partition; several partitions may run concurrently.
        """
        await self._run(self._thread_of(partition), lambda: self._project(partition, records))

    async def resume_released(self) -> dict[int, int]:
        """Resumes partitions whose holds an operator released; returns their next offsets.

        It reads from the read models even when nothing is held. So an idle worker notices when
        they are unavailable or superseded.
        """
        resuming = [
            self._run(thread, partial(self._resume_released, thread)) for thread in self._threads
        ]
        return dict(
            chain.from_iterable(
                (offsets or {}).items() for offsets in await asyncio.gather(*resuming)
            )
        )

    def check_truncation(self) -> None:
        """Checks, after a change of leader, that the log holds the projected records.

        If not, it invalidates the watermark, so that no process resumes from it, and ends this
        process. Raises LogUnavailableError when the log does not answer. Call it again and again,
        on one thread.
        """
        try:
            self._truncation.check()
        except LogTruncatedError as error:
            number = error.partition
            with self._all_threads():
                self._retry_until_written(
                    lambda: self._thread_of(number).store.invalidate_watermark(number)
                )
                self.report_failure(error)

    def on_poll(self) -> None:
        self._stalls.record_poll()

    def on_fetch(self, partition: int, records: Sequence[Any]) -> None:
        next_offset = self.next_offsets.get(partition, 0)
        self._stalls.record_fetch(partition, records[-1].offset + 1, next_offset=next_offset)
        if len(records) >= MIN_PREFETCH_RECORDS and partition in self._decoders:
            place = partition, records[0].offset
            self._prefetched[place] = self._decoding_thread.submit(
                self._decode_slab, partition, records
            )

    def on_rebalance_end(self) -> None:
        if not self._ready:
            self._ready = True
            self._on_ready()

    def report_failure(self, reason: BaseException) -> None:
        if not self._stopping:
            is_expected = isinstance(reason, MutuaError | FencedWriterError | ProjectionFailedError)
            self._on_failure(str(reason) if is_expected else repr(reason))

    @property
    def unready_reason(self) -> str:
        """Why new facts of its partitions are not projected; "" when they are."""
        if not self._ready:
            return "no partitions are assigned to it yet"
        return "; ".join(hold.reason for hold in self.holds.values()) or self._store_problem

    def describe_stall(self, seconds: float, *, rebalancing: bool) -> str:
        """Says why this worker seems stuck, "" when it makes progress. Any thread may call it."""
        if self._stopping:
            return ""
        return self._stalls.describe_stall(
            self.next_offsets, self.holds, seconds, rebalancing=rebalancing
        )

    def stop(self) -> None:
        """Ignores failures from now on. Call it before Faust is stopped."""
        self._stopping = True

    def close(self) -> None:
        """Waits for running slabs and ends the threads."""
        for thread in self._threads:
            thread.executor.shutdown()
            thread.close()
        self._decoding_thread.shutdown()

    def _thread_of(self, partition: int) -> ProjectionThread:
        return self._threads[partition % THREAD_COUNT]

    async def _run(self, thread: ProjectionThread, work: Callable[[], _T]) -> _T | None:
        """Runs `work` on a projection thread; an exception ends the process."""
        try:
            return await asyncio.get_running_loop().run_in_executor(thread.executor, work)
        except SupersededReadModelsError as superseded:
            self._on_superseded(str(superseded))
            return None
        except Exception as error:
            logger.debug("the worker ends", exc_info=True)
            self.report_failure(error)
            return None

    def _load(self, partitions: Sequence[int]) -> None:
        """Loads positions and holds, and retries while the log or the read models are away."""
        while True:
            try:
                return self._load_positions(partitions)
            except (LogUnavailableError, StoreBusyError) as error:
                self._wait(error)

    def _load_positions(self, partitions: Sequence[int]) -> None:
        """Loads positions and holds. Raises ForeignDataError when the log is another one."""
        next_offsets: dict[int, int] = {}
        holds: dict[int, Hold] = {}
        retried_offsets: dict[int, int] = {}
        watermarks: list[Watermark] = []
        self._log.check_identity()
        epochs = self._log.leader_epochs()
        with self._all_threads():
            for thread in self._threads:
                thread.reopen(self._open_store)
            self._threads[0].store.fence(partitions)
            for number in partitions:
                store, partition = self._thread_of(number).store, self._log.get_partition(number)
                watermark = store.read_watermark(number)
                check_same_log(partition, watermark)
                next_offsets[number] = 0 if watermark is None else watermark.next_offset
                watermarks += [watermark] if watermark else []
                hold = store.read_hold(number)
                if hold is None:
                    continue
                if _is_over(hold, partition, next_offsets[number]):
                    store.delete_hold(number)
                elif hold.crash_count:
                    retried_offsets[number] = hold.offset
                else:
                    holds[number] = hold
            count = self._log.partition_count
            self._decoders = {number: make_record_reader(number, count) for number in partitions}
            self._stalls.forget(partitions)
            self._prefetched.clear()
            self.holds, self.next_offsets = holds, next_offsets
            self._retried_offsets = retried_offsets
            self._record_times = {mark.partition: mark.record_time for mark in watermarks}
            self._truncation.reset(epochs, partitions, watermarks)

    @contextmanager
    def _all_threads(self) -> Iterator[None]:
        with ExitStack() as locks:
            for thread in self._threads:
                locks.enter_context(thread.lock)
            yield

    def _project(self, partition: int, fetched_records: Sequence[Any]) -> None:
        thread = self._thread_of(partition)
        with thread.lock:
            next_offset = self.next_offsets.get(partition)
            if next_offset is None or partition in self.holds:
                return  # fetched for a previous assignment, or before the partition was held
            records = [record for record in fetched_records if record.offset >= next_offset]
            if not records:
                return
            prefetched = self._prefetched.pop((partition, fetched_records[0].offset), None)
            if len(records) < len(fetched_records):
                prefetched = None
            end = next_offset + len(records) - 1
            with slab_span(partition, records):
                if (records[0].offset, records[-1].offset) != (next_offset, end):
                    raise FencedWriterError(
                        f"partition {partition} is at offset {next_offset}, but the fetched "
                        f"records are {records[0].offset} to {records[-1].offset}, "
                        f"{len(records)} of them"
                    )
                try:
                    self._commit(thread.store, partition, records, prefetched)
                except UnknownFactKindError as error:
                    hold = Hold(partition, self.next_offsets[partition], str(error), 0)
                    self._hold(thread.store, hold)

    def _decode_slab(
        self, partition: int, records: Sequence[Any], previous_record_time: Instant = 0
    ) -> Slab:
        return read_slab(
            self._log.log_id,
            [*map(self._decoders[partition], records)],
            partition=partition,
            previous_record_time=previous_record_time,
        )

    def _commit(
        self,
        store: FencedProjectionStore,
        partition: int,
        records: Sequence[Any],
        prefetched: Future[Slab] | None = None,
    ) -> None:
        """Projects all records, in as many transactions as necessary."""
        while records:
            try:
                last_time = self._record_times.get(partition, 0)
                if prefetched is None:
                    slab = self._decode_slab(partition, records, last_time)
                else:
                    slab = prefetched.result()
                    if slab.start_time < last_time:  # it was decoded before that time was known
                        slab = self._decode_slab(partition, records, last_time)
                end = self._retry_until_written(partial(write_slab, store, slab, self._meter))
            except (FencedWriterError, UnknownFactKindError, StoreBusyError):
                raise
            except Exception as error:
                logger.info("projecting %d records failed", len(records), exc_info=True)
                self._bisect_failure(store, partition, records, error)
                return
            records, prefetched = records[end.next_offset - records[0].offset :], None
            self._truncation.add_watermark(end)
            self._record_times[partition] = end.record_time
            self.next_offsets[partition] = end.next_offset
            self._stalls.record_progress(partition)
            if self._retried_offsets.get(partition, end.next_offset) < end.next_offset:
                with suppress(StoreBusyError):  # the next slab deletes it
                    store.delete_hold(partition)
                    del self._retried_offsets[partition]

    def _bisect_failure(
        self, store: FencedProjectionStore, partition: int, records: Sequence[Any], error: Exception
    ) -> None:
        """Finds the record at which projecting fails, and saves a hold that counts the crash."""
        if len(records) > 1:
            middle = len(records) // 2
            self._commit(store, partition, records[:middle])
            if partition not in self.holds:
                self._commit(store, partition, records[middle:])
            return
        offset, previous_hold = records[0].offset, store.read_hold(partition)
        has_failed_before = previous_hold is not None and previous_hold.offset == offset
        count = previous_hold.crash_count + 1 if previous_hold and has_failed_before else 1
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
                "partition %d is held: %s; mutua topic release %d retries it",
                *(hold.partition, hold.reason, hold.partition),
            )

    def _resume_released(self, thread: ProjectionThread) -> dict[int, int]:
        """Resumes released partitions of one thread, without waiting for the other threads."""
        with thread.lock:
            next_offsets = {
                number: offset
                for number, offset in self.next_offsets.items()
                if self._thread_of(number) is thread
            }
            if not next_offsets:
                return {}
            try:
                thread.store.require_current()
                check_not_rewound(thread.store.read_positions(), next_offsets)
                held_partitions = [number for number in next_offsets if number in self.holds]
                released_partitions = [
                    number for number in held_partitions if thread.store.read_hold(number) is None
                ]
            except StoreBusyError as error:
                self._store_problem = str(error)
                return {}
            self._store_problem = ""
            self._stalls.forget(released_partitions)
            for number in released_partitions:
                del self.holds[number]
            return {number: next_offsets[number] for number in released_partitions}

    def _retry_until_written(self, write: Callable[[], _T]) -> _T:
        """Retries a write until the read models accept it; `describe_stall` limits the time."""
        while True:
            try:
                written = write()
            except StoreBusyError as error:
                self._wait(error)
            else:
                self._store_problem = ""
                return written

    def _wait(self, reason: Exception) -> None:
        """Waits before a retry. Raises `reason` once the worker is stopping."""
        if self._stopping:
            raise reason
        if self._store_problem != str(reason):
            logger.warning("projecting waits: %s", reason)
        self._store_problem = str(reason)
        threading.Event().wait(_RETRY_SECONDS)


# decision 0044: an unknown fact kind holds the partition
def _is_over(hold: Hold, partition: Partition, next_offset: int) -> bool:
    """Whether the partition is past the hold, or this version knows the fact kind."""
    return hold.offset != next_offset or (
        hold.crash_count == 0 and not find_hold_reason(partition, next_offset)
    )
