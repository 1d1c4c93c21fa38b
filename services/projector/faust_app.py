"""The Faust application around a worker."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, Final

from faust.types import TP
from mode.supervisors import CrashingSupervisor

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.faust_transport import (
    REQUIRED_SETTINGS,
    FetchSettings,
    SlabApp,
    SlabSchema,
    make_credentials,
)
from services.projector.worker import MIN_PREFETCH_RECORDS, Worker
from services.settings import Settings

logger = logging.getLogger(__name__)

_RELEASE_SECONDS: Final = 2.0
"""How soon a partition goes on that was released by hand."""


def create_app(settings: Settings, worker: Worker, *, address: KafkaAddress, group: str) -> SlabApp:
    """The Faust application of a worker, to be started on the running event loop."""
    app = SlabApp(
        group,
        owner=worker,
        fetch_settings=FetchSettings(settings.fetch_min_bytes, settings.fetch_wait_seconds),
        broker=[f"kafka://{server}" for server in address.servers],
        broker_credentials=make_credentials(address.security),
        consumer_group_instance_id=settings.instance or None,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 4,
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.slab_records,
        consumer_max_fetch_size=settings.slab_bytes,
        **REQUIRED_SETTINGS,
    )
    slabs = app.topic(address.topic, schema=SlabSchema())

    @app.agent(slabs, supervisor_strategy=CrashingSupervisor)
    async def project(stream: Any) -> None:
        # Acknowledged by hand: everything else of Faust acknowledges when the handler raises.
        turns = _PartitionQueues(app, worker, stream.noack())
        async for event in turns.stream.events():
            turns.take(event)

    async def release() -> None:
        if app.rebalancing:
            return
        if released := await worker.resume_released():
            at = {TP(address.topic, number): offset for number, offset in released.items()}
            await app.consumer.seek_wait(at)
            app.consumer.resume_partitions(at)

    app.timer(_RELEASE_SECONDS)(release)
    return app


class _PartitionQueues:
    """Projects what it takes, and nobody waits: each partition goes on by itself, in its order."""

    def __init__(self, app: SlabApp, worker: Worker, stream: Any) -> None:
        self.stream = stream
        self._app = app
        self._worker = worker
        self._waiting = defaultdict[TP, deque[Any]](deque)
        self._under_way: dict[TP, asyncio.Task[None]] = {}

    def take(self, event: Any) -> None:
        place = event.message.tp
        self._app.fetch_window.add(place, event.value)
        self._waiting[place].append(event)
        if place not in self._under_way:
            self._under_way[place] = asyncio.create_task(self._go_on(place))

    async def _go_on(self, place: TP) -> None:
        try:
            while self._waiting[place]:
                await self._project(
                    place, take_contiguous(self._waiting[place], MIN_PREFETCH_RECORDS)
                )
        except Exception as error:
            logger.debug("the worker ends", exc_info=True)
            self._worker.report_failure(error)
        finally:
            del self._under_way[place]

    async def _project(self, place: TP, events: Sequence[Any]) -> None:
        records = [record for event in events for record in event.value]
        try:
            await self._worker.project(place.partition, records)
            if place.partition in self._worker.holds:
                self._app.consumer.pause_partitions({place})
            for event in events:
                await self.stream.ack(event)
        finally:
            self._app.fetch_window.remove(place, records)


def take_contiguous(waiting: deque[Any], most: int) -> list[Any]:
    """Takes the slab that waits first, and those that follow it without a gap: one transaction.

    Slabs are as small as what was there when they were fetched: whoever fell behind would stay
    there with a transaction for each. Together they have fewer records than `most`, or it is one.
    """
    taken = [waiting.popleft()]
    count = len(taken[0].value)
    while waiting and waiting[0].value[0].offset == taken[-1].value[-1].offset + 1:
        count += len(waiting[0].value)
        if count >= most:
            break
        taken.append(waiting.popleft())
    return taken
