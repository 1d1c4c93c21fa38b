"""Composition of adapters and services for a data directory: the server and its commands."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Final

from sqlalchemy.exc import DatabaseError

from mutua.location import POLL_SECONDS
from mutua.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from services.adapters.grpc.server import GrpcServer
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.sqlite.data_directory import BUILD_LOCK_FILE, DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.adapters.telemetry.metrics import DISK_FREE_BYTES, NO_OP_METER, Meter
from services.adapters.telemetry.prometheus import serve_metrics
from services.app.embedded_storage import (
    ActiveReadModels,
    build_read_models,
    catch_up,
    open_storage,
    try_lock_directory,
    wait_for_switch_over,
)
from services.app.gc_tuning import tune_for_serving
from services.app.stop_signal import StopRequestedError, StopSignal, handle_stop_signals
from services.exports import log_export as exports
from services.exports.export_file import open_atomic
from services.exports.log_replay import ExportedLog, ReplayClock, replay_log
from services.ingest import service as ingest
from services.ledger.errors import DataInUseError, ForeignDataError, LogUnavailableError
from services.ledger.times import Instant
from services.projector.embedded_projector import EmbeddedProjector
from services.projector.verification import VerifyProgress, VerifyReport, ignore_progress
from services.projector.verification import verify as compare
from services.projector.watermarks import find_hold_reason
from services.query import service as query
from services.query.lag_monitor import LagMonitor
from services.query.position_tracker import PositionTracker

logger = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 5.0
_FOLLOW_SECONDS: Final = 0.25
_LOCK_SECONDS: Final = 5.0
"""Time that a writer waits for the directory lock."""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A data directory that is served at `address`."""

    address: str


def serve(
    data: Path, *, listen: str, metrics_listen: str = "", on_ready: Callable[[str], None]
) -> int:
    """Serves a data directory until SIGTERM or SIGINT. `on_ready` is called with the address.

    Returns the exit status: 0 after a signal, 1 when recording or projecting failed for good.
    Raises MutuaError when the directory cannot be opened, OSError when an address cannot be bound.
    """
    tune_for_serving()

    async def main() -> int:
        stop = StopSignal()
        handle_stop_signals(stop.now)
        directory = DataDirectory(data)
        try:
            with serve_metrics(metrics_listen) as meter:
                async with _serving(
                    directory, listen, "mutua up", stop, write=True, meter=meter
                ) as address:
                    on_ready(address)
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
    lock_seconds: float = _LOCK_SECONDS,
) -> Iterator[EmbeddedServer]:
    """Serves a data directory from this process while the context lasts.

    With `write` it waits for the lock. Without, if another process holds the lock, it answers from
    the read models of that process. The process with the lock publishes its address, so that other
    processes can use it. Raises MutuaError when the directory cannot be opened.
    """
    ready: Future[tuple[str, StopSignal]] = Future()

    async def main() -> None:
        stop = StopSignal()
        async with _serving(
            DataDirectory(data), listen, purpose, stop, write=write, lock_seconds=lock_seconds
        ) as address:
            ready.set_result((address, stop))
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
    address, stop = ready.result()
    try:
        yield EmbeddedServer(address)
    finally:
        stop.from_thread()
        thread.join()
    if stop.failure:
        raise LogUnavailableError(stop.failure)


def verify(data: Path, *, progress: VerifyProgress = ignore_progress) -> VerifyReport:
    """Folds the log again and compares every table. It needs no lock.

    Next to a running server it compares up to the projected position. If the directory is free and
    there is no difference, it projects the rest and compares again.
    """
    directory = DataDirectory(data)
    directory.require_data()
    report = _compare(directory, progress)
    if report.ok and report.unprojected_count and not report.hold_reason:
        with ExitStack() as lock:
            if try_lock_directory(directory, "mutua verify", lock):
                with ExitStack() as resources:
                    catch_up(*open_storage(directory, resources, write=True))
                report = _compare(directory, progress)
    return report


def list_programmes(data: Path) -> list[str]:
    """Returns the ids of programmes with projected records. It needs no lock."""
    directory = DataDirectory(data)
    directory.require_data()
    with (
        closing(SqliteStore(directory.select_to_read(), read_only=True)) as store,
        store.open_snapshot(SqliteLog.number) as snapshot,
    ):
        return snapshot.list_programmes()


def rebuild(data: Path, *, on_progress: Callable[[int, int], None]) -> list[Path]:
    """Builds read models from the whole log and makes them active.

    `on_progress` is called with the number of facts done and the total. A running server keeps
    answering meanwhile, and then switches over. Returns the files of superseded read models. Raises
    DataInUseError when another build runs or the server does not switch over, LogFullError when the
    disk is full; the active read models then stay active.
    """
    directory = DataDirectory(data)
    directory.require_data()
    with directory.lock("mutua rebuild", BUILD_LOCK_FILE):
        with closing(SqliteLog(directory.log_path, read_only=True)) as log:
            path = build_read_models(
                directory, log, lambda position: on_progress(position, log.end())
            )
        directory.offer(path)
        wait_for_switch_over(directory, path)
        return directory.list_superseded()


