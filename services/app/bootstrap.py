"""Composition of adapters and services into a server on a data directory."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Final

from mutua.location import POLL_SECONDS
from mutua.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from services.adapters.grpc.server import GrpcServer
from services.adapters.open_files import raise_file_limit
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.sqlite.control_store import SqliteControlStore
from services.adapters.sqlite.data_directory import DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.adapters.telemetry.metrics import DISK_FREE_BYTES, NO_OP_METER, Meter
from services.adapters.telemetry.prometheus import serve_metrics
from services.app.embedded_storage import (
    ActiveReadModels,
    open_storage,
    try_lock_directory,
)
from services.app.gc_tuning import tune_for_serving
from services.app.http import NO_HTTP, HttpSettings, serve_http
from services.app.stop_signal import StopRequestedError, StopSignal, handle_stop_signals
from services.ingest import service as ingest
from services.ledger.errors import DataInUseError, LogUnavailableError
from services.projector.embedded_projector import EmbeddedProjector
from services.projector.watermarks import find_hold_reason
from services.query import service as query
from services.query.lag_monitor import LagMonitor
from services.query.position_tracker import PositionTracker
from services.query.watch.feed import DEFAULT_TIMING, WatchTiming

logger = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 5.0
_FOLLOW_SECONDS: Final = 0.25
_LOCK_SECONDS: Final = 5.0
"""Time that a writer waits for the directory lock."""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A data directory that is served at `address`, and by HTTP at `http_address` if not empty."""

    address: str
    http_address: str = ""


def serve(
    data: Path,
    *,
    listen: str,
    http: HttpSettings = NO_HTTP,
    metrics_listen: str = "",
    on_ready: Callable[[EmbeddedServer], None],
) -> int:
    """Serves a data directory until SIGTERM or SIGINT. `on_ready` is called with the addresses.

    Returns the exit status: 0 after a signal, 1 when recording or projecting failed for good.
    Raises MutuaError when the directory cannot be opened, OSError when an address cannot be bound.
    """
    tune_for_serving()
    raise_file_limit()

    async def main() -> int:
        stop = StopSignal()
        handle_stop_signals(stop.now)
        directory = DataDirectory(data)
        try:
            with serve_metrics(metrics_listen) as meter:
                async with _serving(
                    directory, listen, "mutua up", stop, write=True, http=http, meter=meter
                ) as server:
                    on_ready(server)
                    await stop.wait()
        except StopRequestedError:
            return 0
        return 1 if stop.failure else 0

    return asyncio.run(main())


