"""The read models in PostgreSQL: those who project own partitions, those who ask only read."""

import logging
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select, union_all
from sqlalchemy.exc import DBAPIError

from services.adapters.failpoint import failpoint
from services.adapters.postgres import slab
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
from services.ledger.records import MAX_PROJECTION_CRASHES, Hold, Watermark
from services.ledger.state import Ledger, Needs

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_READERS: Final = 8
# decision 0071: read models commit without waiting for the disk
_WRITING: Final = {"synchronous_commit": "off"}
"""A crash of the server may lose the last slabs, never a part of one: the position goes with them,
and the log has their facts."""
_ASKING: Final = {
    "statement_timeout": f"{MAX_QUERY_SECONDS:g}s",
    "idle_in_transaction_session_timeout": "10min",  # verify folds a log in between
}
_LOCKED: Final = "55P03"
_CONFLICTS: Final = ("40001", "40P01")
_PASSING: Final = ("25006", "28", "3D", "40", "53", "55P03", "57014")
"""Codes, and classes of codes, of what may be over soon: the same again may succeed."""
_GONE: Final = ("3F000", "42P01")
# decision 0073: a slab moves the position first
_END_OWNERS: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ANY ($1) AND pid <> pg_backend_pid()
"""
_HOLD: Final = """
    INSERT INTO held VALUES ($1, $2, $3, $4) ON CONFLICT (partition) DO UPDATE
    SET "offset" = excluded."offset", reason = excluded.reason, crash_count = excluded.crash_count
"""
_RELEASE: Final = f"""
    DELETE FROM {{schema}}.held
    WHERE (partition = ANY ($1) OR cardinality($1::integer[]) = 0)
        AND crash_count NOT BETWEEN 1 AND {MAX_PROJECTION_CRASHES - 1}
    RETURNING partition, "offset", reason, crash_count
