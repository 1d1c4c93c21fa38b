"""The read models as one SQLite file next to the log."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from services.adapters.failpoint import failpoint
from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.ledger_loader import load_dictionary, load_ledger
from services.adapters.sql_store.slab_rows import IS_EMPTY_MONTH, UPDATES, make_slab_rows
from services.adapters.sql_store.snapshot import SqlSnapshot
from services.adapters.sql_store.tables import (
    MODEL_VERSION,
    JointPartyRow,
    LegRow,
    PositionRow,
    ProgrammeRow,
    ReadModelRow,
)
from services.adapters.sqlite.database_file import (
    insert_rows,
    open_file,
    primary_code,
    truncate_wal,
)
from services.ledger.changes import ProgrammeChanges
from services.ledger.errors import FencedWriterError, StoreBusyError
from services.ledger.records import Hold, Watermark
from services.ledger.state import Ledger, Needs

_READERS: Final = 8
_FIND_USED_IDS: Final = """
    SELECT event_id FROM fact
    WHERE programme = ? AND event_id IN (SELECT value FROM json_each(?))
    UNION ALL
    SELECT awaited FROM waiting
    WHERE programme = ? AND awaited IN (SELECT value FROM json_each(?))
"""


class SqliteStore:
    """Implements `ports.ProjectionStore` and `ports.QueryStore` for one writer and many readers."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Raises ForeignDataError or NewerSchemaError when the file is not what this mutua
        writes.
        """
        first = open_file(path, version=MODEL_VERSION, durable=False, read_only=read_only)
        self.path = path
        self._writer = first
        self._read_only = read_only
        self._closed = False
        if not read_only:
            try:
                _create_tables(first)
            except BaseException:
                first.close()
                raise
        self._engine = _make_engine(path)
        self._writer_engine = create_engine(
            "sqlite://",
            creator=lambda: first,
            poolclass=StaticPool,
            isolation_level="AUTOCOMMIT",
        )
        self._programmes: dict[str, int] = {}
        self._dictionaries: dict[str, ProgrammeDictionary] = {}

    @property
    def name(self) -> str:
        return self.path.name

    def read_watermark(self, partition: int) -> Watermark | None:
        position = PositionRow.table()
        statement = select(position).where(position.c.partition == partition)
        with self._engine.connect() as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        return Watermark(row.log_id, partition, row.next_offset, row.record_time, row.digest)

    def read_positions(self) -> Mapping[int, int]:
        position = PositionRow.table().c
        with self._engine.connect() as connection:
            rows = connection.execute(select(position.partition, position.next_offset))
            return {row.partition: row.next_offset for row in rows}

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        programme = self._load_programmes().get(programme_id)
        if programme is None:
            return Ledger()
        with self._writer_engine.connect() as connection:
            return load_ledger(connection, programme, programme_id, needs)

    def find_used_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        programme = self._load_programmes().get(programme_id)
        if programme is None:
            return set()
        ids = json.dumps(list(event_ids))
        return {
            row[0] for row in self._writer.execute(_FIND_USED_IDS, (programme, ids, programme, ids))
        }

    def commit(self, changes: Sequence[ProgrammeChanges], start: int, end: Watermark) -> None:
        # Loaded before the transaction begins, because closing a reading connection would end it.
        dictionaries = [self._get_dictionary(programme.programme_id) for programme in changes]
        with _translate_busy(), self._transaction():
            self._advance(start, end)
            for programme, dictionary in zip(changes, dictionaries, strict=True):
                self._write(programme, dictionary, end.partition)
            failpoint("in_slab")
        failpoint("after_commit_before_ack")

    def read_hold(self, partition: int) -> Hold | None:
        cursor = self._writer.execute("SELECT * FROM held WHERE partition = ?", (partition,))
        row = cursor.fetchone()
        return None if row is None else Hold(*row)

    def save_hold(self, hold: Hold) -> None:
        self._writer.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?)", astuple(hold))

    def delete_hold(self, partition: int) -> None:
        self._writer.execute("DELETE FROM held WHERE partition = ?", (partition,))

    def invalidate_watermark(self, partition: int) -> None:
        self._writer.execute("UPDATE position SET digest = x'' WHERE partition = ?", (partition,))

    @contextmanager
    def open_snapshot(self, partition: int) -> Iterator[SqlSnapshot]:
        with self._engine.connect() as connection, connection.begin():
            yield SqlSnapshot(connection, partition)

    def close(self) -> None:
        """Leaves the -wal and -shm files, for readers who may not write here; see `log`."""
        if self._closed:
            return
        self._closed = True
        with ExitStack() as connections:
            connections.callback(self._engine.dispose)
            connections.callback(self._writer.close)
            if not self._read_only:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with self._engine.connect() as last:
                last.execute(select(PositionRow.table()))
                last.rollback()
                self._writer_engine.dispose()
                self._writer.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if not truncate_wal(self._writer, self.path):
            raise StoreBusyError("a reader holds an old state of the read models")
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            self._programmes.clear()
            self._dictionaries.clear()
            raise

    def _advance(self, start: int, end: Watermark) -> None:
        row = (end.log_id, end.next_offset, end.record_time, end.digest)
        moved = self._writer.execute(
            "UPDATE position SET log_id = ?, next_offset = ?, record_time = ?, digest = ? "
            "WHERE partition = ? AND next_offset = ? AND log_id = ?",
            (*row, end.partition, start, end.log_id),
        ).rowcount
        if moved == 0 and start == 0:
            moved = self._writer.execute(
                "INSERT INTO position VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (end.partition, *row),
            ).rowcount
        if moved == 0:
            raise FencedWriterError(f"partition {end.partition} is no longer at offset {start}")

    def _write(
        self, changes: ProgrammeChanges, dictionary: ProgrammeDictionary, partition: int
    ) -> None:
        programme = dictionary.programme
        write = self._writer.executemany
        waiting = changes.journal.waiting_changes
        if waiting:
            write(
                "DELETE FROM waiting WHERE programme = ? AND event_id = ?",
                [(programme, event_id) for event_id in waiting],
            )
        for table in (LegRow, JointPartyRow):
            write(
                f"DELETE FROM {table.__tablename__} WHERE programme = ? AND exchange = ?",
                [(programme, number) for number in changes.cleared_exchanges],
            )
        for model, rows in make_slab_rows(dictionary, changes).items():
            insert_rows(self._writer, _INSERT[model], rows)
        write(
            "UPDATE exchange SET to_offset = ? "
            "WHERE programme = ? AND exchange = ? AND revision = ?",
            [
                (offset, programme, number, revision)
                for number, revision, offset in changes.superseded_revisions
            ],
        )
        if changes.cleared_exchanges:
            self._writer.execute(_DROP_EMPTY_MONTHS, (programme,))
        row = (programme, changes.programme_id, partition, changes.last_offset)
        self._writer.execute(_INSERT[ProgrammeRow], row)

    def _get_dictionary(self, programme_id: str) -> ProgrammeDictionary:
        """Returns the dictionary of a programme; a new programme gets a number."""
        if programme_id not in self._dictionaries:
            number = self._load_programmes().setdefault(programme_id, len(self._programmes))
            with self._writer_engine.connect() as connection:
                self._dictionaries[programme_id] = load_dictionary(connection, number)
        return self._dictionaries[programme_id]

    def _load_programmes(self) -> dict[str, int]:
        """Returns the numbers of all programmes, cached because nobody else writes."""
        if not self._programmes:
            self._programmes = dict(
                self._writer.execute("SELECT programme_id, programme FROM programme")
            )
        return self._programmes


@contextmanager
def _translate_busy() -> Iterator[None]:
    """Raises StoreBusyError while the file is locked or the disk is full."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL):
            raise StoreBusyError(f"the read models cannot be written for now: {error}") from error
        raise


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in _make_schema():
        connection.execute(statement)


