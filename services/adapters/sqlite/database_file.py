"""SQLite files of ours: opened with the right settings, refused when they are somebody else's."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from services.ledger.errors import ForeignDataError, LogUnavailableError, NewerSchemaError

_APPLICATION_ID: Final = 0x6D757475
"""'mutu': marks a file as ours."""
_MAX_VALUES: Final = 32_766
"""What SQLite takes in one statement."""
_WAL_BYTES: Final = 32 << 20
"""A -wal file that is longer takes no more transactions; the last one may bring it to 64 MiB."""
_READER_MILLISECONDS: Final = 300
"""Our own readers take less; whoever takes longer is not waited for with a writer's thread."""
_ANY: Final = 2**31 - 1
"""Above the version of any file."""


# decision 0071: read models commit without waiting for the disk
def open_file(path: Path, *, version: int, durable: bool, read_only: bool) -> sqlite3.Connection:
    """A connection without implicit transactions, usable from any one thread at a time.

    `durable` makes every commit reach the disk; otherwise a power cut may lose the last ones, never
    the order. Raises ForeignDataError or NewerSchemaError when the file is not what this mutua
    writes, and LogUnavailableError when it cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    if read_only and not path.exists():
        raise ForeignDataError(
            f"{path} is missing; restore it, or choose another directory with --data"
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
            f"{path} cannot be opened ({error}); check its permissions"
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
    """Inserts the rows; `insertion` is the statement for one, with its places in parentheses.

    Python lets other threads run while SQLite works on a statement, and then waits for its turn:
    with a statement a row, as in `executemany`, a busy server would make that wait for each row.
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
    """Empties a -wal file that has become long; False when a reader still needs what is in it.

    SQLite keeps what a reader sees and writes behind it: beside one who reads on for hours the file
    would fill the disk. Waits a moment for readers; needs to be outside of a transaction.
    """
    try:
        length = path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return True
    if length < _WAL_BYTES:
        return True
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {min(patience, _READER_MILLISECONDS)}")
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")
    return not busy


def read_version(path: Path) -> int:
    """The format of a file of ours. Raises as `open_file` does."""
    with closing(open_file(path, version=_ANY, durable=False, read_only=True)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check(connection: sqlite3.Connection, path: Path, version: int, *, read_only: bool) -> None:
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the schema may be garbage
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise ForeignDataError(
                f"{path} is not an SQLite file, or is damaged; restore it from a backup, or choose "
                "another data directory with --data"
            ) from error
        raise LogUnavailableError(
            f"{path} cannot be read ({error}); check its permissions"
        ) from error
    if objects == 0 and application_id == 0 and not read_only:
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
    elif application_id != _APPLICATION_ID:
        raise ForeignDataError(
            f"{path} was not made by mutua; choose another data directory with --data"
        )
    elif found > version:
        raise NewerSchemaError(
            f"{path} has format {found}, this mutua reads up to {version}; upgrade mutua"
        )
