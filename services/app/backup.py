"""Backup of a data directory into one file, while it is in use, and restore."""

import stat
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from services.adapters.sqlite.backup import (
    BackupNote,
    BackupProgress,
    open_backup,
    restore_log,
    write_backup,
)
from services.adapters.sqlite.data_directory import LOG_FILE, DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.app.data_maintenance import verify
from services.app.embedded_storage import catch_up, open_storage
from services.exports.export_file import UnusableFileError
from services.ledger.errors import ForeignDataError
from services.ledger.times import Instant
from services.projector.verification import VerifyReport


def backup(
    data: Path, path: Path, *, now: Instant, force: bool, progress: BackupProgress
) -> BackupNote:
    """Copies the log of a directory into one file. It needs no lock.

    Read models are left out, because `restore` rebuilds them. Raises UnusableFileError when the
    file exists and `force` is false, and the errors of `write_backup`.
    """
    directory = DataDirectory(data)
    directory.require_data()
    _require_free(path, force=force)
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        return write_backup(log, path.resolve(), now=now, progress=progress)


# decision 0083: a restored log is a new log
def restore(
    path: Path, data: Path, *, progress: Callable[[str, int, int], None]
) -> tuple[BackupNote, VerifyReport]:
    """Restores a backup into a new data directory and verifies the read models.

    `progress` is called with a verb ("restored"), the number of records done, and the total. The
    log is restored whole or not at all; after an interruption, the same call completes it. Raises
    ForeignDataError, with nothing restored, when the directory holds other data or the file is not
    a whole backup.
    """
    directory = DataDirectory(data)
    with open_backup(path) as (log, note):
        directory.prepare()
        with directory.lock("mutua restore"), ExitStack() as resources:
            if not _is_restored(directory, note):
                _clear(directory)
                restore_log(log, note, directory.log_path, progress=partial(progress, "restored"))
            catch_up(*open_storage(directory, resources, write=True))
    return note, verify(data)


def _require_free(path: Path, *, force: bool) -> None:
    mode = path.stat().st_mode if path.exists() else None
    if mode is not None and stat.S_ISDIR(mode):
        raise UnusableFileError(f"{path} is a directory", remedy="name a file in it")
    if mode is not None and not (force and stat.S_ISREG(mode)):
        remedy = ", or say --force" if stat.S_ISREG(mode) else ""
        raise UnusableFileError(f"{path} is there already", remedy=f"choose another name{remedy}")


def _is_restored(directory: DataDirectory, note: BackupNote) -> bool:
    """Whether the directory holds this backup and no more. Raises ForeignDataError for anything
    else.
    """
    if not directory.log_path.exists():
        return False
    with closing(SqliteLog(directory.log_path, read_only=True)) as log:
        if log.end() == note.record_count == log.origins.get(note.log_id):
            return True
    raise ForeignDataError(
        f"{directory.path} holds data already, which a restore never replaces",
        remedy="name a new directory: mutua --data DIRECTORY restore FILE",
    )


def _clear(directory: DataDirectory) -> None:
    """Deletes the temporary files of a killed restore."""
    for path in directory.path.glob(f".{LOG_FILE}.*"):
        path.unlink()
