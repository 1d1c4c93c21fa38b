"""The read models in PostgreSQL: projectors own partitions, query processes only read."""

import logging
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select, union_all
from sqlalchemy.exc import DBAPIError

from services.adapters.failpoint import failpoint
from services.adapters.postgres import schema, slab
from services.adapters.postgres.driver import (
    Error,
    PostgresConnection,
    find_cause,
    is_lost,
    make_engine,
)
from services.adapters.postgres.schema import (
    Build,
    activate_if_caught_up,
    recheck_build_to_read,
    recheck_build_to_write,
    require_newest_schema,
    select_build_to_write,
    select_schema_to_read,
)
from services.adapters.postgres.snapshot import (
    HANG_GRACE_SECONDS,
    MAX_QUERY_SECONDS,
    PostgresSnapshot,
)
from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.ledger_loader import load_dictionary, load_ledger, match_many
from services.adapters.sql_store.tables import (
    FactRow,
    HoldRow,
    PositionRow,
    ProgrammeRow,
    WaitingRow,
)
from services.ledger.changes import ProgrammeChanges
from services.ledger.errors import FencedWriterError, LogUnavailableError, StoreBusyError
from services.ledger.records import MAX_PROJECTION_FAILURES, Hold, Watermark
from services.ledger.state import Ledger, Needs

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_READERS: Final = 8
# decision 0071: read models commit without waiting for the disk
_WRITING: Final = {"synchronous_commit": "off"}
"""A crash of the server may lose the last slabs, never a part of one: their position is lost with
them, and the log has their facts."""
_READING: Final = {
    "statement_timeout": f"{MAX_QUERY_SECONDS:g}s",
    "idle_in_transaction_session_timeout": "10min",  # verify folds a log between two statements
}
_LOCKED: Final = "55P03"
_CONFLICTS: Final = ("40001", "40P01")
_TRANSIENT: Final = ("25006", "28", "3D", "40", "53", "55P03", "57014")
"""Codes and classes of codes of transient errors: the same call may succeed later."""
_GONE: Final = ("3F000", "42P01")
# decision 0073: a slab moves the position first
_END_OWNERS: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ANY ($1) AND pid <> pg_backend_pid()
"""
_SAVE_HOLD: Final = """
    INSERT INTO held VALUES ($1, $2, $3, $4) ON CONFLICT (partition) DO UPDATE
    SET "offset" = excluded."offset", reason = excluded.reason, crash_count = excluded.crash_count
"""
_DELETE_HOLDS: Final = f"""
    DELETE FROM {{schema}}.held
    WHERE (partition = ANY ($1) OR cardinality($1::integer[]) = 0)
        AND crash_count NOT BETWEEN 1 AND {MAX_PROJECTION_FAILURES - 1}
    RETURNING partition, "offset", reason, crash_count
