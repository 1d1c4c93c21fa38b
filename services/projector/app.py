"""The Faust worker: takes slabs of the partitions that are its own, and projects them.

It crashes rather than skips. Whatever goes wrong ends the process, and whoever started it starts it
again; it then goes on where the read models stand. Only what would go wrong again the same way is
held: one partition stands still, and the others go on.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

from faust.types import TP
from mode.supervisors import CrashingSupervisor

from services.adapters.faust_transport import FIXED, Fetch, SlabApp, SlabSchema, credentials
from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_topic import record_reader
from services.ledger.errors import MutuaError
from services.ledger.ports import (
    Held,
    Hold,
    Partition,
    ProjectionStore,
    ReadableLog,
    Record,
    StaleWriter,
    StoreBusy,
)
from services.projector.embedded import why_held
from services.projector.slab import check_same_log, project_slab
from services.settings import Settings

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 0.25
_RELEASE_SECONDS: Final = 2.0
"""How soon a partition goes on that was released by hand."""
_REMEDY: Final = (
    "drop the schema they lie in, which mutua_control.answering names, and projectors make them "
    "again from the log"
)
_REBALANCING: Final = 4
"""So many times as patient: a rebalance waits for members that are dead, and nobody polls."""


class Log(ReadableLog, Protocol):
    """The log of which a worker projects what aiokafka reads."""

    def check_same(self) -> None:
        """Raises DataForeign when it is not the log any more that it was."""


class Store(ProjectionStore, Protocol):
    """Read models of which a worker has the partitions that are assigned to it."""

    def close(self) -> None: ...


_T = TypeVar("_T")


class ProjectingFailed(Exception):
    """Not for want of the read models, but at a record; it may be the record's fault."""


