"""The read models as one SQLite file beside the log."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from services.adapters.crash_point import crash_point
from services.adapters.sql_store.loading import load_ledger
from services.adapters.sql_store.reading import SqlSnapshot
from services.adapters.sql_store.rows import Parties, insertions
from services.adapters.sqlite_file import open_file
from services.adapters.tables import (
    MODEL_VERSION,
    JointPartyRow,
    LegRow,
    OrganizationMonthRow,
    PositionRow,
    ReadModel,
)
from services.ledger.changes import Changes, Needs
from services.ledger.months import FIELDS as MONTH_FIELDS
from services.ledger.ports import StaleWriter, StoreBusy, Watermark
from services.ledger.state import Ledger

_READERS: Final = 8


class SqliteStore:
    """See `ports.ProjectionStore` and `ports.QueryStore`. One writer, many readers."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Raises DataForeign or SchemaAhead when the file is not what this mutua writes."""
        first = open_file(path, version=MODEL_VERSION, durable=False, read_only=read_only)
        self._writer = first
        self._read_only = read_only
        self._closed = False
        if not read_only:
            _create_tables(first)
        self._engine = _engine(path)
        self._own = create_engine(
            "sqlite://", creator=lambda: first, poolclass=StaticPool, isolation_level="AUTOCOMMIT"
        )
        self._programmes: dict[str, int] = {}
        self._parties: dict[str, Parties] = {}

    def watermark(self) -> Watermark | None:
        position = PositionRow.table()
        with self._engine.connect() as connection:
            found = connection.execute(select(position)).first()
        if found is None:
            return None
        return Watermark(found.log_id, found.next_offset, found.record_time, found.digest)

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        programme = self._known().get(programme_id)
        if programme is None:
            return Ledger()
        with self._own.connect() as connection:
            return load_ledger(connection, programme, programme_id, needs)

    def commit(self, changes: Sequence[Changes], start: int, end: Watermark) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise StoreBusy(f"the read models are held by another process: {error}") from error
            raise
        try:
            self._advance(start, end)
            for each in changes:
                self._write(each)
            crash_point("in_slab")
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            self._programmes.clear()
            self._parties.clear()
            raise
        crash_point("after_commit_before_ack")

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        with self._engine.connect() as connection, connection.begin():
            yield SqlSnapshot(connection)

    def close(self) -> None:
        """Leaves the -wal and -shm files, for readers who may not write here; see `sqlite_log`."""
        if self._closed:
            return
        self._closed = True
        if not self._read_only:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with self._engine.connect() as last:
            last.execute(select(PositionRow.table()))
            last.rollback()
            self._own.dispose()
            self._writer.close()
        self._engine.dispose()

    def _advance(self, start: int, end: Watermark) -> None:
        row = (end.log_id, end.next_offset, end.record_time, end.digest)
        moved = self._writer.execute(
            "UPDATE position SET log_id = ?, next_offset = ?, record_time = ?, digest = ? "
            "WHERE partition = 0 AND next_offset = ? AND log_id = ?",
            (*row, start, end.log_id),
        ).rowcount
        if moved == 0 and start == 0:
            moved = self._writer.execute(
                "INSERT INTO position VALUES (0, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row
            ).rowcount
        if moved == 0:
            raise StaleWriter(f"the read models are no longer at offset {start}")

    def _write(self, changes: Changes) -> None:
        programme = self._programme(changes.programme_id)
        write = self._writer.executemany
        waiting = changes.journal.waiting
        if waiting:
            write(
                "DELETE FROM waiting WHERE programme = ? AND event_id = ?",
                [(programme, event_id) for event_id in waiting],
            )
        for table in (LegRow, JointPartyRow):
            write(
                f"DELETE FROM {table.__tablename__} WHERE programme = ? AND exchange = ?",
                [(programme, number) for number in changes.cleared],
            )
        for model, rows in insertions(
            programme, changes, self._parties[changes.programme_id]
        ).items():
            if rows:
                write(_INSERT[model], rows)
        write(
            "UPDATE exchange SET to_offset = ? "
            "WHERE programme = ? AND exchange = ? AND revision = ?",
            [(offset, programme, number, revision) for number, revision, offset in changes.fallen],
        )
        if changes.cleared:
            self._drop_empty_months(programme)

    def _drop_empty_months(self, programme: int) -> None:
        self._writer.execute(
            "DELETE FROM organization_month WHERE programme = ? AND given_exchange_count = 0 "
            "AND received_exchange_count = 0 AND joint_count = 0",
            (programme,),
        )

    def _programme(self, programme_id: str) -> int:
        """The dense number of a programme, given when it is met first; with its parties known."""
        if programme_id not in self._parties:
            number = self._known().setdefault(programme_id, len(self._programmes))
            self._parties[programme_id] = Parties(
                dict(
                    self._writer.execute(
                        "SELECT organization_id, party FROM party WHERE programme = ?", (number,)
                    )
                )
            )
            self._writer.execute(
                "INSERT INTO programme VALUES (?, ?) ON CONFLICT DO NOTHING", (number, programme_id)
            )
        return self._programmes[programme_id]

    def _known(self) -> dict[str, int]:
        """The numbers of all programmes; read once, as nobody else writes."""
        if not self._programmes:
            self._programmes = dict(
                self._writer.execute("SELECT programme_id, programme FROM programme")
            )
        return self._programmes


def _create_tables(connection: sqlite3.Connection) -> None:
    dialect = sqlite.dialect()
    for table in ReadModel.metadata.sorted_tables:
        connection.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        for index in table.indexes:
            connection.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)))


def _engine(path: Path) -> Engine:
    """Readers: each transaction is one snapshot, which SQLite takes at the first statement."""
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


def _insert(model: type[ReadModel]) -> str:
    places = ", ".join("?" for _ in model.model_fields)
    return f"INSERT INTO {model.__tablename__} VALUES ({places})"


_INSERT: Final = {
    model: _insert(model)
    for model in ReadModel.__subclasses__()
    if model is not OrganizationMonthRow
} | {
    OrganizationMonthRow: f"{_insert(OrganizationMonthRow)} ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in MONTH_FIELDS)
}
