"""Storage of a data directory: opens its log and read models, builds and switches them."""

import errno
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from mutua.location import POLL_SECONDS
from services.adapters.sqlite.data_directory import BUILD_LOCK_FILE, DataDirectory
from services.adapters.sqlite.database_file import make_write_error
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.rebuild import SqliteRebuildStore
from services.adapters.sqlite.store import SqliteStore
from services.ledger.errors import DataInUseError, StoreBusyError
from services.projector.embedded_projector import EmbeddedProjector
from services.projector.rebuild import build

logger = logging.getLogger(__name__)

_SWITCH_SECONDS: Final = 30.0
"""Time within which a running server switches to new read models."""
_MAY_NOT_WRITE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def try_lock_directory(directory: DataDirectory, purpose: str, resources: ExitStack) -> bool:
    """Locks the directory; returns False when it is locked or not writable."""
    directory.require_data()
    try:
        resources.enter_context(directory.lock(purpose))
    except DataInUseError:
        return False
    except OSError as error:
        if error.errno not in _MAY_NOT_WRITE:
            raise
        return False
    return True


def open_storage(
    directory: DataDirectory,
    resources: ExitStack,
    *,
    write: bool,
    on_failure: Callable[[str], None] = lambda _: None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> tuple[SqliteLog, SqliteStore]:
    """Opens the log and the read models of a directory.

    Writing needs the directory lock. It builds read models if there are none of this version, and
    switches to them once they are up to date. `raise_if_stopped` is called meanwhile; an exception
    from it aborts.
    """
    if not write:
        log = resources.enter_context(closing(SqliteLog(directory.log_path, read_only=True)))
        reading = SqliteStore(directory.select_to_read(), read_only=True)
        return log, resources.enter_context(closing(reading))
    with _translate_errors(directory):
        return _open_to_write(directory, resources, on_failure, raise_if_stopped)


def _open_to_write(
    directory: DataDirectory,
    resources: ExitStack,
    on_failure: Callable[[str], None],
    check: Callable[[], None],
) -> tuple[SqliteLog, SqliteStore]:
    log = resources.enter_context(closing(SqliteLog(directory.log_path, on_failure=on_failure)))
    path = directory.select_to_write()
    if path is None:
        with directory.lock("a mutua that builds read models", BUILD_LOCK_FILE):
            if count := log.end():
                logger.warning("building read models from %s facts", f"{count:,}")
            path = build_read_models(directory, log, lambda _: check())
    store = resources.enter_context(closing(SqliteStore(path)))
    if path != directory.active_read_models:
        catch_up(log, store)
    directory.switch_to(path)
    return log, store


# decision 0042: embedded read models are numbered files
def build_read_models(
    directory: DataDirectory, log: SqliteLog, on_progress: Callable[[int], None]
) -> Path:
    """Builds read models from the whole log, without making them active; returns their file.

    It needs the build lock. Leaves nothing behind when `on_progress` raises, or when it raises
    LogFullError or LogUnavailableError.
    """
    with (
        _translate_errors(directory),
        directory.reserve_build() as (place, path),
        closing(SqliteRebuildStore(place)) as store,
    ):
        build(log, store, on_progress=on_progress)
        store.finish()
    return path


def catch_up(log: SqliteLog, store: SqliteStore) -> None:
    """Projects the whole log."""
    projector = EmbeddedProjector(log, store, on_progress=lambda _: None, on_failure=lambda _: None)
    try:
        projector.catch_up()
    finally:
        projector.stop()


def wait_for_switch_over(directory: DataDirectory, path: Path) -> None:
    """Waits until a server switched to the offered read models, or switches itself."""
    deadline = time.monotonic() + _SWITCH_SECONDS
    while directory.active_read_models != path:
        try:
            with ExitStack() as resources:
                resources.enter_context(directory.lock("mutua rebuild"))
                open_storage(directory, resources, write=True)
        except DataInUseError as error:
            refused = directory.offered_read_models != path
            if refused and directory.active_read_models != path:
                raise DataInUseError(
                    f"{path.name} was built, but the server refused it, and the active read "
                    "models stay",
                    remedy="see its log",
                ) from error
            if time.monotonic() >= deadline:
                raise DataInUseError(
                    f"{path.name} is built and takes over when {directory.path} is opened next: "
                    f"for now {error.problem}",
                    remedy=error.remedy,
                ) from error
            time.sleep(POLL_SECONDS)
        except BaseException:
            directory.withdraw()
            raise


class ActiveReadModels:
    """The active read models of a running server, and the switch-over to others.

    Running questions finish on the old read models: SQLite keeps a deleted file for its readers.
    """

    def __init__(
        self,
        directory: DataDirectory,
        store: SqliteStore,
        *,
        answer_from: Callable[[SqliteStore], None],
    ) -> None:
        self._directory = directory
        self._offered_store: SqliteStore | None = None
        self._answer_from = answer_from
        self.store = store

    def open_offered(self) -> SqliteStore | None:
        """See `embedded_projector.SwitchOver`, also for the two below."""
        path = self._directory.offered_read_models
        self._offered_store = None if path is None else SqliteStore(path)
        return self._offered_store

    def accept(self) -> None:
        assert self._offered_store is not None
        self._directory.switch_to(self._offered_store.path)
        self._replace(self._offered_store)

    def refuse(self) -> None:
        self._directory.withdraw()
        if self._offered_store is not None:
            self._offered_store.close()

    def follow_switch_over(self) -> None:
        """Switches to the read models that the process with the lock uses."""
        path = self._directory.select_to_read()
        if path != self.store.path:
            self._replace(SqliteStore(path, read_only=True))

    def close(self) -> None:
        self.store.close()

    def _replace(self, store: SqliteStore) -> None:
        before, self.store = self.store, store
        self._answer_from(store)
        before.close()


@contextmanager
def _translate_errors(directory: DataDirectory) -> Iterator[None]:
    """Translates failures of SQLite. Raises LogFullError or LogUnavailableError."""
    try:
        yield
    except (sqlite3.Error, StoreBusyError) as error:
        raise make_write_error(error, directory.path) from error