@contextmanager
def serve_embedded(
    data: Path,
    *,
    purpose: str,
    write: bool,
    listen: str = "127.0.0.1:0",
    http: HttpSettings = NO_HTTP,
    watch_timing: WatchTiming = DEFAULT_TIMING,
    lock_seconds: float = _LOCK_SECONDS,
) -> Iterator[EmbeddedServer]:
    """Serves a data directory from this process while the context lasts.

    With `write` it waits for the lock. Without, if another process holds the lock, it answers from
    the read models of that process. The process with the lock publishes its address, so that other
    processes can use it. Raises MutuaError when the directory cannot be opened.
    """
    ready: Future[tuple[EmbeddedServer, StopSignal]] = Future()

    async def main() -> None:
        stop = StopSignal()
        directory = DataDirectory(data)
        async with _serving(
            directory,
            listen,
            purpose,
            stop,
            write=write,
            http=http,
            watch_timing=watch_timing,
            lock_seconds=lock_seconds,
        ) as server:
            ready.set_result((server, stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if ready.done():
                logger.exception("the embedded server ended")
            else:
                ready.set_exception(error)

    thread = threading.Thread(target=run, name="mutua-embedded", daemon=True)
    thread.start()
    server, stop = ready.result()
    try:
        yield server
    finally:
        stop.from_thread()
        thread.join()
    if stop.failure:
        raise LogUnavailableError(stop.failure)


@asynccontextmanager
async def _serving(
    directory: DataDirectory,
    listen: str,
    purpose: str,
    stop: StopSignal,
    *,
    write: bool,
    http: HttpSettings = NO_HTTP,
    watch_timing: WatchTiming = DEFAULT_TIMING,
    lock_seconds: float = _LOCK_SECONDS,
    meter: Meter = NO_OP_METER,
) -> AsyncIterator[EmbeddedServer]:
    """Opens a directory and serves it by gRPC and, if settings say where, by HTTP.

    What starts here from top to bottom stops in the reverse order: the published address, calls,
    the measurements, the projector, the read models, the log, the lock.
    """
    with ExitStack() as resources:
        if write:
            await _enter_to_write(directory, purpose, resources, stop, lock_seconds)
        holds_lock = write or try_lock_directory(directory, purpose, resources)
        # On a thread, because opening may build read models, and signals are handled meanwhile.
        log, store = await asyncio.to_thread(
            partial(open_storage, write=holds_lock, on_failure=stop.fail),
            directory,
            resources,
            raise_if_stopped=stop.check,
        )
        positions = PositionTracker()
        positions.advance(log.number, _next_offset(log, store))
        asking = query.QueryService(
            store,
            positions,
            log=log,
            model_version=MODEL_VERSION,
            meter=meter,
            token_key=directory.prepare_token_key() if holds_lock else directory.read_token_key(),
            watch_timing=watch_timing,
        )
        models = ActiveReadModels(directory, store, answer_from=asking.switch_store)
        resources.callback(models.close)
        if holds_lock:
            projector = EmbeddedProjector(
                log,
                store,
                on_progress=partial(positions.advance, log.number),
                on_failure=stop.fail,
                on_hold=partial(positions.set_hold, log.number),
                switch_over=models,
                meter=meter,
            )
            if not write:  # a reader expects every recorded fact in its answers
                projector.catch_up()
            projector.start()
            resources.callback(projector.stop)
            server = GrpcServer([ingest.SERVICE_NAME, *query.SERVICE_NAMES], meter=meter)
            record = _add_ingest_service(server, log, projector, meter).RecordEvents
        else:
            following = asyncio.create_task(_follow(log, models, positions))
            resources.callback(following.cancel)
            server, record = GrpcServer(query.SERVICE_NAMES), None
        query.add_query_services(asking, server.aio_server)
        if meter is not NO_OP_METER:
            resources.enter_context(_measuring(directory, log, asking, positions, meter))
        maps = SqliteControlStore(directory.control_path) if holds_lock else None
        answering_http = partial(serve_http, http, asking, record, meter, maps=maps)
        async with _listening(server, listen, positions, answering_http) as running:
            addresses = running.address, running.http_address
            with directory.publish_server(*addresses) if holds_lock else nullcontext():
                yield running


def _add_ingest_service(
    server: GrpcServer, log: SqliteLog, projector: EmbeddedProjector, meter: Meter
) -> ingest.IngestService:
    recording = ingest.IngestService(
        log, lag=lambda _: projector.lag, stop_event=server.stopping, meter=meter
    )
    add_IngestServiceServicer_to_server(recording, server.aio_server)
    return recording


@asynccontextmanager
async def _listening(
    server: GrpcServer,
    listen: str,
    positions: PositionTracker,
    answering_http: Callable[..., AbstractAsyncContextManager[str]],
) -> AsyncIterator[EmbeddedServer]:
    """Accepts calls. At the end waits and streams end first, then HTTP, then gRPC."""
    address = await server.start(listen)
    await server.set_serving(serving=True)
    try:
        async with answering_http(address=address) as http_address:
            try:
                yield EmbeddedServer(address, http_address)
            finally:
                positions.stop_waiting()
    finally:
        await server.stop(_GRACE_SECONDS)


@contextmanager
def _measuring(
    directory: DataDirectory,
    log: SqliteLog,
    asking: query.QueryService,
    positions: PositionTracker,
    meter: Meter,
) -> Iterator[None]:
    """Exports the free space of the disk, and the lag."""
    meter.watch(DISK_FREE_BYTES, lambda: disk_usage(directory.path).free)
    lag_monitor = LagMonitor(
        open_log=lambda: nullcontext(log),
        read_status=asking.read_status,
        positions=positions,
        meter=meter,
    )
    try:
        yield
    finally:
        lag_monitor.stop()


async def _enter_to_write(
    directory: DataDirectory,
    purpose: str,
    resources: ExitStack,
    stop: StopSignal,
    lock_seconds: float = _LOCK_SECONDS,
) -> None:
    """Prepares the directory and waits for its lock. Raises DataInUseError."""
    directory.prepare()
    deadline = time.monotonic() + lock_seconds
    while True:
        try:
            resources.enter_context(directory.lock(purpose))
        except DataInUseError:
            if time.monotonic() >= deadline:
                raise
        else:
            return
        stop.check()
        await asyncio.sleep(POLL_SECONDS)


def _next_offset(log: SqliteLog, store: SqliteStore) -> int:
    watermark = store.read_watermark(log.number)
    return 0 if watermark is None else watermark.next_offset


async def _follow(log: SqliteLog, models: ActiveReadModels, positions: PositionTracker) -> None:
    """Follows the positions that the process with the lock projects."""

    def look() -> tuple[int, str]:
        models.follow_switch_over()
        next_offset = _next_offset(log, models.store)
        return next_offset, find_hold_reason(log, next_offset)

    while True:
        try:
            next_offset, hold_reason = await asyncio.to_thread(look)
        except Exception:
            logger.exception("the read models cannot be followed for now")
        else:
            positions.advance(log.number, next_offset)
            positions.set_hold(log.number, hold_reason)
        await asyncio.sleep(_FOLLOW_SECONDS)
