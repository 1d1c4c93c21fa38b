"""The worker under Faust: projects the slabs of the partitions that are assigned to it.

It crashes rather than skips a record. An unexpected error ends the process; its process manager
restarts it, and it resumes at the positions of the read models. A record that fails every time is
held instead: its partition stops, and the other partitions continue.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

from services.adapters.kafka.topic import make_record_reader
from services.adapters.telemetry.metrics import BUSY_SLABS, NO_OP_METER, PROJECTOR_PARTITIONS, Meter
from services.ledger.errors import (
    LogUnavailableError,
    MutuaError,
    StoreBusyError,
    SupersededReadModelsError,
)
from services.ledger.records import Hold
from services.projector.partition_projector import PartitionProjector
from services.projector.projection_thread import (
    THREAD_COUNT,
    FencedProjectionStore,
    ProjectionThread,
)
from services.projector.truncation import LogTruncatedError, ReplicatedLog, check_not_truncated
from services.projector.watermarks import check_not_rewound

logger = logging.getLogger(__name__)

# decision 0096: one slab waits per partition
MIN_PREFETCH_RECORDS: Final = 500
"""Smaller slabs are not prefetched, because decoding them is faster than handing them to a thread.
They wait to be merged with the slabs that follow."""
_RETRY_SECONDS: Final = 0.25
_REBALANCE_FACTOR: Final = 4
"""Factor on the time limit during a rebalance, which waits for dead members and does not poll."""

_T = TypeVar("_T")


class Worker:
    """Projects the partitions that Kafka assigns to this process, each by a `PartitionProjector`.

    It implements `faust_transport.PartitionOwner`. A reassignment waits until every running slab
    has committed. It takes the locks of all threads, so a slab never runs against positions that
    were loaded for a different assignment.
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
        min_prefetch_records: int = MIN_PREFETCH_RECORDS,
    ) -> None:
        """Takes callbacks instead of ending the process itself.

        `on_superseded` gets the reason when other read models have to be written; it stops the
        worker. `on_failure` gets the reason of a failure and ends the process; if it returns, the
        worker does nothing more.
        """
        self.partitions: dict[int, PartitionProjector] = {}
        """The assigned partitions. An assignment replaces it, and does not change it."""
        self._log = log
        self._open_store = open_store
        self._on_ready = on_ready
        self._on_superseded = on_superseded
        self._on_failure = on_failure
        self._meter = meter
        self._threads = [ProjectionThread(number) for number in range(THREAD_COUNT)]
        self._decoding_thread = ThreadPoolExecutor(1, "slab-reader")
        self._min_prefetch_records = min_prefetch_records
        self._poll_time = time.monotonic()
        self._ready = False
        self._stopping = False
        self._store_problem = ""
        """Why the log or the read models were unavailable at the last attempt, "" if available."""
        meter.add(BUSY_SLABS, 0)
        meter.watch(PROJECTOR_PARTITIONS, lambda: len(self.partitions))

    @property
    def next_offsets(self) -> dict[int, int]:
        return {number: partition.next_offset for number, partition in self.partitions.items()}

    @property
    def holds(self) -> dict[int, Hold]:
        return {
            number: hold
            for number, partition in self.partitions.items()
            if (hold := partition.hold) is not None
        }

    async def take_over(self, partitions: Collection[int]) -> None:
        load = partial(self._load, sorted(partitions))
        await self._run(self._threads[0], lambda: self._retry(load))

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
        process. Raises LogUnavailableError when the log does not answer. Call it regularly, on one
        thread.
        """
        try:
            check_not_truncated(self._log, self.partitions.values())
        except LogTruncatedError as error:
            number = error.partition
            with self._all_threads():
                self._retry(lambda: self._thread_of(number).store.invalidate_watermark(number))
                self.report_failure(error)

    def on_poll(self) -> None:
        self._poll_time = time.monotonic()

    def on_fetch(self, partition: int, records: Sequence[Any]) -> None:
        projector = self.partitions.get(partition)
        if projector is not None:
            projector.add_fetched(records)
            if len(records) >= self._min_prefetch_records:
                projector.prefetch(records, self._decoding_thread)

    def on_rebalance_end(self) -> None:
        if not self._ready:
            self._ready = True
            self._on_ready()

    def report_failure(self, reason: BaseException) -> None:
        if not self._stopping:
            is_expected = isinstance(reason, MutuaError)
            self._on_failure(str(reason) if is_expected else repr(reason))

    @property
    def unready_reason(self) -> str:
        """Why new facts of its partitions are not projected; "" when they are."""
        if not self._ready:
            return "no partitions are assigned to it yet"
        return "; ".join(hold.reason for hold in self.holds.values()) or self._store_problem

    def describe_stall(self, seconds: float, *, rebalancing: bool) -> str:
        """Says why this worker seems stuck, "" when it makes progress or is stopping.

        It takes no locks, so any thread can call it while all other threads hang.
        """
        expected = [each for each in self.partitions.values() if each.hold is None]
        if self._stopping or not expected:
            return ""
        for partition in expected:
            if partition.is_stalled(seconds):
                return (
                    f"partition {partition.number} has been at offset {partition.next_offset} for "
                    f"{seconds:g} s"
                )
        patience = seconds * (_REBALANCE_FACTOR if rebalancing else 1)
        if time.monotonic() - self._poll_time > patience:
            return f"the consumer has not answered for {patience:g} s"
        return ""

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
            logger.debug("the projector process ends", exc_info=True)
            self.report_failure(error)
            return None

    def _load(self, partitions: Sequence[int]) -> None:
        """Loads positions and holds. Raises ForeignDataError when the log is another one."""
        self._log.check_identity()
        leader_epochs = self._log.leader_epochs()
        with self._all_threads():
            for thread in self._threads:
                thread.reopen(self._open_store)
            self._threads[0].store.fence(partitions)
            self.partitions = {
                number: PartitionProjector(
                    self._log.get_partition(number),
                    self._thread_of(number),
                    leader_epoch=leader_epochs.get(number),
                    read_record=make_record_reader(number, self._log.partition_count),
                    retry=self._retry,
                    meter=self._meter,
                )
                for number in partitions
            }

    @contextmanager
    def _all_threads(self) -> Iterator[None]:
        with ExitStack() as locks:
            for thread in self._threads:
                locks.enter_context(thread.lock)
            yield

    def _project(self, number: int, records: Sequence[Any]) -> None:
        with self._thread_of(number).lock:
            partition = self.partitions.get(number)
            if partition is not None:  # else it was revoked since these records were fetched
                partition.project(records)

    def _resume_released(self, thread: ProjectionThread) -> dict[int, int]:
        """Resumes released partitions of one thread, without waiting for the other threads."""
        with thread.lock:
            partitions = [
                partition
                for number, partition in self.partitions.items()
                if self._thread_of(number) is thread
            ]
            if not partitions:
                return {}
            next_offsets = {partition.number: partition.next_offset for partition in partitions}
            try:
                thread.store.require_current()
                check_not_rewound(thread.store.read_positions(), next_offsets)
                released_partitions = [
                    partition
                    for partition in partitions
                    if partition.hold and thread.store.read_hold(partition.number) is None
                ]
            except StoreBusyError as error:
                self._store_problem = str(error)
                return {}
            self._store_problem = ""
            for partition in released_partitions:
                partition.release()
            return {partition.number: partition.next_offset for partition in released_partitions}

    def _retry(self, work: Callable[[], _T]) -> _T:
        """Retries until the log and the read models are available, or the worker is stopping.

        `describe_stall` limits the time that a slab takes.
        """
        while True:
            try:
                result = work()
            except (LogUnavailableError, StoreBusyError) as error:
                if self._stopping:
                    raise
                if self._store_problem != str(error):
                    logger.warning("projecting waits: %s", error)
                self._store_problem = str(error)
                threading.Event().wait(_RETRY_SECONDS)
            else:
                self._store_problem = ""
                return result
