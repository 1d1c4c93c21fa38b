"""A projector of the cluster: a Faust worker from Kafka into the read models."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn

from services.adapters.faust_transport import SlabApp
from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_reader import KafkaReader, leave_group
from services.adapters.postgres_store import PostgresStore
from services.adapters.prometheus import measured
from services.adapters.tables import MODEL_VERSION
from services.ledger.errors import LogDown, MutuaError
from services.metrics import READY
from services.projector.app import Store, Worker, create_app
from services.settings import Settings

logger = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 10.0
"""For the slab under way and the last commit; longer than any timeout of the store."""


def run(settings: Settings, *, open_store: Callable[[], Store] | None = None) -> int:
    """Projects until SIGTERM, then returns 0. Any failure ends the process with 1 and a reason.

    The read models are those that the settings name, unless others are given.
    """
    try:
        address = KafkaAddress.parse(settings.log_url, settings.kafka_options())
        open_store = open_store or partial(PostgresStore, settings.require_store_url())
        with KafkaReader(address):  # says what is missing, before Faust says it in its way
            pass
    except MutuaError as error:
        fail(str(error))
    with measured(settings.metrics_listen) as meter:
        worker = Worker(
            open_log=lambda: KafkaReader(address),
            open_store=open_store,
            on_ready=lambda: print("mutua projector is ready", flush=True),
            on_failure=fail,
            meter=meter,
        )
        meter.watch(READY, lambda: {("Projector",): worker.is_ready})
        asyncio.run(_serve(settings, address, worker))
    if settings.instance:
        leave_group(address, group_of(address.topic), settings.instance)
    worker.close()
    return 0


def fail(reason: str) -> NoReturn:
    """Ends the process at once, whatever its threads are in the middle of.

    A transaction that is not committed then is none, and what was projected and not yet committed
    to Kafka is found in the read models at the next start.
    """
    logger.critical("mutua projector: %s", " ".join(reason.split()))
    os._exit(1)


def group_of(topic: str) -> str:
    """The consumer group: one for each version of the read models, which are built side by side."""
    return f"mutua-{topic}-{MODEL_VERSION}"


async def _serve(settings: Settings, address: KafkaAddress, worker: Worker) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = create_app(settings, worker, address=address, group=group_of(address.topic))
    _watch(lambda: _watch_progress(settings.stuck_seconds, worker, app), every_seconds=0.5)
    _watch(lambda: _watch_log(address, worker), every_seconds=2.0)
    try:
        starting = asyncio.ensure_future(app.start())
        await asyncio.wait(
            {starting, asyncio.ensure_future(stop.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        if starting.done():
            await starting
        await stop.wait()
        worker.stop()
        try:
            await asyncio.wait_for(app.stop(), _GRACE_SECONDS)
        except TimeoutError:
            fail(f"what was under way did not end within {_GRACE_SECONDS:g} s; it is done again")
    except Exception as error:
        logger.debug("Faust ended", exc_info=True)
        fail(f"{error!r}")


def _watch(look: Callable[[], None], *, every_seconds: float) -> None:
    """Looks again and again, on a thread of its own: what is stuck does not notice that it is."""

    def watch() -> None:
        pause = threading.Event()
        try:
            while not pause.wait(every_seconds):
                look()
        except Exception as error:
            logger.debug("nobody watches any more", exc_info=True)
            fail(f"{error!r}")

    threading.Thread(target=watch, daemon=True).start()


def _watch_progress(stuck_seconds: float, worker: Worker, app: SlabApp) -> None:
    reason = worker.stuck(stuck_seconds, rebalancing=app.rebalancing)
    if reason:
        fail(reason)


def _watch_log(address: KafkaAddress, worker: Worker) -> None:
    """aiokafka knows topics by name alone, and reads on in one that was deleted and made again."""
    try:
        with KafkaReader(address) as log:
            now = log.log_id, log.partition_count
    except LogDown as down:  # also when it is deleted, which does no harm yet
        logger.warning("projecting waits: %s", down)
        return
    if worker.log not in (None, now):
        fail(
            f"topic {address.topic} was made again, or given more partitions: its facts are not "
            "those that the read models were made from; mutua rebuild makes them again"
        )
