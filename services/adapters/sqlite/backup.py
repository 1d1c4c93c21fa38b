"""Backup of a log into one file while others append to it, and restore of such a file.

Stored records never change, so a copy of all records before an offset is consistent although it is
made page by page; appends do not wait for it. Every record is compared with its digest, in a backup
and in a restore.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

from services.adapters.file_system import replace_atomically
from services.adapters.sqlite.database_file import insert_rows, make_write_error, open_file
from services.adapters.sqlite.log import FORMAT_VERSION, SCHEMA, SqliteLog, digest_record
from services.ledger.errors import ForeignDataError
from services.ledger.times import Instant

BackupProgress = Callable[[int, int], None]
"""Called with the copied and the total number of records; equal in the last call."""

_NOTE: Final = "CREATE TABLE backup (told TEXT NOT NULL, digest BLOB NOT NULL)"
_REMEDY: Final = "take another copy of it, or an older backup"


class BackupNote(NamedTuple):
    """Description of a backup: its log, the number of records, and when it was made."""

    log_id: str
    origins: Mapping[str, int]
    record_count: int
    made_time: Instant


def write_backup(
    log: SqliteLog, path: Path, *, now: Instant, progress: BackupProgress
) -> BackupNote:
    """Copies the log up to its present end into a file, which is complete or does not exist.

    Raises ForeignDataError at the first record that is not as it was written, LogFullError when
    there is no room for the file, OSError when it cannot be created.
    """
    note = BackupNote(log.log_id, log.origins, log.end(), now)
    remedy = "nothing was backed up; mutua verify lists all damage"
    with (
        replace_atomically(path) as temporary,
        _new_log(temporary, path, log.log_id, log.origins) as copy,
    ):
        _copy(_pages(log, note.record_count, remedy), copy, note.record_count, progress)
        description = json.dumps(note)
        copy.execute(_NOTE)
        copy.execute("INSERT INTO backup VALUES (?, ?)", (description, _digest(description)))
    return note


@contextmanager
def open_backup(path: Path) -> Iterator[tuple[SqliteLog, BackupNote]]:
    """Opens a backup.

    Raises ForeignDataError when the file is none, NewerSchemaError when a newer mutua made it,
    LogUnavailableError when it cannot be read.
    """
    try:
        log = SqliteLog(path, read_only=True)
    except ForeignDataError as error:
        raise ForeignDataError(
            f"{path} is no backup of mutua, or is damaged", remedy=_REMEDY
        ) from error
    with closing(log):
        yield log, _read_note(path)


# decision 0083: a restored log is a new log
def restore_log(log: SqliteLog, note: BackupNote, path: Path, *, progress: BackupProgress) -> None:
    """Makes a backup a log, which is complete or does not exist.

    The restored log has a new id, because the original log may have other facts at the offsets
    that the restored one assigns next. Raises as `write_backup` does.
    """
    origins = {**note.origins, note.log_id: note.record_count}
    with (
        replace_atomically(path) as temporary,
        _new_log(temporary, path, uuid4().hex, origins) as copy,
    ):
        _copy(_pages(log, note.record_count, _REMEDY), copy, note.record_count, progress)


def _read_note(path: Path) -> BackupNote:
    with closing(
        open_file(path, version=FORMAT_VERSION, durable=False, read_only=True)
    ) as connection:
        try:
            [(description, digest)] = connection.execute(
                "SELECT told, digest FROM backup"
            ).fetchall()
            if digest == _digest(description):
                return BackupNote(*json.loads(description))
        except (sqlite3.Error, AttributeError, ValueError):
            pass
    raise ForeignDataError(
        f"{path} is a log of mutua and no backup of one, or is damaged",
        remedy=f"{_REMEDY}, or make one with mutua backup",
    )


def _digest(description: str) -> bytes:
    return sha256(description.encode()).digest()


def _pages(log: SqliteLog, end: int, remedy: str) -> Iterator[list[tuple[Any, ...]]]:
    """Yields all rows before `end`. Raises ForeignDataError where one is damaged or missing."""
    expected = 0
    while expected < end:
        page = log.read_stored_rows(expected)[: end - expected]
        for offset, record_time, programme_id, value, digest in page:
            if offset != expected or digest_record(record_time, programme_id, value) != digest:
                break
            expected += 1
        if not page or expected != page[-1][0] + 1:
            raise ForeignDataError(
                f"the record at offset {expected:,} of {log.path} is damaged or missing",
                remedy=remedy,
            )
        yield page


def _copy(
    pages: Iterator[list[tuple[Any, ...]]],
    copy: sqlite3.Connection,
    end: int,
    progress: BackupProgress,
) -> None:
    for page in pages:
        insert_rows(copy, "INSERT INTO record VALUES (?, ?, ?, ?, ?)", page)
        if (done := page[-1][0] + 1) < end:
            progress(done, end)
    progress(end, end)


@contextmanager
def _new_log(
    temporary: Path, path: Path, log_id: str, origins: Mapping[str, int]
) -> Iterator[sqlite3.Connection]:
    """Opens a new log to fill in one transaction without a journal; a failure discards the file."""
    with (
        _translate_errors(path),
        closing(
            open_file(temporary, version=FORMAT_VERSION, durable=False, read_only=False)
        ) as connection,
    ):
        for setting in ("journal_mode = OFF", "synchronous = OFF"):
            connection.execute(f"PRAGMA {setting}")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO log VALUES (?)", (log_id,))
        connection.executemany("INSERT INTO origin VALUES (?, ?)", origins.items())
        yield connection
        connection.execute("COMMIT")


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        remedy = "free some disk space, or name another place"
        raise make_write_error(error, path, remedy) from error