def delete_superseded(data: Path) -> list[Path]:
    """Deletes superseded read models and returns their files."""
    directory = DataDirectory(data)
    directory.require_data()
    with directory.lock("mutua rebuild", BUILD_LOCK_FILE):
        superseded = directory.list_superseded()
        for path in superseded:
            directory.delete(path)
    return superseded


def export_log(
    data: Path, path: Path, *, programme_id: str, force: bool, progress: exports.RecordProgress
) -> exports.ExportResult:
    """Exports the log into a file; see `exports.log.export_log`. It needs no lock.

    Raises ForeignDataError when a record is damaged or missing.
    """
    directory = DataDirectory(data)
    directory.require_data()
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        damaged, missing = log.find_damage()
        if damaged or missing is not None:
            raise ForeignDataError(
                f"{directory.log_path} is damaged", remedy="mutua verify says where"
            )
        with open_atomic(path, force=force) as file:
            return exports.export_log(log, file, programme_id=programme_id, progress=progress)


def replay(
    path: Path, data: Path, *, now: Instant, progress: Callable[[str, int, int], None]
) -> VerifyReport:
    """Replays an exported log into a directory, or resumes that, and verifies the read models.

    Nothing is recorded unless every line is valid; see `exports.replay`. `progress` is called with
    a verb ("replayed"), the number of records done, and the total.
    """
    file = ExportedLog(path, now=now)
    file.check(partial(progress, "checked"))
    directory = DataDirectory(data)
    directory.prepare()
    with directory.lock("mutua replay"), ExitStack() as resources:
        clock = ReplayClock()
        with closing(SqliteLog(directory.log_path, clock=clock)) as log:
            replay_log(file, log, clock, partial(progress, "replayed"))
        catch_up(*open_storage(directory, resources, write=True))
    return verify(data)


def _compare(directory: DataDirectory, progress: VerifyProgress) -> VerifyReport:
    with ExitStack() as resources:
        log, store = open_storage(directory, resources, write=False)
        try:
            return compare(log, store, progress=progress)
        except DatabaseError as error:
            raise ForeignDataError(
                f"{store.path} is damaged ({error.orig})",
                remedy="mutua rebuild makes it again from the log",
            ) from error


@asynccontextmanager
async def _serving(
    directory: DataDirectory,
    listen: str,
    purpose: str,
    stop: StopSignal,
    *,
    write: bool,
    lock_seconds: float = _LOCK_SECONDS,
    meter: Meter = NO_OP_METER,
) -> AsyncIterator[str]:
    """Opens a directory and serves it on one address."""
    with ExitStack() as resources:
        if write:
            await _enter_to_write(directory, purpose, resources, stop, lock_seconds)
        holds = write or try_lock_directory(directory, purpose, resources)
        # On a thread, because opening may build read models, and signals are handled meanwhile.
        log, store = await asyncio.to_thread(
            open_storage,
            directory,
            resources,
            write=holds,
            on_failure=stop.fail,
            raise_if_stopped=stop.check,
        )
        progress = PositionTracker()
        progress.advance(log.number, _next_offset(log, store))
        asking = query.QueryService(
            store, progress, log=log, model_version=MODEL_VERSION, meter=meter
        )
        models = ActiveReadModels(directory, store, answer_from=asking.switch_store)
        resources.callback(models.close)
        if not holds:
            following = asyncio.create_task(_follow(log, models, progress))
            resources.callback(following.cancel)
            server = GrpcServer([query.SERVICE_NAME])
        else:
            projector = EmbeddedProjector(
                log,
                store,
                on_progress=partial(progress.advance, log.number),
                on_failure=stop.fail,
                on_hold=partial(progress.set_hold, log.number),
                switch_over=models,
                meter=meter,
            )
            if not write:  # a reader expects every recorded fact in its answers
                projector.catch_up()
            projector.start()
            resources.callback(projector.stop)
            server = GrpcServer([ingest.SERVICE_NAME, query.SERVICE_NAME], meter=meter)
            recording = ingest.IngestService(
                log, lag=lambda _: projector.lag, stop_event=server.stopping, meter=meter
            )
            add_IngestServiceServicer_to_server(recording, server.aio_server)
        query.add_query_service(asking.answer, server.aio_server)
        if meter is not NO_OP_METER:
            meter.watch(DISK_FREE_BYTES, lambda: disk_usage(directory.path).free)
            resources.callback(_behind(log, asking, progress, meter).stop)
        address = await server.start(listen)
        await server.set_serving(serving=True)
        try:
            with directory.publish_server(address, "") if holds else nullcontext():
                yield address
        finally:
            progress.stop_waiting()
            await server.stop(_GRACE_SECONDS)


def _behind(
    log: SqliteLog, asking: query.QueryService, progress: PositionTracker, meter: Meter
) -> LagMonitor:
    return LagMonitor(
        open_log=lambda: nullcontext(log),
        read_status=asking.read_status,
        progress=progress,
        meter=meter,
    )


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


async def _follow(log: SqliteLog, models: ActiveReadModels, progress: PositionTracker) -> None:
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
            progress.advance(log.number, next_offset)
            progress.set_hold(log.number, hold_reason)
        await asyncio.sleep(_FOLLOW_SECONDS)