"""


class PostgresStore:
    """See `ports.ProjectionStore` and `ports.QueryStore`.

    Any number may read; whoever projects uses it on one thread, and owns the partitions it commits
    to. Projecting raises StoreBusyError while the database is away, full or taken, asking
    LogUnavailableError.
    """

    def __init__(self, url: str, *, build: Build | None = None, read_only: bool = False) -> None:
        """Opens a build to write it, else what is to be read or written.

        Raises LogUnavailableError when the database does not answer, ForeignDataError when there is
        nothing to read in it, NewerSchemaError when a newer mutua made what is there.
        """
        self._url = url
        self._read_only = read_only
        self._build = build or (_to_read(url) if read_only else select_build(url))
        self._engine = make_engine(self._open_reader, _READERS, checks_connections=read_only)
        self._writer: PostgresConnection | None = None
        self._is_active = not self._build.switches_over
        self._uncertain_watermark: Watermark | None = None
        """Where the partition may be, of a commit that was not answered."""
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
        found = select(position).where(position.c.partition == partition)
        row = self._read(lambda connection: connection.execute(found).first())
        if row is None:
            return None
        return Watermark(row.log_id, partition, row.next_offset, row.record_time, row.digest)

    def read_positions(self) -> Mapping[int, int]:
        position = PositionRow.table().c
        found = select(position.partition, position.next_offset)
        rows = self._read(lambda connection: connection.execute(found).all())
        return {row.partition: row.next_offset for row in rows}

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        def load(connection: Connection) -> Ledger:
            programme = self._programme(connection, programme_id)
            if programme is None:
                return Ledger()
            return load_ledger(connection, programme, programme_id, needs)

        return self._read(load)

    def find_used_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        if not event_ids:
            return set()
        fact, waiting, ids = FactRow.table().c, WaitingRow.table().c, list(event_ids)

        def among_them(connection: Connection) -> set[str]:
            programme = self._programme(connection, programme_id)
            if programme is None:
                return set()
            seen = select(fact.event_id).where(
                fact.programme == programme, match_many(connection, fact.event_id)
            )
            awaited = select(waiting.awaited).where(
                waiting.programme == programme, match_many(connection, waiting.awaited)
            )
            return {row[0] for row in connection.execute(union_all(seen, awaited), {"many": ids})}

        return self._read(among_them)

    def commit(self, changes: Sequence[ProgrammeChanges], start: int, end: Watermark) -> None:
        try:
            dictionaries = [self._dictionary(each.programme_id) for each in changes]
            rows = slab.make_staged_rows(zip(changes, dictionaries, strict=True), end.partition)
            self._write(rows, start, end)
        except BaseException:
            self._roll_back()
            self._forget()
            raise
        failpoint("after_commit_before_ack")
        if not self._is_active:
            self._try_switch_over()

    def read_hold(self, partition: int) -> Hold | None:
        held = HoldRow.metadata.tables["held"]
        found = select(held).where(held.c.partition == partition)
        row = self._read(lambda connection: connection.execute(found).first())
        return None if row is None else Hold(*row)

    def save_hold(self, hold: Hold) -> None:
        failpoint("before_hold")
        self._execute(_HOLD, *astuple(hold))
        failpoint("after_hold")

    def delete_hold(self, partition: int) -> None:
        self._execute("DELETE FROM held WHERE partition = $1", partition)

    def invalidate_watermark(self, partition: int) -> None:
        self._execute("UPDATE position SET digest = '' WHERE partition = $1", partition)

    def fence(self, partitions: Collection[int]) -> None:
        """Ends what others have under way of these partitions."""
        self._execute(_END_OWNERS, [*map(self._owner, partitions)])

    def require_current(self) -> None:
        """Raises SupersededReadModelsError when others are to be written by now, StoreBusyError."""
        try:
            writer = self._open_writer()
            self._build = writer.run(recheck_build_to_write(writer.raw, self._build))
        except Error as error:
            self._recover(error)
            raise _passing(error) from error

    @contextmanager
    def open_snapshot(self, partition: int) -> Iterator[PostgresSnapshot]:
        with _asked(), self._engine.connect() as connection:
            snapshot = PostgresSnapshot.begin(connection, partition)
            if self._read_only:
                self._build = snapshot.run(recheck_build_to_read, self._build)
            yield snapshot

    def close(self) -> None:
        self._drop_writer()
        self._engine.dispose()

    def _owner(self, partition: int) -> str:
        """Under what name a connection changes a partition, while it does."""
        return f"{self.schema} partition {partition}"

    def _write(self, rows: slab.StagedRows, start: int, end: Watermark) -> None:
        """Tries again at once where something of another process, or of before, was in the way."""
        owner = self._owner(end.partition)
        for is_last in (False, True):
            try:
                self._transaction(rows, start, end, owner)
                return
            except Error as error:
                self._recover(error)
                if is_last or not (error.lost or error.code in (_LOCKED, *_CONFLICTS)):
                    raise _passing(error) from error
                logger.info("a slab is written again: %s", error)
                if error.code == _LOCKED:
                    self.fence([end.partition])

    def _transaction(self, rows: slab.StagedRows, start: int, end: Watermark, owner: str) -> None:
        writer = self._open_writer()
        if not writer.run(slab.begin_at(writer.raw, self._build, start, end, owner)):
            if self._uncertain_watermark == end == self.read_watermark(end.partition):
                self._roll_back()
                self._forget()  # it was committed, by us or by an owner who numbered for itself
                return
            self._roll_back()
            before = self._build
            self.require_current()
            if self._build == before:
                raise FencedWriterError(f"partition {end.partition} is no longer at offset {start}")
            self._transaction(rows, start, end, owner)  # beside others that answer
            return
        failpoint("after_move")
        writer.run(slab.insert_rows(writer.raw, rows, self.schema, end))
        failpoint("in_slab")
        self._uncertain_watermark = end
        writer.commit()
        self._uncertain_watermark = None

    def _try_switch_over(self) -> None:
        """Has these read models answer once they are as far as those that do."""
        writer = self._open_writer()
        with suppress(Error):  # the next slab asks again
            self._is_active = writer.run(activate_if_caught_up(writer.raw, self.schema))

    def _recover(self, error: DBAPIError | Error) -> None:
        """Ends what is under way. Whoever projects trusts no other connection either where one was
        lost: each might be waited for, one after the other.
        """
        if is_lost(error) and not self._read_only:
            self.close()  # all are opened anew when they are needed
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        """Ends what is under way; a connection that was lost is opened anew when it is needed."""
        with suppress(Error):
            if self._writer is not None:
                self._writer.rollback()
        if self._writer is not None and self._writer.raw.is_closed():
            self._drop_writer()

    def _execute(self, statement: str, *values: Any) -> None:
        """In a transaction of its own; may be done twice."""

        def execute() -> None:
            writer = self._open_writer()
            writer.run(writer.raw.execute(statement, *values))

        self._retry_if_lost(execute)

    def _read(self, question: Callable[[Connection], _T]) -> _T:
        """What whoever projects has to know; may be asked twice."""

        def read() -> _T:
            with self._engine.connect() as connection:
                return question(connection)

        return self._retry_if_lost(read)

    def _retry_if_lost(self, work: Callable[[], _T], *, is_last: bool = False) -> _T:
        """What the work returns; it is done again at once where a connection was lost."""
        try:
            return work()
        except (DBAPIError, Error) as error:
            self._recover(error)
            if is_last or not is_lost(error):
                raise _passing(error) from error
        return self._retry_if_lost(work, is_last=True)

    def _programme(self, connection: Connection, programme_id: str) -> int | None:
        """The number of a programme that has one."""
        if programme_id not in self._programmes:
            programme = ProgrammeRow.table().c
            number = connection.execute(
                select(programme.programme).where(programme.programme_id == programme_id)
            ).scalar()
            if number is None:
                return None
            self._programmes[programme_id] = number
        return self._programmes[programme_id]

    def _dictionary(self, programme_id: str) -> ProgrammeDictionary:
        """The numbers of a programme, which gets one itself when it is met first."""

        def load(connection: Connection) -> ProgrammeDictionary:
            number = self._programme(connection, programme_id)
            if number is None:
                number = self._programmes[programme_id] = self._next_number()
            return load_dictionary(connection, number)

        if programme_id not in self._dictionaries:
            self._dictionaries[programme_id] = self._read(load)
        return self._dictionaries[programme_id]

    def _next_number(self) -> int:
        """One that no other process gives, nor gave."""
        writer = self._open_writer()
        return int(writer.run(writer.raw.fetchval("SELECT nextval('programme_number')")))

    def _forget(self) -> None:
        self._programmes.clear()
        self._dictionaries.clear()

    def _open_reader(self) -> PostgresConnection:
        settings = {"search_path": self.schema, "application_name": f"{self.schema} reading"}
        if not self._read_only:
            return PostgresConnection(self._url, settings)
        return PostgresConnection(
            self._url, settings | _ASKING, timeout_seconds=MAX_QUERY_SECONDS + HANG_GRACE_SECONDS
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
    """What whoever projects is to write; raises as `PostgresStore` does."""
    return _ask(url, select_build_to_write)


def release_holds(url: str, partitions: Collection[int]) -> list[Hold]:
    """Has projectors try again where they hold these partitions, or any if none are named.

    Returns what was held, and why. Raises LogUnavailableError when the database does not answer,
    ForeignDataError when there is nothing projected in it.
    """

    async def free(raw: Any) -> Any:
        return await raw.fetch(
            _RELEASE.format(schema=await require_newest_schema(raw)), list(partitions)
        )

    rows = _ask(url, free)
    return sorted((Hold(*row) for row in rows), key=lambda hold: hold.partition)


def _to_read(url: str) -> Build:
    schema = _ask(url, select_schema_to_read)
    return Build(schema, schema)


def _ask(url: str, question: Callable[[Any], Coroutine[Any, Any, _T]]) -> _T:
    with _asked(), closing(PostgresConnection(url, {"application_name": "mutua"})) as connection:
        return connection.run(question(connection.raw))


def _passing(error: DBAPIError | Error) -> Exception:
    """StoreBusyError for what may be over soon, else the error itself."""
    cause = find_cause(error)
    if isinstance(cause, Error) and (cause.lost or cause.code.startswith(_PASSING)):
        return StoreBusyError(f"the read models cannot be reached at the moment: {cause}")
    return error


@contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, Error) as error:
        cause = find_cause(error)
        if isinstance(cause, Error) and cause.code in _GONE:
            raise LogUnavailableError(
                "the read models were dropped, others answer; ask again"
            ) from error
        passing = _passing(error)
        if isinstance(passing, StoreBusyError):
            raise LogUnavailableError(str(passing)) from error
        raise