@cache
def _make_schema() -> list[str]:
    """The statements that create the tables and indexes that are missing."""
    parts: list[CreateTable | CreateIndex] = []
    for table in ReadModelRow.metadata.sorted_tables:
        parts.append(CreateTable(table, if_not_exists=True))
        parts += [CreateIndex(index, if_not_exists=True) for index in table.indexes]
    dialect = sqlite.dialect()
    return [str(part.compile(dialect=dialect)) for part in parts]


def _make_engine(path: Path) -> Engine:
    """Returns an engine for readers: a transaction is a snapshot, taken at its first statement."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: open_file(path, version=MODEL_VERSION, durable=False, read_only=True),
        poolclass=QueuePool,
        pool_size=_READERS,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _make_insert(model: type[ReadModelRow]) -> str:
    places = ", ".join("?" for _ in model.model_fields)
    return f"INSERT INTO {model.__tablename__} VALUES ({places})"


_DROP_EMPTY_MONTHS: Final = (
    f"DELETE FROM organization_month WHERE programme = ? AND {IS_EMPTY_MONTH}"
)
_INSERT: Final = {
    model: _make_insert(model)
    + (f" ON CONFLICT DO UPDATE SET {UPDATES[model]}" if model in UPDATES else "")
    for model in ReadModelRow.__subclasses__()
}
