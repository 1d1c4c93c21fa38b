"""A log copied whole into one file beside those who record in it, and such a file made a log again.

What stands on a log never changes, so a copy of what stands before its end is as it was at one
moment, though it is made a page at a time: nobody who records waits for it. Each record is compared
with its digest on the way, out and in.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

from services.adapters.failpoint import failpoint
from services.adapters.sqlite.data_directory import sync_to_disk
from services.adapters.sqlite.database_file import insert_rows, open_file
from services.adapters.sqlite.log import FORMAT_VERSION, SCHEMA, SqliteLog, digest_record
from services.ledger.errors import ForeignDataError, LogFullError, LogUnavailableError
from services.ledger.times import Instant

BackupProgress = Callable[[int, int], None]
"""Told how many records of how many are copied; once more with both the same at the end."""

_NOTE: Final = "CREATE TABLE backup (told TEXT NOT NULL, digest BLOB NOT NULL)"
_ANOTHER: Final = "take another copy of it, or an older backup"


class BackupNote(NamedTuple):
    """What a backup says of itself: which log it is of, with how many records, made when."""

    log_id: str
    origins: Mapping[str, int]
    record_count: int
    made_time: Instant


def write_backup(
    log: SqliteLog, path: Path, *, now: Instant, progress: BackupProgress
) -> BackupNote:
    """Copies what the log holds by now into a file, which is there whole or not at all.

    Raises ForeignDataError at the first record that is not as it was written, LogFullError when
    there is no room for the file, OSError when there cannot be one.
    """
    note = BackupNote(log.log_id, log.origins, log.end(), now)
    remedy = "nothing was backed up; mutua verify says what else is damaged"
    with _whole(path) as place, _new_log(place, path, log.log_id, log.origins) as copy:
        _copy(_pages(log, note.record_count, remedy), copy, note.record_count, progress)
        told = json.dumps(note)
        copy.execute(_NOTE)
        copy.execute("INSERT INTO backup VALUES (?, ?)", (told, _digest(told)))
    return note


@contextmanager
def open_backup(path: Path) -> Iterator[tuple[SqliteLog, BackupNote]]:
    """A backup, opened. Raises ForeignDataError when it is none, NewerSchemaError when a newer
    mutua made it, LogUnavailableError when it cannot be read.
    """
    try:
        log = SqliteLog(path, read_only=True)
    except ForeignDataError as error:
        raise ForeignDataError(
            f"{path} is no backup of mutua, or is damaged; {_ANOTHER}"
        ) from error
    with closing(log):
        yield log, _note(path)


# decision 0083: a restored log is a new log
def restore_log(log: SqliteLog, note: BackupNote, path: Path, *, progress: BackupProgress) -> None:
    """Makes a log of a backup, which is there whole or not at all.

    It is another log, with another id, that goes on from the one that was backed up: on that one,
    other facts may have been recorded since, at the offsets that are given next here. Raises as
    `write_backup` does.
    """
    origins = {**note.origins, note.log_id: note.record_count}
    with _whole(path) as place, _new_log(place, path, uuid4().hex, origins) as copy:
        _copy(_pages(log, note.record_count, _ANOTHER), copy, note.record_count, progress)


def _note(path: Path) -> BackupNote:
    with closing(
        open_file(path, version=FORMAT_VERSION, durable=False, read_only=True)
    ) as connection:
        try:
            [(told, digest)] = connection.execute("SELECT told, digest FROM backup").fetchall()
            if digest == _digest(told):
                return BackupNote(*json.loads(told))
        except (sqlite3.Error, AttributeError, ValueError):
            pass
    raise ForeignDataError(
        f"{path} is a log of mutua and no backup of one, or is damaged; {_ANOTHER}, or make one "
        "with mutua backup"
    )


def _digest(told: str) -> bytes:
    return sha256(told.encode()).digest()


def _pages(log: SqliteLog, end: int, remedy: str) -> Iterator[list[tuple[Any, ...]]]:
    """All rows before `end`. Raises ForeignDataError where one is damaged or missing."""
    expected = 0
    while expected < end:
        page = log.read_stored_rows(expected)[: end - expected]
        for offset, record_time, programme_id, value, digest in page:
            if offset != expected or digest_record(record_time, programme_id, value) != digest:
                break
            expected += 1
        if not page or expected != page[-1][0] + 1:
            raise ForeignDataError(
                f"the record at offset {expected:,} of {log.path} is damaged or missing; {remedy}"
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
    place: Path, path: Path, log_id: str, origins: Mapping[str, int]
) -> Iterator[sqlite3.Connection]:
    """A log to fill, in one transaction without a journal: what fails is of no use."""
    with (
        _in_words(path),
        closing(
            open_file(place, version=FORMAT_VERSION, durable=False, read_only=False)
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
def _whole(path: Path) -> Iterator[Path]:
    """A place for what gets the name `path`, on the disk, when the block ends well."""
    place = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        place.touch()
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        yield place
        sync_to_disk(place)
        failpoint("before_rename")
        place.replace(path)
        sync_to_disk(path.parent)
    finally:
        for left in path.parent.glob(f"{place.name}*"):
            left.unlink()


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """What SQLite fails at, for the person who meets it. Raises LogFullError or
    LogUnavailableError.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF == sqlite3.SQLITE_FULL:
            raise LogFullError(
                f"no room is left for {path}; free some disk space, or name another place"
            ) from error
        raise LogUnavailableError(f"{path} cannot be written: {error}") from error
