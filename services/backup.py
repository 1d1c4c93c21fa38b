"""A data directory into one file while it is in use, and that file into a new directory."""

import stat
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from services.adapters.data_directory import LOG, DataDirectory
from services.adapters.sqlite_backup import (
    Backup,
    Progress,
    read_backup,
    write_backup,
    write_log,
)
from services.adapters.sqlite_log import SqliteLog
from services.bootstrap import verify
from services.exports.files import FileUnfit
from services.ledger.errors import DataForeign
from services.ledger.times import Instant
from services.opening import catch_up, open_directory
from services.projector.verify import VerifyReport


def backup(data: Path, path: Path, *, now: Instant, force: bool, progress: Progress) -> Backup:
    """Copies what is recorded in a directory by now into one file; needs no lock.

    Read models are left out, as they are made again. Raises FileUnfit when the name is taken and
    `force` does not say to replace it, and as `sqlite_backup.write_backup` does.
    """
    directory = DataDirectory(data)
    directory.require_data()
    _require_free(path, force=force)
    with closing(SqliteLog(directory.log, read_only=True)) as log:
        return write_backup(log, path.resolve(), now=now, progress=progress)


def restore(
    path: Path, data: Path, *, progress: Callable[[str, int, int], None]
) -> tuple[Backup, VerifyReport]:
    """Makes a backup a data directory, and compares the answers with it.

    `progress` is told what was done to how many records of how many. The log is there whole or not
    at all; after an interruption the same again completes it. Raises DataForeign, with nothing
    restored, when the directory holds anything or the file is no whole backup.
    """
    directory = DataDirectory(data)
    with read_backup(path) as (log, note):
        directory.prepare()
        with directory.lock("mutua restore"), ExitStack() as resources:
            if not _is_restored(directory, note):
                _clear(directory)
                write_log(log, note, directory.log, progress=partial(progress, "restored"))
            catch_up(*open_directory(directory, resources, write=True))
    return note, verify(data)


def _require_free(path: Path, *, force: bool) -> None:
    mode = path.stat().st_mode if path.exists() else None
    if mode is not None and stat.S_ISDIR(mode):
        raise FileUnfit(f"{path} is a directory; name a file in it")
    if mode is not None and not (force and stat.S_ISREG(mode)):
        remedy = ", or say --force" if stat.S_ISREG(mode) else ""
        raise FileUnfit(f"{path} is there already; choose another name{remedy}")


def _is_restored(directory: DataDirectory, note: Backup) -> bool:
    """Whether the directory holds this backup and no more. Raises DataForeign for anything else."""
    if not directory.log.exists():
        return False
    with closing(SqliteLog(directory.log, read_only=True)) as log:
        if log.end() == note.record_count == log.origins.get(note.log_id):
            return True
    raise DataForeign(
        f"{directory.path} holds data already, which a restore never replaces; name a new "
        "directory: mutua --data DIRECTORY restore FILE"
    )


def _clear(directory: DataDirectory) -> None:
    """Deletes what a restore that was killed has left."""
    for left in directory.path.glob(f".{LOG}.*"):
        left.unlink()
