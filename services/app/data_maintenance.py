"""Commands on a data directory: verify, rebuild, export, replay."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from services.adapters.sqlite.data_directory import BUILD_LOCK_FILE, DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.app.embedded_storage import (
    build_read_models,
    catch_up,
    open_storage,
    try_lock_directory,
    wait_for_switch_over,
)
from services.exports import log_export as exports
from services.exports.export_file import open_atomic
from services.exports.log_replay import ExportedLog, ReplayClock, replay_log
from services.ledger.errors import ForeignDataError
from services.ledger.times import Instant
from services.projector.verification import VerifyProgress, VerifyReport, ignore_progress
from services.projector.verification import verify as compare


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
