"""A projector process of the cluster: a Faust worker that projects Kafka into PostgreSQL."""

import asyncio
import logging
import os
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
from services.app.process import LOG_CHECK_SECONDS, report_health, wait_until_available
from services.app.stop_signal import handle_stop_signals
from services.ledger.errors import ForeignDataError, LogUnavailableError, MutuaError
from services.projector.faust_app import create_app
from services.projector.projection_thread import FencedProjectionStore
from services.projector.worker import Worker
from services.settings import Settings

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

GRACE_SECONDS: Final = 10.0
"""Time from SIGTERM for the running slab and the last commit; longer than any store timeout."""


@dataclass(frozen=True, slots=True)
class ProjectionTarget:
    """Read models to project into, and their part of the consumer group's name."""

    open_store: Callable[[], FencedProjectionStore]
    group: str


def run(settings: Settings, *, choose_target: Callable[[], ProjectionTarget] | None = None) -> int:
    """Projects until SIGTERM, then returns 0. A failure ends the process with status 1.

    It waits for the topic and the read models. `choose_target` opens read models other than those
    of the settings. After a switch-over the process starts itself again. Raises MutuaError for
    invalid settings, OSError when the health address cannot be bound.
    """
    choose_target = choose_target or partial(_choose_active, settings.require_store_url())
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
    """Ends the process at once, whatever its threads are doing.

    PostgreSQL rolls an open transaction back. Offsets that are not committed to Kafka do no harm,
    because the next process starts at the positions of the read models.
    """
    logger.critical("mutua projector: %s", " ".join(reason.split()))
    os._exit(1)


def _fail_after_grace() -> NoReturn:
    fail(f"running slabs did not end within {GRACE_SECONDS:g} s; the next process repeats them")


# decision 0072: one row names the active schema
def consumer_group_name(topic: str, models: str = str(MODEL_VERSION)) -> str:
    """Names the consumer group. Every build of the read models has its own."""
    return f"mutua-{topic}-{models}"


def _choose_active(store_url: str) -> ProjectionTarget:
    build = select_build(store_url)
    return ProjectionTarget(partial(PostgresStore, store_url, build=build), build.group)