class Worker:
    """See `faust_transport.Owner`. What touches the read models runs on one thread, in order.

    So a seek waits for the slab under way, and no slab runs with what was loaded for another owner.
    """

    def __init__(
        self,
        *,
        log: Log,
        open_store: Callable[[], Store],
        on_ready: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """`on_failure` ends the process, with a reason; where it returns, nothing more is done."""
        self.durable: dict[int, int] = {}
        self.held: dict[int, Hold] = {}
        self._log = log
        self._open_store = open_store
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._store: Store | None = None
        self._read: dict[int, Callable[[Any], Record]] = {}
        self._thread = ThreadPoolExecutor(1, "projector")
        self._fetched: dict[int, int] = {}
        self._moved_time: dict[int, float] = {}
        self._polled_time = time.monotonic()
        self._ready = False
        self._stopping = False

    async def take_over(self, partitions: Collection[int]) -> None:
        await self._run(lambda: self._load(sorted(partitions)))

    async def project(self, partition: int, records: Sequence[Any]) -> None:
        """Projects what aiokafka read of a partition; returns when it is durable, or held."""
        await self._run(lambda: self._project(partition, records))

    async def released(self) -> dict[int, int]:
        """Where the partitions go on that somebody has released; they are held no longer."""
        return await self._run(self._release) or {}

    def polled(self) -> None:
        self._polled_time = time.monotonic()

    def fetched(self, partition: int, end: int) -> None:
        if self._fetched.get(partition, 0) <= self.durable.get(partition, 0):
            self._moved_time[partition] = time.monotonic()
        self._fetched[partition] = end

    def settled(self) -> None:
        if not self._ready:
            self._ready = True
            self._on_ready()

    def failed(self, reason: BaseException) -> None:
        if not self._stopping:
            told = isinstance(reason, MutuaError | StaleWriter | ProjectingFailed)
            self._on_failure(str(reason) if told else repr(reason))

    def stuck(self, seconds: float, *, rebalancing: bool) -> str:
        """Why it seems that this worker gets no further; "" when it does.

        Looks at numbers only, so that any thread can ask while all others hang.
        """
        if self._stopping:
            return ""
        now = time.monotonic()
        for partition, next_offset in list(self.durable.items()):
            behind = self._fetched.get(partition, 0) > next_offset and partition not in self.held
            if behind and now - self._moved_time.get(partition, now) > seconds:
                return f"partition {partition} stands at offset {next_offset} for {seconds:g} s"
        patience = seconds * (_REBALANCING if rebalancing else 1)
        if self.durable.keys() - self.held.keys() and now - self._polled_time > patience:
            return f"the consumer has not answered for {patience:g} s"
        return ""

    def stop(self) -> None:
        """To be called before Faust is stopped: what it reports from then on is no failure."""
        self._stopping = True

    def close(self) -> None:
        """Ends after the slab under way."""
        self._thread.shutdown()
        if self._store is not None:
            self._store.close()

    async def _run(self, work: Callable[[], _T]) -> _T | None:
        """Runs it on the thread of the read models; what it raises ends the process."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:
            logger.debug("the worker ends", exc_info=True)
            self.failed(error)
            return None

    def _load(self, partitions: Sequence[int]) -> None:
        """Reads where the partitions stand, and whether that is of the log as it is.

        The read models are opened anew: what a store remembers of a partition is wrong once
        somebody else has had it.
        """
        if self._store is not None:
            self._store.close()
        self._store = None
        self._store = store = self._open_store()
        durable: dict[int, int] = {}
        held: dict[int, Hold] = {}
        self._log.check_same()
        for number in partitions:
            partition, watermark = self._log.partition(number), store.watermark(number)
            check_same_log(partition, watermark, remedy=_REMEDY)
            durable[number] = 0 if watermark is None else watermark.next_offset
            hold = store.held(number)
            if hold is not None and _is_over(hold, partition, durable[number]):
                store.release(number)
            elif hold is not None and hold.stands:
                held[number] = hold
        count = self._log.partition_count
        self._read = {number: record_reader(number, count) for number in partitions}
        self._fetched.clear()
        self.held, self.durable = held, durable

    def _project(self, partition: int, found: Sequence[Any]) -> None:
        next_offset = self.durable.get(partition)
        if next_offset is None or partition in self.held:
            return  # fetched for an assignment that is over, or before it was held
        read = self._read[partition]
        records = [read(each) for each in found if each.offset >= next_offset]
        if not records:
            return
        if (records[0].offset, records[-1].offset) != (next_offset, next_offset + len(records) - 1):
            raise StaleWriter(
                f"partition {partition} is to go on at offset {next_offset}, and the records that "
                f"came are {records[0].offset} to {records[-1].offset}, {len(records)} of them"
            )
        try:
            self._commit(partition, records)
        except Held as held:
            self._hold(Hold(partition, self.durable[partition], str(held), 0))

    def _commit(self, partition: int, records: Sequence[Record]) -> None:
        """Projects all of the records, in as many transactions as it takes."""
        assert self._store is not None
        waiting = False
        while records:
            try:
                end = project_slab(self._store, self._log.log_id, records, partition=partition)
            except StoreBusy as busy:
                if not waiting:
                    logger.warning("projecting waits: %s", busy)
                waiting = True
                threading.Event().wait(_RETRY_SECONDS)  # `stuck` ends it when it takes too long
                continue
            except (StaleWriter, Held):
                raise
            except Exception as error:
                logger.info("projecting %d records failed", len(records), exc_info=True)
                self._narrow(partition, records, error)
                return
            records = records[end.next_offset - records[0].offset :]
            self.durable[partition] = end.next_offset
            self._moved_time[partition] = time.monotonic()

    def _narrow(self, partition: int, records: Sequence[Record], error: Exception) -> None:
        """Looks for the one record at which projecting fails, and counts that as a crash there."""
        if len(records) > 1:
            middle = len(records) // 2
            self._commit(partition, records[:middle])
            if partition not in self.held:
                self._commit(partition, records[middle:])
            return
        assert self._store is not None
        offset, before = records[0].offset, self._store.held(partition)
        count = before.crash_count + 1 if before is not None and before.offset == offset else 1
        reason = f"projecting failed at offset {offset} of partition {partition}: {error!r}"
        hold = Hold(partition, offset, reason, count)
        self._hold(hold)
        if not hold.stands:
            raise ProjectingFailed(reason) from error

    def _hold(self, hold: Hold) -> None:
        assert self._store is not None
        self._store.hold(hold)
        if hold.stands:
            self.held = {**self.held, hold.partition: hold}
            logger.error(
                "partition %d is held: %s; mutua topic release %d has it tried again",
                *(hold.partition, hold.reason, hold.partition),
            )

    def _release(self) -> dict[int, int]:
        assert self._store is not None
        released = [number for number in self.held if self._store.held(number) is None]
        self.held = {number: hold for number, hold in self.held.items() if number not in released}
        for number in released:
            self._fetched.pop(number, None)
        return {number: self.durable[number] for number in released}


def _is_over(hold: Hold, partition: Partition, next_offset: int) -> bool:
    """Whether the partition went past it, or this is the later version that was waited for."""
    return hold.offset != next_offset or (
        hold.crash_count == 0 and not why_held(partition, next_offset)
    )


def create_app(settings: Settings, worker: Worker, *, address: KafkaAddress, group: str) -> SlabApp:
    """The Faust application of a worker, to be started on the running event loop."""
    app = SlabApp(
        group,
        owner=worker,
        fetch=Fetch(settings.fetch_min_bytes, settings.fetch_wait_seconds),
        broker=[f"kafka://{server}" for server in address.servers],
        broker_credentials=credentials(address.security),
        consumer_group_instance_id=settings.instance or None,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 4,
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.slab_records,
        consumer_max_fetch_size=settings.slab_bytes,
        **FIXED,
    )
    slabs = app.topic(address.topic, schema=SlabSchema())

    @app.agent(slabs, supervisor_strategy=CrashingSupervisor)
    async def project(stream: Any) -> None:
        # Acknowledged by hand: everything else of Faust acknowledges when the handler raises.
        async for event in stream.noack().events():
            place = event.message.tp
            await worker.project(place.partition, event.value)
            if place.partition in worker.held:
                app.consumer.pause_partitions({place})
            await stream.ack(event)

    async def release() -> None:
        if worker.held and not app.rebalancing:
            at = {
                TP(address.topic, number): offset
                for number, offset in (await worker.released()).items()
            }
            await app.consumer.seek_wait(at)
            app.consumer.resume_partitions(at)

    app.timer(_RELEASE_SECONDS)(release)
    return app
