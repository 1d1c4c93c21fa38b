"""A projector of the cluster: a Faust worker from Kafka into the read models."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from services.adapters.failpoint import failpoint
from services.adapters.grpc.server import GrpcServer
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import leave_group
from services.adapters.kafka.faust_transport import SlabApp, describe_group_failure
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.store import PostgresStore, select_build
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.telemetry.metrics import READY, Meter
from services.adapters.telemetry.prometheus import serve_metrics
from services.app.process import wait_until_available
from services.ledger.errors import ForeignDataError, LogUnavailableError, MutuaError
from services.projector.faust_app import create_app
from services.projector.projection_thread import FencedProjectionStore
from services.projector.worker import Worker
from services.settings import Settings

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

GRACE_SECONDS: Final = 10.0
"""From when it is told to end: for the slab under way and the last commit; longer than any timeout
of the store."""
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class ProjectionTarget:
    """Read models to project into; `group` tells the consumer group of those who do from others."""

    open_store: Callable[[], FencedProjectionStore]
    group: str


def run(settings: Settings, *, choose_target: Callable[[], ProjectionTarget] | None = None) -> int:
    """Projects until SIGTERM, then returns 0. Any failure ends the process with 1 and a reason.

    Waits for a topic and for read models that are not there yet. The read models are those that
    the settings name, unless others are given; when others are to be written later, the process
    starts itself anew. Raises MutuaError for settings that cannot be meant, OSError when nothing
    can listen where health is to be told.
    """
    choose_target = choose_target or partial(_chosen, settings.require_store_url())
    with serve_metrics(settings.metrics_listen) as meter:
        projector = _ProjectorProcess(settings, choose_target, meter)
        asyncio.run(projector.serve())
    projector.close()
    if projector.is_superseded:
        failpoint("before_going_over")
        os.execv(sys.executable, sys.orig_argv)
    return 0


# decision 0074: a failing record is found by bisection
def fail(reason: str) -> NoReturn:
    """Ends the process at once, whatever its threads are in the middle of.

    A transaction that is not committed then is none, and what was projected and not yet committed
    to Kafka is found in the read models at the next start.
    """
    logger.critical("mutua projector: %s", " ".join(reason.split()))
    os._exit(1)


def _fail_to_end() -> NoReturn:
    fail(f"what was under way did not end within {GRACE_SECONDS:g} s; it is done again")


# decision 0072: one row names the active schema
def consumer_group_name(topic: str, models: str = str(MODEL_VERSION)) -> str:
    """The consumer group: one for each of the read models, which are kept side by side."""
    return f"mutua-{topic}-{models}"


def _chosen(store_url: str) -> ProjectionTarget:
    build = select_build(store_url)
    return ProjectionTarget(partial(PostgresStore, store_url, build=build), build.group)


# decision 0057: liveness and readiness are separate
class _ProjectorProcess:
    """A worker and what it needs, and what health says of them."""

    def __init__(
        self, settings: Settings, choose_models: Callable[[], ProjectionTarget], meter: Meter
    ) -> None:
        self.is_superseded = False
        """Whether it ends because other read models are to be written."""
        self._settings = settings
        self._meter = meter
        self._address = KafkaAddress.parse(settings.log_url, settings.kafka_options())
        self._choose_models = choose_models
        self._group = ""
        self._stop = asyncio.Event()
        self._trouble = "it has only just been started"
        self._log: KafkaTopic | None = None
        self._worker: Worker | None = None
        self._deadline = threading.Timer(GRACE_SECONDS, _fail_to_end)
        """On a thread of its own: Faust ends its consumer on the event loop, which waits for it."""
        self._deadline.daemon = True
        meter.watch(READY, lambda: {("Projector",): self._is_ready})

    async def serve(self) -> None:
        """Returns after SIGTERM or SIGINT, or when other read models are to be written."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        server = GrpcServer([])
        if self._settings.health_listen:
            await server.start(self._settings.health_listen)
        telling = asyncio.create_task(self._tell_health(server))
        try:
            models = await self._done_before_it_stops(self._find_what_it_needs())
            if models is not None:
                await self._project(models)
        except Exception as error:
            logger.debug("the projector ends", exc_info=True)
            fail(str(error) if isinstance(error, MutuaError) else repr(error))
        finally:
            telling.cancel()
            await server.stop(0.0)

    def close(self) -> None:
        """Ends after the slabs under way."""
        failpoint("before_leave")
        if self._worker is not None:
            self._leave()
            self._worker.close()
        if self._log is not None:
            self._log.close()
        self._deadline.cancel()

    def _leave(self) -> None:
        """Has others, or the next process, get the partitions that Kafka keeps for this one."""
        if self._settings.instance:
            leave_group(self._address, self._group, self._settings.instance)

    def _fail(self, reason: str) -> None:
        """Ends; where the log is another one by now, that is why, whatever went wrong with it.

        Kafka would give the next process what it gave this one while there was no topic: nothing.
        """
        assert self._log is not None
        try:
            self._log.check_identity()
        except ForeignDataError as another:
            self._leave()
            fail(another.message)
        except LogUnavailableError:
            pass
        fail(reason)

    def _end(self) -> None:
        self.is_superseded = False
        self._stop.set()

    def _go_over(self, reason: str) -> None:
        """Ends, and starts anew with what is to be written by now, unless it was told to end."""
        if not self._stop.is_set():
            logger.warning("the projector starts anew: %s", reason)
            self.is_superseded = True
            self._stop.set()

    async def _find_what_it_needs(self) -> ProjectionTarget:
        """Faust would say of a missing broker what nobody understands, and end."""
        count = self._settings.partitions
        self._log = await wait_until_available(
            lambda: KafkaTopic(self._address, partition_count=count), on_unavailable=self._wait_for
        )
        models = await wait_until_available(self._choose_models, on_unavailable=self._wait_for)
        self._wait_for("")
        return models

    async def _project(self, models: ProjectionTarget) -> None:
        assert self._log is not None
        self._group = consumer_group_name(self._address.topic, models.group)
        self._worker = worker = Worker(
            log=self._log,
            open_store=models.open_store,
            on_ready=lambda: print("mutua projector is ready", flush=True),
            on_superseded=self._go_over,
            on_failure=self._fail,
            meter=self._meter,
        )
        app = create_app(self._settings, worker, address=self._address, group=self._group)
        stuck_seconds = self._settings.stuck_seconds
        _watch(lambda: _watch_progress(stuck_seconds, worker, app), every_seconds=0.5)
        _watch(partial(self._watch_log, self._log, worker), every_seconds=2.0)
        await self._done_before_it_stops(app.start())
        await self._stop.wait()
        worker.stop()
        self._deadline.start()
        await app.stop()

    async def _done_before_it_stops(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        """What the work returns; None when it is time to stop first. Raises what it raises."""
        working = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None

    @property
    def _is_ready(self) -> bool:
        return self._worker is not None and not (self._trouble or self._worker.unready_reason)

    async def _tell_health(self, server: GrpcServer) -> None:
        """Tells truly, within a moment, whether facts are projected as they come."""
        was_serving = None
        while True:
            serving = self._is_ready
            if serving != was_serving:
                await server.set_serving(serving=serving)
                was_serving = serving
            await asyncio.sleep(_LOOK_SECONDS)

    def _wait_for(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("projecting waits: %s", trouble)
        self._trouble = trouble

    def _watch_log(self, log: KafkaTopic, worker: Worker) -> None:
        """aiokafka knows topics by name and records by offset alone, and reads on in a topic that
        was made again, or cut."""
        try:
            log.check_identity()
            worker.check_truncation()
        except LogUnavailableError as down:  # also when it is deleted, which does no harm yet
            self._wait_for(down.message)
        except ForeignDataError as foreign:
            self._fail(foreign.message)
        else:
            self._wait_for("")


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
    reason = describe_group_failure(app) or worker.describe_stall(
        stuck_seconds, rebalancing=app.rebalancing
    )
    if reason:
        fail(reason)
