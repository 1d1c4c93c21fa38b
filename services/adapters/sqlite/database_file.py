"""SQLite files of mutua: opened with the right settings, refused when foreign."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from services.ledger.errors import (
    ForeignDataError,
    LogFullError,
    LogUnavailableError,
    MutuaError,
    NewerSchemaError,
)

_APPLICATION_ID: Final = 0x6D757475
"""'mutu': marks a file as ours."""
_MAX_VALUES: Final = 32_766
"""Maximum number of parameters of a statement in SQLite."""
_WAL_BYTES: Final = 32 << 20
"""A longer -wal file takes no more transactions; the last one may extend it to 64 MiB."""
_READER_MILLISECONDS: Final = 300
"""How long a writer's thread waits for readers; our own readers take less."""
_ANY: Final = 2**31 - 1
"""Higher than the format of any file."""


# decision 0071: read models commit without waiting for the disk
def open_file(path: Path, *, version: int, durable: bool, read_only: bool) -> sqlite3.Connection:
    """Opens a connection without implicit transactions, usable by one thread at a time.

    `durable` makes every commit reach the disk; otherwise a power cut may lose the last commits,
    never earlier ones. Raises ForeignDataError or NewerSchemaError when this mutua cannot use the
    file, and LogUnavailableError when it cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    if read_only and not path.exists():
        raise ForeignDataError(
            f"{path} is missing", remedy="restore it, or choose another directory with --data"
        )
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=5.0,
        )
    except sqlite3.OperationalError as error:
        raise LogUnavailableError(
            f"{path} cannot be opened ({error})", remedy="check its permissions"
        ) from error
    try:
        _check(connection, path, version, read_only=read_only)
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = {-8_192 if read_only else -65_536}")
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def insert_rows(
    connection: sqlite3.Connection, insertion: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Inserts the rows; `insertion` is the statement for one row.

    A statement inserts many rows, because Python releases the interpreter lock during every
    statement and a busy server would make `executemany` wait to get it back for every row.
    """
    if not rows:
        return
    width = len(rows[0])
    count = max(1, _MAX_VALUES // width)
    start = 0
    while start < len(rows):
        while count > len(rows) - start:
            count = max(1, count // 8)
        part = rows[start : start + count]
        connection.execute(_insertion(insertion, width, count), tuple(chain.from_iterable(part)))
        start += count


@lru_cache(maxsize=256)
def _insertion(insertion: str, width: int, count: int) -> str:
    places = f"({', '.join('?' * width)})"
    return insertion.replace(places, ", ".join([places] * count), 1)


def truncate_wal(connection: sqlite3.Connection, path: Path) -> bool:
    """Empties a long -wal file; returns False when a reader still needs its content.

    SQLite keeps everything that was written after a reader began, so a reader of hours would let
    the file fill the disk. Waits a moment for readers; must be called outside a transaction.
    """
    try:
        length = path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return True
    if length < _WAL_BYTES:
        return True
    (timeout,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {min(timeout, _READER_MILLISECONDS)}")
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {timeout}")
    return not busy


def read_version(path: Path) -> int:
    """Returns the format of a file of mutua. Raises as `open_file` does."""
    with closing(open_file(path, version=_ANY, durable=False, read_only=True)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def make_write_error(
    error: Exception, path: Path, remedy: str = "free some disk space and try again"
) -> MutuaError:
    """Translates a failure of SQLite, or an error that it caused, to write a file.

    Returns LogFullError with the remedy when the disk is full, else LogUnavailableError.
    """
    if primary_code(error.__cause__ or error) == sqlite3.SQLITE_FULL:
        return LogFullError(f"no room is left for {path}", remedy=remedy)
    return LogUnavailableError(f"{path} cannot be written: {error}")


def primary_code(error: BaseException, default: int = sqlite3.SQLITE_ERROR) -> int:
    """Returns SQLite's primary result code of an error, the default for other errors."""
    return int(getattr(error, "sqlite_errorcode", default)) & 0xFF


def _check(connection: sqlite3.Connection, path: Path, version: int, *, read_only: bool) -> None:
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (file_version,) = connection.execute("PRAGMA user_version").fetchone()
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the schema may be garbage
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise ForeignDataError(
                f"{path} is not an SQLite file, or is damaged",
                remedy="restore it from a backup, or choose another data directory with --data",
            ) from error
        raise LogUnavailableError(
            f"{path} cannot be read ({error})", remedy="check its permissions"
        ) from error
    if objects == 0 and application_id == 0 and not read_only:
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
    elif application_id != _APPLICATION_ID:
        raise ForeignDataError(
            f"{path} was not made by mutua", remedy="choose another data directory with --data"
        )
    elif file_version > version:
        raise NewerSchemaError(
            f"{path} has format {file_version}, this mutua reads up to {version}",
            remedy="upgrade mutua",
        )
