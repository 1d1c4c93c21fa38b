"""The one place where adapters and services are put together."""

import asyncio
import logging
import signal
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

from mutua.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from mutua.v1.query_service_pb2_grpc import add_QueryServiceServicer_to_server
from services.adapters.data_directory import BUILD_LOCK, DataDirectory
from services.adapters.grpc_server import Server
from services.adapters.prometheus import measured
from services.adapters.sqlite_log import SqliteLog
from services.adapters.sqlite_store import SqliteStore
from services.adapters.tables import MODEL_VERSION
from services.exports import log as exports
from services.exports.files import written
from services.exports.replay import LogFile, RecordedTime, replay_log
from services.ingest import service as ingest
from services.ledger.errors import DataForeign, DataInUse, LogDown
from services.ledger.times import Instant
from services.memory import collect_seldom
from services.metrics import DISK_FREE_BYTES, UNMEASURED, Meter
from services.opening import (
    PAUSE_SECONDS,
    AnsweringModels,
    build_beside,
    catch_up,
    enter,
    open_directory,
    see_it_answer,
)
from services.projector.embedded import EmbeddedProjector, why_held
from services.projector.verify import VerifyReport, Watcher, unseen
from services.projector.verify import verify as compare
from services.query import service as query
from services.query.behind import Behind
from services.query.progress import Progress

logger = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.25
_LOCK_SECONDS: Final = 5.0
"""A writer waits so long for the directory."""


@dataclass(frozen=True, slots=True)
class Running:
    """A data directory that is being served."""

    address: str


def serve(
    data: Path, *, listen: str, metrics_listen: str = "", on_ready: Callable[[str], None]
) -> int:
    """Serves a data directory until SIGTERM or SIGINT; `on_ready` gets the address.

    Returns the exit status: 0 after a signal, 1 when recording or projecting cannot go on. Raises
    MutuaError when the directory cannot be opened, OSError when nothing can listen there.
    """
    collect_seldom()

    async def main() -> int:
        stop = _Stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.now)
        directory = DataDirectory(data)
        try:
            with measured(metrics_listen) as meter:
                async with _serving(
                    directory, listen, "mutua up", stop, write=True, meter=meter
                ) as address:
                    on_ready(address)
                    await stop.wait()
        except _Stopped:
            return 0
        return 1 if stop.failure else 0

    return asyncio.run(main())


@contextmanager
def embedded(
    data: Path,
    *,
    purpose: str,
    write: bool,
    listen: str = "127.0.0.1:0",
    lock_seconds: float = _LOCK_SECONDS,
) -> Iterator[Running]:
    """Serves a data directory from this process while the context lasts.

    With `write` it waits for the lock; otherwise, when another process holds it, answers come from
    what that has projected. The process with the lock publishes its address, so that others need
    not wait. Raises MutuaError when the directory cannot be opened.
    """
    ready: Future[tuple[str, _Stop]] = Future()

    async def main() -> None:
        stop = _Stop()
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
        yield Running(address)
    finally:
        stop.from_thread()
        thread.join()
    if stop.failure:
        raise LogDown(stop.failure)


def verify(data: Path, *, progress: Watcher = unseen) -> VerifyReport:
    """Folds the log anew and compares every table.

    Needs no lock: beside a live server it compares as far as that has projected. When nobody holds
    the directory and all is well so far, it projects what is left and compares again.
    """
    directory = DataDirectory(data)
    directory.require_data()
    report = _compare(directory, progress)
    if report.ok and report.beyond_count and not report.held:
        with ExitStack() as held:
            if enter(directory, "mutua verify", held):
                with ExitStack() as resources:
                    catch_up(*open_directory(directory, resources, write=True))
                report = _compare(directory, progress)
    return report


def programmes(data: Path) -> list[str]:
    """The programmes in which something was recorded and projected, by id; needs no lock."""
    directory = DataDirectory(data)
    directory.require_data()
    with (
        closing(SqliteStore(directory.to_read(), read_only=True)) as store,
        store.snapshot(SqliteLog.number) as snapshot,
    ):
        return snapshot.programmes()


def rebuild(data: Path, *, on_progress: Callable[[int, int], None]) -> list[Path]:
    """Builds new read models beside those that answer, and has them answer from then on.

    `on_progress` is called with the facts done and the facts there are. A server on the directory
    goes on meanwhile, and takes over. Returns the read models that are kept besides. Raises
    DataInUse when somebody else builds, or when whoever holds the directory does not take over, and
    LogFull when the disk has no room for them; those that answered go on.
    """
    directory = DataDirectory(data)
    directory.require_data()
    with directory.lock("mutua rebuild", BUILD_LOCK):
        with closing(SqliteLog(directory.log, read_only=True)) as log:
            path = build_beside(directory, log, lambda position: on_progress(position, log.end()))
        directory.offer(path)
        see_it_answer(directory, path)
        return directory.superseded()


def delete_superseded(data: Path) -> list[Path]:
    """Deletes the read models that do not answer any more, and returns what they were."""
    directory = DataDirectory(data)
    directory.require_data()
    with directory.lock("mutua rebuild", BUILD_LOCK):
        superseded = directory.superseded()
        for path in superseded:
            directory.delete(path)
    return superseded


def export_log(
    data: Path, path: Path, *, programme_id: str, force: bool, progress: exports.Progress
) -> exports.Exported:
    """Writes the log into a file; see `exports.log.export_log` and `exports.files.written`.

    Needs no lock. Raises DataForeign when a record is not as it was written.
    """
    directory = DataDirectory(data)
    directory.require_data()
    with closing(SqliteLog(directory.log, read_only=True)) as log:
        damaged, missing = log.damage()
        if damaged or missing is not None:
            raise DataForeign(f"{directory.log} is damaged; mutua verify says where")
        with written(path, force=force) as file:
            return exports.export_log(log, file, programme_id=programme_id, progress=progress)


