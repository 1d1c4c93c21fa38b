"""The Faust application around a worker."""

import asyncio
import logging
from typing import Any, Final

from faust.types import TP
from mode.supervisors import CrashingSupervisor

from services.adapters.faust_transport import FIXED, Fetch, SlabApp, SlabSchema, credentials
from services.adapters.kafka_address import KafkaAddress
from services.projector.worker import Worker
from services.settings import Settings

logger = logging.getLogger(__name__)

_RELEASE_SECONDS: Final = 2.0
"""How soon a partition goes on that was released by hand."""


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
        """Takes what comes and waits for nothing: the slabs of a partition wait for each other."""
        last: dict[TP, asyncio.Task[None]] = {}

        async def one(event: Any, before: asyncio.Task[None] | None) -> None:
            place = event.message.tp
            try:
                if before is not None:
                    await before
                await worker.project(place.partition, event.value)
                if place.partition in worker.held:
                    app.consumer.pause_partitions({place})
                await stream.ack(event)
            except Exception as error:
                logger.debug("the worker ends", exc_info=True)
                worker.failed(error)
            finally:
                app.ahead.done(place, event.value)

        # Acknowledged by hand: everything else of Faust acknowledges when the handler raises.
        async for event in stream.noack().events():
            place = event.message.tp
            app.ahead.take(place, event.value)
            last[place] = asyncio.create_task(one(event, last.get(place)))

    async def release() -> None:
        if app.rebalancing:
            return
        if released := await worker.released():
            at = {TP(address.topic, number): offset for number, offset in released.items()}
            await app.consumer.seek_wait(at)
            app.consumer.resume_partitions(at)

    app.timer(_RELEASE_SECONDS)(release)
    return app
