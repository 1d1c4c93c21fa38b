"""The one place where adapters and services are put together."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutua.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from mutua.v1.query_service_pb2_grpc import add_QueryServiceServicer_to_server
from services.adapters.data_directory import DataDirectory
from services.adapters.grpc_server import Server
from services.adapters.sqlite_log import SqliteLog
from services.adapters.sqlite_store import SqliteStore
from services.adapters.tables import MODEL_VERSION
from services.ingest import service as ingest
from services.ledger.errors import DataInUse, LogDown
from services.projector.embedded import EmbeddedProjector
from services.projector.verify import VerifyReport
from services.projector.verify import verify as compare
from services.query import service as query
from services.query.progress import Progress

logger = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Running:
    """A data directory that is being served."""

    address: str


def serve(data: Path, *, listen: str, on_ready: Callable[[str], None]) -> int:
    """Serves a data directory until SIGTERM or SIGINT; `on_ready` gets the address.

    Returns the exit status: 0 after a signal, 1 when recording or projecting cannot go on. Raises
    MutuaError when the directory cannot be opened, OSError when nothing can listen there.
    """

    async def main() -> int:
        stop = _Stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.now)
        directory = DataDirectory(data)
        async with _serving(directory, listen, "mutua up", stop, write=True) as address:
            directory.publish(address, "")
            try:
                on_ready(address)
                await stop.wait()
            finally:
                directory.unpublish()
        return 1 if stop.failure else 0

    return asyncio.run(main())


@contextmanager
def embedded(
    data: Path, *, purpose: str, write: bool, listen: str = "127.0.0.1:0"
) -> Iterator[Running]:
    """Serves a data directory to this process while the context lasts.

    With `write` it waits for the lock; otherwise, when somebody else holds it, answers come from
    what they have projected. Raises MutuaError when the directory cannot be opened.
    """
    ready: Future[tuple[str, _Stop]] = Future()

    async def main() -> None:
        stop = _Stop()
        async with _serving(DataDirectory(data), listen, purpose, stop, write=write) as address:
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


def verify(data: Path) -> VerifyReport:
    """Folds the log anew and compares every table.

    Needs no lock: beside a live server it compares as far as that has projected. When nobody holds
    the directory and all is well so far, it projects what is left and compares again.
    """
    directory = DataDirectory(data)
    directory.require_data()
    report = _compare(directory)
    if report.ok and report.beyond_count:
        with ExitStack() as resources:
            if _enter(directory, "mutua verify", resources, write=False):
                _catch_up(directory)
                report = _compare(directory)
    return report


def _compare(directory: DataDirectory) -> VerifyReport:
    with (
        closing(SqliteLog(directory.log, read_only=True)) as log,
        closing(SqliteStore(directory.read_models, read_only=True)) as store,
    ):
        return compare(log, store)


def _catch_up(directory: DataDirectory) -> None:
    with (
        closing(SqliteLog(directory.log, read_only=True)) as log,
        closing(SqliteStore(directory.read_models)) as store,
    ):
        EmbeddedProjector(
            log, store, on_progress=lambda _: None, on_failure=lambda _: None
        ).catch_up()


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

    async def wait(self) -> None:
        await self._event.wait()


@asynccontextmanager
async def _serving(
    directory: DataDirectory, listen: str, purpose: str, stop: _Stop, *, write: bool
) -> AsyncIterator[str]:
    """The services of a directory on one address, and everything behind them."""
    with ExitStack() as resources:
        if not _enter(directory, purpose, resources, write=write):
            log = resources.enter_context(closing(SqliteLog(directory.log, read_only=True)))
            store = resources.enter_context(
                closing(SqliteStore(directory.read_models, read_only=True))
            )
            following = asyncio.create_task(_follow(store, progress := _progress(store)))
            resources.callback(following.cancel)
            server = Server([query.NAME])
        else:
            log = resources.enter_context(closing(SqliteLog(directory.log, on_failure=stop.fail)))
            store = resources.enter_context(closing(SqliteStore(directory.read_models)))
            directory.mark_current()
            progress = _progress(store)
            projector = EmbeddedProjector(
                log, store, on_progress=progress.advance, on_failure=stop.fail
            )
            if not write:  # whoever only reads expects to see everything
                projector.catch_up()
            projector.start()
            resources.callback(projector.stop)
            server = Server([ingest.NAME, query.NAME])
            add_IngestServiceServicer_to_server(ingest.IngestService(log), server.grpc)
        asking = query.QueryService(
            store, progress, log_id=log.log_id, log_end=log.end, model_version=MODEL_VERSION
        )
        add_QueryServiceServicer_to_server(asking, server.grpc)
        address = await server.start(listen)
        await server.set_serving(serving=True)
        try:
            yield address
        finally:
            await server.stop(_GRACE_SECONDS)


def _enter(directory: DataDirectory, purpose: str, resources: ExitStack, *, write: bool) -> bool:
    """Takes the directory for writing; False when a reader finds it taken, which is well."""
    if write:
        directory.prepare()
        resources.enter_context(directory.lock(purpose))
        return True
    directory.require_data()
    try:
        resources.enter_context(directory.lock(purpose, wait_seconds=0))
    except (DataInUse, PermissionError):
        return False
    return True


def _progress(store: SqliteStore) -> Progress:
    watermark = store.watermark()
    return Progress(0 if watermark is None else watermark.next_offset)


async def _follow(store: SqliteStore, progress: Progress) -> None:
    """Notices what the process that holds the directory projects."""
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        try:
            watermark = await asyncio.to_thread(store.watermark)
        except Exception:
            logger.exception("the read models cannot be followed at the moment")
            continue
        if watermark is not None:
            progress.advance(watermark.next_offset)