def replay(
    path: Path, data: Path, *, now: Instant, progress: Callable[[str, int, int], None]
) -> VerifyReport:
    """Makes an exported log a log again, or goes on with that, and compares the answers with it.

    Nothing is recorded unless every line is right; see `exports.replay`. `progress` is told what
    was done to how many records of how many.
    """
    file = LogFile(path, now=now)
    file.check(partial(progress, "checked"))
    directory = DataDirectory(data)
    directory.prepare()
    with directory.lock("mutua replay"), ExitStack() as resources:
        clock = RecordedTime()
        with closing(SqliteLog(directory.log, clock=clock)) as log:
            replay_log(file, log, clock, partial(progress, "replayed"))
        catch_up(*open_directory(directory, resources, write=True))
    return verify(data)


def _compare(directory: DataDirectory, progress: Watcher) -> VerifyReport:
    with ExitStack() as resources:
        log, store = open_directory(directory, resources, write=False)
        try:
            return compare(log, store, progress=progress)
        except DatabaseError as error:
            raise DataForeign(
                f"{store.path} is damaged ({error.orig}); mutua rebuild makes it again from the log"
            ) from error


class _Stopped(Exception):
    """A signal came before there was anything to end."""


class _Stop:
    """Why and when to end; a failure may come from any thread."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.failure = ""

    def now(self) -> None:
        self._event.set()

    def from_thread(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def fail(self, message: str) -> None:
        logger.error("%s", message)
        self.failure = message
        self.from_thread()

    def check(self) -> None:
        """Raises _Stopped when it is time to end."""
        if self._event.is_set():
            raise _Stopped

    async def wait(self) -> None:
        await self._event.wait()


@asynccontextmanager
async def _serving(
    directory: DataDirectory,
    listen: str,
    purpose: str,
    stop: _Stop,
    *,
    write: bool,
    lock_seconds: float = _LOCK_SECONDS,
    meter: Meter = UNMEASURED,
) -> AsyncIterator[str]:
    """The services of a directory on one address, and everything behind them."""
    with ExitStack() as resources:
        if write:
            await _enter_to_write(directory, purpose, resources, stop, lock_seconds)
        holds = write or enter(directory, purpose, resources)
        # Opening may build read models, while a signal has to be heard.
        log, store = await asyncio.to_thread(
            open_directory,
            directory,
            resources,
            write=holds,
            on_failure=stop.fail,
            check=stop.check,
        )
        progress = Progress()
        progress.advance(log.number, _next_offset(log, store))
        asking = query.QueryService(
            store, progress, log=log, model_version=MODEL_VERSION, meter=meter
        )
        models = AnsweringModels(directory, store, answer_from=asking.answer_from)
        resources.callback(models.close)
        if not holds:
            following = asyncio.create_task(_follow(log, models, progress))
            resources.callback(following.cancel)
            server = Server([query.NAME])
        else:
            projector = EmbeddedProjector(
                log,
                store,
                on_progress=partial(progress.advance, log.number),
                on_failure=stop.fail,
                on_held=partial(progress.hold, log.number),
                succession=models,
                meter=meter,
            )
            if not write:  # whoever only reads expects to see everything
                projector.catch_up()
            projector.start()
            resources.callback(projector.stop)
            server = Server([ingest.NAME, query.NAME], meter=meter)
            recording = ingest.IngestService(
                log, lag=lambda _: projector.lag, stopping=server.stopping, meter=meter
            )
            add_IngestServiceServicer_to_server(recording, server.grpc)
        add_QueryServiceServicer_to_server(asking, server.grpc)
        if meter is not UNMEASURED:
            meter.watch(DISK_FREE_BYTES, lambda: disk_usage(directory.path).free)
            resources.callback(_behind(log, asking, progress, meter).stop)
        address = await server.start(listen)
        await server.set_serving(serving=True)
        try:
            with directory.published(address, "") if holds else nullcontext():
                yield address
        finally:
            progress.end()
            await server.stop(_GRACE_SECONDS)


def _behind(log: SqliteLog, asking: query.QueryService, progress: Progress, meter: Meter) -> Behind:
    return Behind(
        open_log=lambda: nullcontext(log), standing=asking.standing, progress=progress, meter=meter
    )


async def _enter_to_write(
    directory: DataDirectory,
    purpose: str,
    resources: ExitStack,
    stop: _Stop,
    lock_seconds: float = _LOCK_SECONDS,
) -> None:
    """Makes the directory ours and takes it, as soon as it is free. Raises DataInUse."""
    directory.prepare()
    deadline = time.monotonic() + lock_seconds
    while True:
        try:
            resources.enter_context(directory.lock(purpose))
        except DataInUse:
            if time.monotonic() >= deadline:
                raise
        else:
            return
        stop.check()
        await asyncio.sleep(PAUSE_SECONDS)


def _next_offset(log: SqliteLog, store: SqliteStore) -> int:
    watermark = store.watermark(log.number)
    return 0 if watermark is None else watermark.next_offset


async def _follow(log: SqliteLog, models: AnsweringModels, progress: Progress) -> None:
    """Notices what the process that holds the directory projects."""

    def look() -> tuple[int, str]:
        models.follow()
        next_offset = _next_offset(log, models.store)
        return next_offset, why_held(log, next_offset)

    while True:
        try:
            next_offset, held = await asyncio.to_thread(look)
        except Exception:
            logger.exception("the read models cannot be followed at the moment")
        else:
            progress.advance(log.number, next_offset)
            progress.hold(log.number, held)
        await asyncio.sleep(_POLL_SECONDS)
