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

from services.adapters.kafka_topic import record_reader
from services.adapters.tracing import slab_span
from services.ledger.errors import LogDown, MutuaError
from services.ledger.ports import (
    Held,
    Hold,
    Partition,
    Record,
    StaleWriter,
    StoreBusy,
    Superseded,
    Watermark,
)
from services.ledger.times import Instant
from services.metrics import BUSY, PARTITIONS, UNMEASURED, Meter
from services.projector.embedded import why_held
from services.projector.kept import Kept, Log, LogCut
from services.projector.lane import LANES, Lane, Store
from services.projector.pulse import Pulse
from services.projector.slab import Slab, check_same_log, check_went_forward, read_slab, write_slab

logger = logging.getLogger(__name__)

WORTH_RECORDS: Final = 500
"""Fewer are read faster than a thread is asked to, and projected together with what follows."""
_RETRY_SECONDS: Final = 0.25


_T = TypeVar("_T")


class ProjectingFailed(Exception):
    """Not for want of the read models, but at a record; it may be the record's fault."""


class Worker:
    """See `faust_transport.Owner`.

    A seek waits for the slabs under way, and no slab runs with what was loaded for another owner:
    what changes the assignment holds the locks of all lanes.
    """

    def __init__(
        self,
        *,
        log: Log,
        open_store: Callable[[], Store],
        on_ready: Callable[[], None],
        on_superseded: Callable[[str], None],
        on_failure: Callable[[str], None],
        meter: Meter = UNMEASURED,
    ) -> None:
        """`on_superseded` has the worker stopped, as other read models are to be written: which.

        `on_failure` ends the process, with a reason; where it returns, nothing more is done.
        """
        self.durable: dict[int, int] = {}
        self.held: dict[int, Hold] = {}
        self._kept = Kept(log)
        self._times: dict[int, Instant] = {}
        """When what was projected last of a partition was recorded."""
        self._log = log
        self._open_store = open_store
        self._on_ready = on_ready
        self._on_superseded = on_superseded
        self._on_failure = on_failure
        self._meter = meter
        self._lanes = [Lane(number) for number in range(LANES)]
        self._read: dict[int, Callable[[Any], Record]] = {}
        self._reader = ThreadPoolExecutor(1, "slab-reader")
        self._ahead: dict[tuple[int, int], Future[Slab]] = {}
        """Read while a database works outside of Python; by partition and first offset."""
        self._failed: dict[int, int] = {}
        """Where projecting failed, of partitions in which it is tried once more: this may be a
        later version, or the cause may be gone."""
        self._pulse = Pulse()
        self._ready = False
        self._stopping = False
        self._waiting_for = ""
        """What is amiss with the read models; "" when they can be written, as far as was seen."""
        meter.add(BUSY, 0)
        meter.watch(PARTITIONS, lambda: len(self.durable))

    async def take_over(self, partitions: Collection[int]) -> None:
        await self._run(self._lanes[0], lambda: self._load(sorted(partitions)))

    async def project(self, partition: int, records: Sequence[Any]) -> None:
        """Projects what aiokafka read of a partition; returns when it is durable, or held.

        To be called in the order of the partition; several partitions go on side by side.
        """
        await self._run(self._lane(partition), lambda: self._project(partition, records))

    async def released(self) -> dict[int, int]:
        """Where the partitions go on that somebody has released; they are held no longer.

        Asks the read models also when nothing is held: so it is seen that they are away, or that
        others are to be written.
        """
        asked = [self._run(lane, partial(self._release, lane)) for lane in self._lanes]
        return dict(
            chain.from_iterable((each or {}).items() for each in await asyncio.gather(*asked))
        )

    def look(self) -> None:
        """Sees that the log holds what was projected of it, if another broker leads it by now.

        Otherwise ends the process, and nobody goes on with what is projected. Raises LogDown when
        the log cannot be asked. One thread looks, again and again.
        """
        try:
            self._kept.look()
        except LogCut as cut:
            number = cut.partition
            with self._all_lanes():
                self._insisted(lambda: self._lane(number).store.disown(number))
                self.failed(cut)

    def polled(self) -> None:
        self._pulse.polled()

    def fetched(self, partition: int, records: Sequence[Any]) -> None:
        next_offset = self.durable.get(partition, 0)
        self._pulse.fetched(partition, records[-1].offset + 1, next_offset=next_offset)
        if len(records) >= WORTH_RECORDS and partition in self._read:
            place = partition, records[0].offset
            self._ahead[place] = self._reader.submit(self._slab, partition, records)

    def settled(self) -> None:
        if not self._ready:
            self._ready = True
            self._on_ready()

    def failed(self, reason: BaseException) -> None:
        if not self._stopping:
            told = isinstance(reason, MutuaError | StaleWriter | ProjectingFailed)
            self._on_failure(str(reason) if told else repr(reason))

    @property
    def unready(self) -> str:
        """Why facts of its partitions are not projected as they come; "" when they are."""
        if not self._ready:
            return "it has not got its partitions yet"
        return "; ".join(hold.reason for hold in self.held.values()) or self._waiting_for

    def stuck(self, seconds: float, *, rebalancing: bool) -> str:
        """Why it seems that this worker gets no further; "" when it does. Any thread."""
        if self._stopping:
            return ""
        return self._pulse.stuck(self.durable, self.held, seconds, rebalancing=rebalancing)

    def stop(self) -> None:
        """To be called before Faust is stopped: what it reports from then on is no failure."""
        self._stopping = True

    def close(self) -> None:
        """Ends after the slabs under way."""
        for lane in self._lanes:
            lane.thread.shutdown()
            lane.close()
        self._reader.shutdown()

    def _lane(self, partition: int) -> Lane:
        return self._lanes[partition % LANES]

    async def _run(self, lane: Lane, work: Callable[[], _T]) -> _T | None:
        """Runs it on the thread of a lane; what it raises ends the process."""
        try:
            return await asyncio.get_running_loop().run_in_executor(lane.thread, work)
        except Superseded as superseded:
            self._on_superseded(str(superseded))
            return None
        except Exception as error:
            logger.debug("the worker ends", exc_info=True)
            self.failed(error)
            return None

    def _load(self, partitions: Sequence[int]) -> None:
        """Reads where the partitions stand, however long the log or the read models are away."""
        while True:
            try:
                return self._look_up(partitions)
            except (LogDown, StoreBusy) as away:
                self._wait(away)

    def _look_up(self, partitions: Sequence[int]) -> None:
        """Reads where the partitions stand, and whether that is of the log as it is."""
        durable: dict[int, int] = {}
        held: dict[int, Hold] = {}
        failed: dict[int, int] = {}
        marks: list[Watermark] = []
        self._log.check_same()
        epochs = self._log.epochs()
        with self._all_lanes():
            for lane in self._lanes:
                lane.reopen(self._open_store)
            self._lanes[0].store.fence(partitions)
            for number in partitions:
                store, partition = self._lane(number).store, self._log.partition(number)
                watermark = store.watermark(number)
                check_same_log(partition, watermark)
                durable[number] = 0 if watermark is None else watermark.next_offset
                marks += [watermark] if watermark else []
                hold = store.held(number)
                if hold is None:
                    continue
                if _is_over(hold, partition, durable[number]):
                    store.release(number)
                elif hold.crash_count:
                    failed[number] = hold.offset
                else:
                    held[number] = hold
            count = self._log.partition_count
            self._read = {number: record_reader(number, count) for number in partitions}
            self._pulse.forget(partitions)
            self._ahead.clear()
            self.held, self.durable, self._failed = held, durable, failed
            self._times = {mark.partition: mark.record_time for mark in marks}
            self._kept.begin(epochs, partitions, marks)

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

    def _project_with(self, store: Store, partition: int, found: Sequence[Any]) -> None:
        next_offset = self.durable.get(partition)
        if next_offset is None or partition in self.held:
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
        store: Store,
        partition: int,
        next_offset: int,
        left: Sequence[Any],
        ahead: Future[Slab] | None,
    ) -> None:
        if (left[0].offset, left[-1].offset) != (next_offset, next_offset + len(left) - 1):
            raise StaleWriter(
                f"partition {partition} is to go on at offset {next_offset}, and the records that "
                f"came are {left[0].offset} to {left[-1].offset}, {len(left)} of them"
            )
        try:
            self._commit(store, partition, left, ahead)
        except Held as held:
            self._hold(store, Hold(partition, self.durable[partition], str(held), 0))

    def _slab(self, partition: int, records: Sequence[Any], since: Instant = 0) -> Slab:
        found = [*map(self._read[partition], records)]
        return read_slab(self._log.log_id, found, partition=partition, since=since)

    def _commit(
        self,
        store: Store,
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
            except (StaleWriter, Held, StoreBusy):
                raise
            except Exception as error:
                logger.info("projecting %d records failed", len(records), exc_info=True)
                self._narrow(store, partition, records, error)
                return
            records, ahead = records[end.next_offset - records[0].offset :], None
            self._kept.add(end)
            self._times[partition], self.durable[partition] = end.record_time, end.next_offset
            self._pulse.moved(partition)
            if self._failed.get(partition, end.next_offset) < end.next_offset:
                with suppress(StoreBusy):  # the next slab says so again
                    store.release(partition)
                    del self._failed[partition]

    def _narrow(
        self, store: Store, partition: int, records: Sequence[Any], error: Exception
    ) -> None:
        """Looks for the one record at which projecting fails, and counts that as a crash there."""
        if len(records) > 1:
            middle = len(records) // 2
            self._commit(store, partition, records[:middle])
            if partition not in self.held:
                self._commit(store, partition, records[middle:])
            return
        offset, before = records[0].offset, store.held(partition)
        count = before.crash_count + 1 if before is not None and before.offset == offset else 1
        reason = f"projecting failed at offset {offset} of partition {partition}: {error!r}"
        hold = Hold(partition, offset, reason, count)
        self._hold(store, hold)
        if not hold.stands:
            raise ProjectingFailed(reason) from error

    def _hold(self, store: Store, hold: Hold) -> None:
        store.hold(hold)
        if hold.stands:
            self.held[hold.partition] = hold
            logger.error(
                "partition %d is held: %s; mutua topic release %d has it tried again",
                *(hold.partition, hold.reason, hold.partition),
            )

    def _release(self, lane: Lane) -> dict[int, int]:
        """Of one lane: whoever waited for all would let none go on meanwhile."""
        with lane.lock:
            mine = {number: at for number, at in self.durable.items() if self._lane(number) is lane}
            if not mine:
                return {}
            try:
                lane.store.require_current()
                check_went_forward(lane.store.positions(), mine)
                holds = {number: lane.store.held(number) for number in mine if number in self.held}
            except StoreBusy as busy:
                self._waiting_for = str(busy)
                return {}
            self._waiting_for = ""
            released = [number for number, hold in holds.items() if hold is None]
            self._pulse.forget(released)
            for number in released:
                del self.held[number]
            return {number: self.durable[number] for number in released}

    def _insisted(self, write: Callable[[], _T]) -> _T:
        """What is written to the read models, however long that takes.

        `stuck` ends it when it is too long.
        """
        while True:
            try:
                written = write()
            except StoreBusy as busy:
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


def _is_over(hold: Hold, partition: Partition, next_offset: int) -> bool:
    """Whether the partition went past it, or this is the later version that was waited for."""
    return hold.offset != next_offset or (
        hold.crash_count == 0 and not why_held(partition, next_offset)
    )