"""


class PostgresStore:
    """Implements `ports.ProjectionStore` and `ports.QueryStore`.

    Any number of threads may read; a projector uses it on one thread and owns the partitions that
    it commits to. While the database is away, full or locked, projection methods raise
    StoreBusyError, and snapshots raise LogUnavailableError.
    """

    def __init__(self, url: str, *, build: Build | None = None, read_only: bool = False) -> None:
        """Opens `build` to write it; without one, selects the read models to read or to write.

        Raises LogUnavailableError when the database does not answer, ForeignDataError when it has
        no read models to read, NewerSchemaError when a newer mutua made them.
        """
        self._url = url
        self._read_only = read_only
        self._build = build or (_select_to_read(url) if read_only else select_build(url))
        self._engine = make_engine(self._open_reader, _READERS, checks_connections=read_only)
        self._writer: PostgresConnection | None = None
        self._is_active = not self._build.switches_over
        self._uncertain_watermark: Watermark | None = None
        """Watermark of a commit whose outcome is unknown, because no answer came."""
        self._programmes: dict[str, int] = {}
        self._dictionaries: dict[str, ProgrammeDictionary] = {}

    @property
    def name(self) -> str:
        return self.schema

    @property
    def schema(self) -> str:
        return self._build.schema

    def read_watermark(self, partition: int) -> Watermark | None:
        position = PositionRow.table()
        statement = select(position).where(position.c.partition == partition)
        row = self._read(lambda connection: connection.execute(statement).first())
        if row is None:
            return None
        return Watermark(row.log_id, partition, row.next_offset, row.record_time, row.digest)

    def read_positions(self) -> Mapping[int, int]:
        position = PositionRow.table().c
        statement = select(position.partition, position.next_offset)
        rows = self._read(lambda connection: connection.execute(statement).all())
        return {row.partition: row.next_offset for row in rows}

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        def load(connection: Connection) -> Ledger:
            programme = self._find_programme(connection, programme_id)
            if programme is None:
                return Ledger()
            return load_ledger(connection, programme, programme_id, needs)

        return self._read(load)

    def find_used_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        if not event_ids:
            return set()
        fact, waiting, ids = FactRow.table().c, WaitingRow.table().c, list(event_ids)

        def find_used(connection: Connection) -> set[str]:
            programme = self._find_programme(connection, programme_id)
            if programme is None:
                return set()
            recorded = select(fact.event_id).where(
                fact.programme == programme, match_many(connection, fact.event_id)
            )
            awaited = select(waiting.awaited).where(
                waiting.programme == programme, match_many(connection, waiting.awaited)
            )
            return {
                row[0] for row in connection.execute(union_all(recorded, awaited), {"many": ids})
            }

        return self._read(find_used)

    def commit(self, changes: Sequence[ProgrammeChanges], start: int, end: Watermark) -> None:
        try:
            dictionaries = [self._get_dictionary(programme.programme_id) for programme in changes]
            rows = slab.make_staged_rows(zip(changes, dictionaries, strict=True), end.partition)
            self._write(rows, start, end)
        except BaseException:
            self._roll_back()
            self._clear_caches()
            raise
        failpoint("after_commit_before_ack")
        if not self._is_active:
            self._try_switch_over()

    def read_hold(self, partition: int) -> Hold | None:
        hold_table = HoldRow.metadata.tables["held"]
        statement = select(hold_table).where(hold_table.c.partition == partition)
        row = self._read(lambda connection: connection.execute(statement).first())
        return None if row is None else Hold(*row)

    def save_hold(self, hold: Hold) -> None:
        failpoint("before_hold")
        self._execute(_SAVE_HOLD, *astuple(hold))
        failpoint("after_hold")

    def delete_hold(self, partition: int) -> None:
        self._execute("DELETE FROM held WHERE partition = $1", partition)

    def invalidate_watermark(self, partition: int) -> None:
        self._execute("UPDATE position SET digest = '' WHERE partition = $1", partition)

    def fence(self, partitions: Collection[int]) -> None:
        """Ends the transactions of other processes on these partitions."""
        self._execute(_END_OWNERS, [*map(self._owner, partitions)])

    def require_current(self) -> None:
        """Raises SupersededReadModelsError when other read models are to be written."""
        try:
            writer = self._open_writer()
            self._build = writer.run(recheck_build_to_write(writer.raw, self._build))
        except Error as error:
            self._recover(error)
            raise _translate_transient(error) from error

    @contextmanager
    def open_snapshot(self, partition: int) -> Iterator[PostgresSnapshot]:
        with _translate_read_errors(), self._engine.connect() as connection:
            snapshot = PostgresSnapshot.begin(connection, partition)
            if self._read_only:
                self._build = snapshot.run(recheck_build_to_read, self._build)
            yield snapshot

    def close(self) -> None:
        self._drop_writer()
        self._engine.dispose()

    def _owner(self, partition: int) -> str:
        """Returns the application name of a connection while it changes a partition."""
        return f"{self.schema} partition {partition}"

    def _write(self, rows: slab.StagedRows, start: int, end: Watermark) -> None:
        """Tries again at once after a lost connection, a lock or a conflict."""
        owner = self._owner(end.partition)
        for is_last in (False, True):
            try:
                self._transaction(rows, start, end, owner)
                return
            except Error as error:
                self._recover(error)
                if is_last or not (error.lost or error.code in (_LOCKED, *_CONFLICTS)):
                    raise _translate_transient(error) from error
                logger.info("writing a slab again: %s", error)
                if error.code == _LOCKED:
                    self.fence([end.partition])

    def _transaction(self, rows: slab.StagedRows, start: int, end: Watermark, owner: str) -> None:
        writer = self._open_writer()
        if not writer.run(slab.begin_at(writer.raw, self._build, start, end, owner)):
            if self._uncertain_watermark == end == self.read_watermark(end.partition):
                self._roll_back()
                self._clear_caches()  # committed by us, or by an owner with its own numbers
                return
            self._roll_back()
            before = self._build
            self.require_current()
            if self._build == before:
                raise FencedWriterError(f"partition {end.partition} is no longer at offset {start}")
            self._transaction(rows, start, end, owner)  # while other read models are active
            return
        failpoint("after_move")
        writer.run(slab.insert_rows(writer.raw, rows, self.schema, end))
        failpoint("in_slab")
        self._uncertain_watermark = end
        writer.commit()
        self._uncertain_watermark = None

    def _try_switch_over(self) -> None:
        """Makes these read models active once they have caught up with the active ones."""
        writer = self._open_writer()
        with suppress(Error):  # the next slab tries again
            self._is_active = writer.run(activate_if_caught_up(writer.raw, self.schema))

    def _recover(self, error: DBAPIError | Error) -> None:
        """Ends the transaction.

        A projector that lost a connection closes all of them, because waiting for one after the
        other could take too long.
        """
        if is_lost(error) and not self._read_only:
            self.close()  # connections are opened again when they are needed
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        """Ends the transaction, and drops a lost connection; the next use opens a new one."""
        with suppress(Error):
            if self._writer is not None:
                self._writer.rollback()
        if self._writer is not None and self._writer.raw.is_closed():
            self._drop_writer()

    def _execute(self, statement: str, *values: Any) -> None:
        """Runs an idempotent statement in its own transaction."""

        def execute() -> None:
            writer = self._open_writer()
            writer.run(writer.raw.execute(statement, *values))

        self._retry_if_lost(execute)

    def _read(self, query: Callable[[Connection], _T]) -> _T:
        """Runs a read that a projector needs, twice where a connection was lost."""

        def read() -> _T:
            with self._engine.connect() as connection:
                return query(connection)

        return self._retry_if_lost(read)

    def _retry_if_lost(self, work: Callable[[], _T], *, is_last: bool = False) -> _T:
        """Returns what `work` returns; runs it again at once when a connection was lost."""
        try:
            return work()
        except (DBAPIError, Error) as error:
            self._recover(error)
            if is_last or not is_lost(error):
                raise _translate_transient(error) from error
        return self._retry_if_lost(work, is_last=True)

    def _find_programme(self, connection: Connection, programme_id: str) -> int | None:
        """Returns the number of a programme, None when it has none."""
        if programme_id not in self._programmes:
            programme = ProgrammeRow.table().c
            number = connection.execute(
                select(programme.programme).where(programme.programme_id == programme_id)
            ).scalar()
            if number is None:
                return None
            self._programmes[programme_id] = number
        return self._programmes[programme_id]

    def _get_dictionary(self, programme_id: str) -> ProgrammeDictionary:
        """Returns the dictionary of a programme; a new programme gets a number."""

        def load(connection: Connection) -> ProgrammeDictionary:
            number = self._find_programme(connection, programme_id)
            if number is None:
                number = self._programmes[programme_id] = self._assign_number()
            return load_dictionary(connection, number)

        if programme_id not in self._dictionaries:
            self._dictionaries[programme_id] = self._read(load)
        return self._dictionaries[programme_id]

    def _assign_number(self) -> int:
        """Returns a programme number that no process ever assigned."""
        writer = self._open_writer()
        return int(writer.run(writer.raw.fetchval("SELECT nextval('programme_number')")))

    def _clear_caches(self) -> None:
        self._programmes.clear()
        self._dictionaries.clear()

    def _open_reader(self) -> PostgresConnection:
        settings = {"search_path": self.schema, "application_name": f"{self.schema} reading"}
        if not self._read_only:
            return PostgresConnection(self._url, settings)
        return PostgresConnection(
            self._url, settings | _READING, timeout_seconds=MAX_QUERY_SECONDS + HANG_GRACE_SECONDS
        )

    def _open_writer(self) -> PostgresConnection:
        if self._writer is None:
            assert not self._read_only, "these read models were opened to be read"
            settings = {"search_path": self.schema, "application_name": f"{self.schema} projecting"}
            writer = PostgresConnection(self._url, settings | _WRITING)
            try:
                writer.run(slab.create_staging_tables(writer.raw))
            except BaseException:
                writer.close()
                raise
            self._writer = writer
        return self._writer

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def select_build(url: str) -> Build:
    """Returns the build that a projector writes; raises as `PostgresStore` does."""
    return _ask(url, select_build_to_write)


def release_holds(url: str, partitions: Collection[int]) -> list[Hold]:
    """Deletes the holds of these partitions, of all when none are named; projectors try again.

    Returns the deleted holds, by partition. Raises LogUnavailableError when the database does not
    answer, ForeignDataError when it has no read models of this version.
    """

    async def delete(raw: Any) -> Any:
        return await raw.fetch(
            _DELETE_HOLDS.format(schema=await require_newest_schema(raw)), list(partitions)
        )

    rows = _ask(url, delete)
    return sorted((Hold(*row) for row in rows), key=lambda hold: hold.partition)


def read_token_key(url: str) -> bytes | None:
    """Returns the key of resume tokens; None before a projector of this version has started.

    Raises LogUnavailableError when the database does not answer.
    """
    return _ask(url, schema.read_token_key)


def _select_to_read(url: str) -> Build:
    schema = _ask(url, select_schema_to_read)
    return Build(schema, schema)


def _ask(url: str, query: Callable[[Any], Coroutine[Any, Any, _T]]) -> _T:
    with (
        _translate_read_errors(),
        closing(PostgresConnection(url, {"application_name": "mutua"})) as connection,
    ):
        return connection.run(query(connection.raw))


def _translate_transient(error: DBAPIError | Error) -> Exception:
    """Returns StoreBusyError for a transient error, else the error itself."""
    cause = find_cause(error)
    if isinstance(cause, Error) and (cause.lost or cause.code.startswith(_TRANSIENT)):
        return StoreBusyError(f"the read models cannot be reached at the moment: {cause}")
    return error


@contextmanager
def _translate_read_errors() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, Error) as error:
        cause = find_cause(error)
        if isinstance(cause, Error) and cause.code in _GONE:
            raise LogUnavailableError(
                "the read models were dropped and others are active", remedy="ask again"
            ) from error
        translated = _translate_transient(error)
        if isinstance(translated, StoreBusyError):
            raise LogUnavailableError(str(translated)) from error
        raise