# decision 0057: liveness and readiness are separate
class _ProjectorProcess:
    """A worker, its log and read models, and its health."""

    def __init__(
        self, settings: Settings, choose_target: Callable[[], ProjectionTarget], meter: Meter
    ) -> None:
        self.is_superseded = False
        """Whether it ends because of a switch-over."""
        self._settings = settings
        self._meter = meter
        self._address = KafkaAddress.parse(settings.log_url, settings.kafka_options())
        self._choose_target = choose_target
        self._group = ""
        self._stop = asyncio.Event()
        self._trouble = "it is starting"
        self._log: KafkaTopic | None = None
        self._worker: Worker | None = None
        self._deadline = threading.Timer(GRACE_SECONDS, _fail_after_grace)
        """A timer on a thread of its own, because stopping Faust can block the event loop."""
        self._deadline.daemon = True
        meter.watch(READY, lambda: {("Projector",): self._is_ready})

    async def serve(self) -> None:
        """Returns after SIGTERM, SIGINT or a switch-over."""
        handle_stop_signals(self._end)
        server = GrpcServer([])
        if self._settings.health_listen:
            await server.start(self._settings.health_listen)
        health_task = asyncio.create_task(report_health(server, lambda: self._is_ready))
        try:
            target = await self._run_until_stopped(self._open_log_and_target())
            if target is not None:
                await self._project(target)
        except Exception as error:
            logger.debug("the projector process ends", exc_info=True)
            fail(str(error) if isinstance(error, MutuaError) else repr(error))
        finally:
            health_task.cancel()
            await server.stop(0.0)

    def close(self) -> None:
        """Waits for running slabs and closes everything."""
        failpoint("before_leave")
        if self._worker is not None:
            self._leave()
            self._worker.close()
        if self._log is not None:
            self._log.close()
        self._deadline.cancel()

    def _leave(self) -> None:
        """Releases the partitions that Kafka reserves for this instance."""
        if self._settings.instance:
            leave_group(self._address, self._group, self._settings.instance)

    def _fail(self, reason: str) -> None:
        """Ends the process with `reason`, unless the log was recreated, which then is the reason.

        It then leaves the group, because Kafka would assign no partitions to the next process, as
        it assigned none to this one while there was no topic.
        """
        assert self._log is not None
        try:
            self._log.check_identity()
        except ForeignDataError as error:
            self._leave()
            fail(error.message)
        except LogUnavailableError:
            pass
        fail(reason)

    def _end(self) -> None:
        self.is_superseded = False
        self._stop.set()

    def _restart_for_switch_over(self, reason: str) -> None:
        """Ends, to start again with the active read models, unless it is already ending."""
        if not self._stop.is_set():
            logger.warning("the projector restarts: %s", reason)
            self.is_superseded = True
            self._stop.set()

    async def _open_log_and_target(self) -> ProjectionTarget:
        """Waits for the topic and the read models; Faust would end without a clear message."""
        count = self._settings.partitions
        self._log = await wait_until_available(
            lambda: KafkaTopic(self._address, partition_count=count),
            on_unavailable=self._report_trouble,
        )
        target = await wait_until_available(
            self._choose_target, on_unavailable=self._report_trouble
        )
        self._report_trouble("")
        return target

    async def _project(self, target: ProjectionTarget) -> None:
        assert self._log is not None
        self._group = consumer_group_name(self._address.topic, target.group)
        self._worker = worker = Worker(
            log=self._log,
            open_store=target.open_store,
            on_ready=lambda: print("mutua projector is ready", flush=True),
            on_superseded=self._restart_for_switch_over,
            on_failure=self._fail,
            meter=self._meter,
        )
        app = create_app(self._settings, worker, address=self._address, group=self._group)
        stuck_seconds = self._settings.stuck_seconds
        _watch(lambda: _watch_progress(stuck_seconds, worker, app), every_seconds=0.5)
        _watch(partial(self._check_log, self._log, worker), every_seconds=LOG_CHECK_SECONDS)
        await self._run_until_stopped(app.start())
        await self._stop.wait()
        worker.stop()
        self._deadline.start()
        await app.stop()

    async def _run_until_stopped(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        """Returns the result of `work`, or None if the process is stopped first."""
        working = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None

    @property
    def _is_ready(self) -> bool:
        return self._worker is not None and not (self._trouble or self._worker.unready_reason)

    def _report_trouble(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("projecting waits: %s", trouble)
        self._trouble = trouble

    def _check_log(self, log: KafkaTopic, worker: Worker) -> None:
        """Ends the process when the topic was recreated or truncated.

        aiokafka knows topics by name and records by offset, so it would read on.
        """
        try:
            log.check_identity()
            worker.check_truncation()
        except LogUnavailableError as error:  # also a deleted topic, which does no harm yet
            self._report_trouble(error.message)
        except ForeignDataError as error:
            self._fail(error.message)
        else:
            self._report_trouble("")


def _watch(look: Callable[[], None], *, every_seconds: float) -> None:
    """Calls `look` regularly on its own thread; a stalled thread cannot check itself."""

    def watch() -> None:
        pause = threading.Event()
        try:
            while not pause.wait(every_seconds):
                look()
        except Exception as error:
            logger.debug("a watching thread ends", exc_info=True)
            fail(f"{error!r}")

    threading.Thread(target=watch, daemon=True).start()


def _watch_progress(stuck_seconds: float, worker: Worker, app: SlabApp) -> None:
    reason = describe_group_failure(app) or worker.describe_stall(
        stuck_seconds, rebalancing=app.rebalancing
    )
    if reason:
        fail(reason)
