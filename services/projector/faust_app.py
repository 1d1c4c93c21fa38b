"""The Faust application around a worker."""

import asyncio
import logging
from collections import deque
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
"""Interval of checks for partitions that an operator released."""


def create_app(settings: Settings, worker: Worker, *, address: KafkaAddress, group: str) -> SlabApp:
    """Makes the Faust application of a worker; start it on the running event loop."""
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
        # Acknowledged by hand, because Faust otherwise acknowledges even when the handler raises.
        stream = stream.noack()
        queues: dict[TP, _PartitionQueue] = {}
        async for event in stream.events():
            tp = event.message.tp
            if tp not in queues:
                queues[tp] = _PartitionQueue(tp, app, worker, stream)
            queues[tp].add(event)

    async def release() -> None:
        if app.rebalancing:
            return
        if next_offsets := await worker.resume_released():
            offsets = {TP(address.topic, number): offset for number, offset in next_offsets.items()}
            await app.consumer.seek_wait(offsets)
            app.consumer.resume_partitions(offsets)

    app.timer(_RELEASE_SECONDS)(release)
    return app


class _PartitionQueue:
    """The waiting slabs of a partition; a task projects them in offset order."""

    def __init__(self, tp: TP, app: SlabApp, worker: Worker, stream: Any) -> None:
        self._tp = tp
        self._app = app
        self._worker = worker
        self._stream = stream
        self._waiting = deque[Any]()
        self._task: asyncio.Task[None] | None = None

    def add(self, event: Any) -> None:
        self._app.fetch_window.add(self._tp, event.value)
        self._waiting.append(event)
        if self._task is None:
            self._task = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._project(take_contiguous(self._waiting, MIN_PREFETCH_RECORDS))
        except Exception as error:
            logger.debug("the projector process ends", exc_info=True)
            self._worker.report_failure(error)
        finally:
            self._task = None

    async def _project(self, events: Sequence[Any]) -> None:
        records = [record for event in events for record in event.value]
        try:
            await self._worker.project(self._tp.partition, records)
            if self._tp.partition in self._worker.holds:
                self._app.consumer.pause_partitions({self._tp})
            for event in events:
                await self._stream.ack(event)
        finally:
            self._app.fetch_window.remove(self._tp, records)


def take_contiguous(waiting: deque[Any], most: int) -> list[Any]:
    """Removes the first slab and all that follow it without a gap, for one transaction.

    The slabs have fewer than `most` records together, unless it is one slab. A fetch often brings
    few records; with a transaction for every fetch, a worker that fell behind would not catch up.
    """
    slabs = [waiting.popleft()]
    count = len(slabs[0].value)
    while waiting and waiting[0].value[0].offset == slabs[-1].value[-1].offset + 1:
        count += len(waiting[0].value)
        if count >= most:
            break
        slabs.append(waiting.popleft())
    return slabs
