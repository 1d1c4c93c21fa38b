"""The log as one SQLite file: one writer, and one fsync for all appends that wait together."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Self
from uuid import uuid4

from services.adapters.admission_control import (
    LOG_IS_CLOSED,
    append_cost_bytes,
    make_queue_full_error,
)
from services.adapters.failpoint import failpoint
from services.adapters.sqlite.database_file import (
    insert_rows,
    make_write_error,
    open_file,
    primary_code,
    truncate_wal,
)
from services.adapters.sqlite.log_tail import LogTail
from services.ledger.errors import (
    ForeignDataError,
    LogUnavailableError,
    OutcomeUnknownError,
    OverloadedError,
)
from services.ledger.position import Position
from services.ledger.records import Record
from services.ledger.times import Instant

FORMAT_VERSION: Final = 1
_GROUP_RECORDS: Final = 10_000
"""Maximum records per transaction, so that no append waits long behind an import."""
_GROUP_BYTES: Final = 16 << 20
"""Bytes after which a transaction takes no more records, because it must fit the -wal file."""
_READ_BYTES: Final = 4 << 20
_QUEUE_BYTES: Final = 64 << 20
_NOTHING_WRITTEN: Final = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_PERM,
)
"""Codes after which a commit certainly wrote nothing; after others its outcome is unknown."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS log (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS origin (log_id TEXT PRIMARY KEY, next_offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS record (
    offset INTEGER PRIMARY KEY,
    record_time INTEGER NOT NULL,
    programme_id TEXT NOT NULL,
    value BLOB NOT NULL,
    digest BLOB NOT NULL
);
"""
_COLUMNS: Final = "offset, record_time, programme_id, CAST(value AS BLOB)"
"""The cast yields bytes, whatever type another program wrote."""


@dataclass(frozen=True, slots=True)
class _Append:
    programme_id: str
    values: Sequence[bytes]
    cost: int
    done: Future[Position]


# decision 0124: acknowledge after durable
class SqliteLog:
    """Implements `ports.SingleLog`: all programmes are in one partition.

    The caller ensures that there is one writer.
    """

    number: Final = 0
    partition_count: Final = 1

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Opens the log, and creates it unless it is `read_only`.

        `on_failure` is called once, on the writer's thread, when the outcome of a commit is
        unknown: the process must end, because only the next open can find the outcome.
        """
        self.path = path
        self._clock = clock
        self._on_failure = on_failure
        self._connection = open_file(
            path, version=FORMAT_VERSION, durable=True, read_only=read_only
        )
        self._reader = self._connection if read_only else None
        self._read_lock = threading.Lock()
        self._queue: SimpleQueue[_Append | None] = SimpleQueue()
        self._admission = threading.Lock()
        self._queued_bytes = 0
        self._closed = read_only
        self._failed = False
        self._tail = LogTail(_READ_BYTES)
        self._append_listeners: list[Callable[[], None]] = []
        try:
            with self._translate_read_errors():
                self._open(read_only=read_only)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, *, read_only: bool) -> None:
        if not read_only:
            self._connection.executescript(SCHEMA)
            if self._connection.execute("SELECT count(*) FROM log").fetchone() == (0,):
                self._connection.execute("INSERT INTO log VALUES (?)", (uuid4().hex,))
        (self.log_id,) = self._connection.execute("SELECT id FROM log").fetchone()
        self.origins = self._find_origins()
        self._end, self._last_time = self._check_last()
        if self._reader is None:
            self._reader = open_file(
                self.path, version=FORMAT_VERSION, durable=False, read_only=True
            )
            self._writer = threading.Thread(target=self._run_writer, name="log-writer", daemon=True)
            self._writer.start()

    def _find_origins(self) -> Mapping[str, int]:
        """Returns the origins, none for a log of an older mutua, which has no table of them."""
        count_tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'origin'"
        if self._connection.execute(count_tables).fetchone() == (0,):
            return {}
        return dict(self._connection.execute("SELECT log_id, next_offset FROM origin").fetchall())

    def _check_last(self) -> tuple[int, Instant]:
        """Returns the end of the log and its last record time.

        Raises ForeignDataError when the last record is damaged.
        """
        last = self._connection.execute(
            f"SELECT {_COLUMNS}, digest FROM record ORDER BY offset DESC LIMIT 1"
        ).fetchone()
        if last is None:
            return 0, 0
        offset, record_time, programme_id, value, digest = last
        if digest_record(record_time, programme_id, value) != digest:
            raise ForeignDataError(
                f"the last record of {self.path} is damaged",
                remedy="restore the directory from a backup",
            )
        return offset + 1, record_time

    def find_partition(self, programme_id: str) -> int:  # noqa: ARG002 (there is one)
        return self.number

    def get_partition(self, number: int) -> Self:
        assert number == self.number, f"this log has no partition {number}"
        return self

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    @property
    def queue_limit_bytes(self) -> int:
        return _QUEUE_BYTES

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        """See `ports.Log`. Appends all values or none, even when the outcome is unknown."""
        cost = append_cost_bytes(values)
        done: Future[Position] = Future()
        done.set_running_or_notify_cancel()  # nobody can cancel it any more
        with self._admission:
            if self._closed or self._failed:
                raise LogUnavailableError(LOG_IS_CLOSED)
            if self._queued_bytes + cost > _QUEUE_BYTES and self._queued_bytes:
                raise make_queue_full_error()
            self._queued_bytes += cost
            self._queue.put(_Append(programme_id, values, cost, done))
        return done

    def read(self, next_offset: int, limit: int) -> list[Record]:
        if (last := self._tail.read(next_offset, limit)) is not None:
            return last
        return [Record(*row) for row in self._read_page(_COLUMNS, next_offset, limit)]

    def _read_page(self, columns: str, next_offset: int, limit: int) -> list[tuple[Any, ...]]:
        """Reads one page; the fourth column must be the value. Pages do not block the writer."""
        assert self._reader is not None
        page, room = [], _READ_BYTES
        with self._read_lock, self._translate_read_errors():
            rows = self._reader.execute(
                f"SELECT {columns} FROM record WHERE offset >= ? ORDER BY offset LIMIT ?",
                (next_offset, limit),
            )
            for row in rows:
                page.append(row)
                room -= len(row[3])
                if room < 0:
                    break
            rows.close()
        return page

    @contextmanager
    def _translate_read_errors(self) -> Iterator[None]:
        """Raises ForeignDataError when the file is damaged, else LogUnavailableError."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            code = primary_code(error, sqlite3.SQLITE_CORRUPT)
            if code == sqlite3.SQLITE_FULL:
                raise
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
                raise ForeignDataError(
                    f"{self.path} is damaged ({error})",
                    remedy="restore the directory from a backup",
                ) from error
            raise LogUnavailableError(f"{self.path} cannot be read: {error}") from error

    def end(self) -> int:
        if self._closed:
            with self._read_lock:
                return self._check_last()[0]
        return self._end

    def ends(self) -> dict[int, int]:
        """Returns the end of every partition."""
        return {self.number: self.end()}

    def read_stored_rows(self, next_offset: int) -> list[tuple[Any, ...]]:
        """Returns a page of records from an offset on, with their digests as the last column."""
        columns = "offset, record_time, programme_id, coalesce(CAST(value AS BLOB), ''), digest"
        return self._read_page(columns, next_offset, _GROUP_RECORDS)

    def find_damage(self) -> tuple[list[int], int | None]:
        """Returns the offsets of damaged records, and the first missing offset or None."""
        damaged: list[int] = []
        expected = 0
        while page := self.read_stored_rows(expected):
            for offset, record_time, programme_id, value, digest in page:
                if offset != expected:
                    return damaged, expected
                if digest_record(record_time, programme_id, value) != digest:
                    damaged.append(offset)
                expected += 1
        return damaged, None

    def on_append(self, wake: Callable[[], None]) -> None:
        """Calls `wake` on the writer's thread after every append; callers must also poll."""
        self._append_listeners.append(wake)

    def close(self) -> None:
        """Writes all admitted appends, then closes the file."""
        with self._admission:
            was_closed, self._closed = self._closed, True
        if not was_closed:
            self._queue.put(None)
            self._writer.join()
            # On a full disk the records stay in the -wal file, where they are as safe.
            with suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # The last connection that may write removes the -wal and -shm files, which readers need
        # in a directory that they may not write to: so the reading connection closes last.
        self._connection.close()
        if self._reader is not None:
            self._reader.close()

    def _run_writer(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = self._take_group(first)
            self._commit(group)
            if last:
                return

    def _take_group(self, first: _Append) -> tuple[list[_Append], bool]:
        """Returns the waiting appends, up to the limit of a transaction, and whether to stop."""
        group, count, cost = [first], len(first.values), first.cost
        while count < _GROUP_RECORDS and cost < _GROUP_BYTES:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                return group, True
            group.append(following)
            count += len(following.values)
            cost += following.cost
        return group, False

    def _commit(self, group: list[_Append]) -> None:
        now = max(self._clock(), self._last_time)
        rows, positions, offset = [], [], self._end
        for append in group:
            for value in append.values:
                digest = digest_record(now, append.programme_id, value)
                rows.append((offset, now, append.programme_id, value, digest))
                offset += 1
            positions.append(Position(self.log_id, self.number, offset))
        failure = self._write_rows(rows)
        with self._admission:
            self._queued_bytes -= sum(append.cost for append in group)
        if failure is not None:
            for append in group:
                append.done.set_exception(failure)
            return
        self._tail.add([Record._make(row[:4]) for row in rows])
        self._end, self._last_time = offset, now
        failpoint("after_append_before_ack")
        for append, position in zip(group, positions, strict=True):
            append.done.set_result(position)
        for wake in self._append_listeners:
            wake()

    def _write_rows(self, rows: list[tuple[int, Instant, str, bytes, bytes]]) -> Exception | None:
        """Writes the rows; returns the error for their callers, None when they are durable."""
        if self._failed:
            return LogUnavailableError("the log failed and takes no more facts")
        try:
            if not truncate_wal(self._connection, self.path):
                return OverloadedError(
                    f"a reader holds an old state of {self.path}",
                    remedy="try again when it has ended",
                )
            failpoint("before_append")
            self._connection.execute("BEGIN IMMEDIATE")
            insert_rows(self._connection, "INSERT INTO record VALUES (?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            return self._translate_write_error(error)
        return None

    def _translate_write_error(self, error: sqlite3.Error) -> Exception:
        """Returns the error for the callers, and ends the log when the outcome is unknown."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if primary_code(error) in _NOTHING_WRITTEN:
            return make_write_error(error, self.path)
        self._failed = True
        failure = OutcomeUnknownError(
            f"writing {self.path} failed ({error})", remedy="restart mutua: the file decides"
        )
        self._on_failure(failure.message)
        return failure


def digest_record(record_time: Instant, programme_id: str, value: bytes) -> bytes:
    """Returns the digest that detects damage of a record."""
    return sha256(f"{record_time} {programme_id} ".encode() + value).digest()[:16]
