"""A data directory, opened: its log and read models, made, built again and switched to."""

import errno
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from services.adapters.building_store import BuildingStore
from services.adapters.data_directory import BUILD_LOCK, DataDirectory
from services.adapters.sqlite_log import SqliteLog
from services.adapters.sqlite_store import SqliteStore
from services.ledger.errors import DataInUse, LogDown, LogFull
from services.ledger.ports import StoreBusy
from services.projector.embedded import EmbeddedProjector
from services.projector.rebuild import build

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 0.05
_SWITCH_SECONDS: Final = 30.0
"""A server takes new read models over within this time, or when it is started again."""
_MAY_NOT_WRITE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def enter(directory: DataDirectory, purpose: str, resources: ExitStack) -> bool:
    """Takes the directory if that can be; False when a reader has to do without."""
    directory.require_data()
    try:
        resources.enter_context(directory.lock(purpose))
    except DataInUse:
        return False
    except OSError as error:
        if error.errno not in _MAY_NOT_WRITE:
            raise
        return False
    return True


def open_directory(
    directory: DataDirectory,
    resources: ExitStack,
    *,
    write: bool,
    on_failure: Callable[[str], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> tuple[SqliteLog, SqliteStore]:
    """The log and the read models of a directory.

    To write them needs the lock; it makes the read models when there are none of this version, and
    has others than before answer when they are level. `check` may end that by raising.
    """
    if not write:
        log = resources.enter_context(closing(SqliteLog(directory.log, read_only=True)))
        reading = SqliteStore(directory.to_read(), read_only=True)
        return log, resources.enter_context(closing(reading))
    with _in_words(directory):
        return _open_to_write(directory, resources, on_failure, check)


def _open_to_write(
    directory: DataDirectory,
    resources: ExitStack,
    on_failure: Callable[[str], None],
    check: Callable[[], None],
) -> tuple[SqliteLog, SqliteStore]:
    log = resources.enter_context(closing(SqliteLog(directory.log, on_failure=on_failure)))
    path = directory.to_write()
    if path is None:
        with directory.lock("a mutua that builds read models", BUILD_LOCK):
            if count := log.end():
                logger.warning("building read models from %s facts", f"{count:,}")
            path = build_beside(directory, log, lambda _: check())
    store = resources.enter_context(closing(SqliteStore(path)))
    if path != directory.current:
        catch_up(log, store)
    directory.switch_to(path)
    return log, store


def build_beside(
    directory: DataDirectory, log: SqliteLog, on_progress: Callable[[int], None]
) -> Path:
    """Whole new read models, which do not answer yet. Needs the build lock.

    With nothing left of them raises what `on_progress` does, LogFull or LogDown.
    """
    with (
        _in_words(directory),
        directory.building() as (place, path),
        closing(BuildingStore(place)) as store,
    ):
        build(log, store, on_progress=on_progress)
        store.finish()
    return path


def catch_up(log: SqliteLog, store: SqliteStore) -> None:
    """Projects what the log holds by now."""
    projector = EmbeddedProjector(log, store, on_progress=lambda _: None, on_failure=lambda _: None)
    try:
        projector.catch_up()
    finally:
        projector.stop()


def see_it_answer(directory: DataDirectory, path: Path) -> None:
    """Waits until read models that were offered answer; makes them do so where nobody else can."""
    deadline = time.monotonic() + _SWITCH_SECONDS
    while directory.current != path:
        try:
            with ExitStack() as resources:
                resources.enter_context(directory.lock("mutua rebuild"))
                open_directory(directory, resources, write=True)
        except DataInUse as error:
            refused = directory.offered != path
            if refused and directory.current != path:
                raise DataInUse(
                    f"{path.name} was built and not taken over, its server says why; those that "
                    "answered go on"
                ) from error
            if time.monotonic() >= deadline:
                raise DataInUse(
                    f"{path.name} is built and takes over when {directory.path} is opened next; "
                    f"for now {error.message}"
                ) from error
            time.sleep(PAUSE_SECONDS)
        except BaseException:
            directory.withdraw()
            raise


class AnsweringModels:
    """The read models that answer, and what takes their place while the server runs.

    Questions under way end where they began: SQLite keeps a file for whoever reads it.
    """

    def __init__(
        self,
        directory: DataDirectory,
        store: SqliteStore,
        *,
        answer_from: Callable[[SqliteStore], None],
    ) -> None:
        self._directory = directory
        self._offered: SqliteStore | None = None
        self._answer_from = answer_from
        self.store = store

    def offered(self) -> SqliteStore | None:
        """See `embedded.Succession`, also for the two below."""
        path = self._directory.offered
        self._offered = None if path is None else SqliteStore(path)
        return self._offered

    def accept(self) -> None:
        assert self._offered is not None
        self._directory.switch_to(self._offered.path)
        self._replace(self._offered)

    def refuse(self) -> None:
        self._directory.withdraw()
        if self._offered is not None:
            self._offered.close()

    def follow(self) -> None:
        """Answers from what the process that holds the directory answers from by now."""
        path = self._directory.to_read()
        if path != self.store.path:
            self._replace(SqliteStore(path, read_only=True))

    def close(self) -> None:
        self.store.close()

    def _replace(self, store: SqliteStore) -> None:
        before, self.store = self.store, store
        self._answer_from(store)
        before.close()


@contextmanager
def _in_words(directory: DataDirectory) -> Iterator[None]:
    """What SQLite fails at, for the person who meets it. Raises LogFull or LogDown."""
    try:
        yield
    except (sqlite3.Error, StoreBusy) as error:
        code = getattr(error.__cause__ or error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF == sqlite3.SQLITE_FULL:
            raise LogFull(
                f"no room is left in {directory.path}; free some disk space and try again"
            ) from error
        raise LogDown(f"{directory.path} cannot be written: {error}") from error
