"""Rebuild of the read models in PostgreSQL, next to the active ones.

A build is filled in a schema `mutua_building_*`, which is renamed to `mutua_read_N` in the
transaction that makes it active: a schema with that name is complete. The next rebuild drops what
a crash left.
"""

import secrets
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy.schema import CreateIndex, DropIndex

from services.adapters.failpoint import failpoint
from services.adapters.postgres import slab
from services.adapters.postgres.bloom_filter import BloomFilter
from services.adapters.postgres.driver import Error, PostgresConnection, make_dialect
from services.adapters.postgres.schema import (
    LOCK_ID,
    Build,
    activate,
    create_schema,
    drop_schemas,
    find_active_schema,
    find_newest,
    list_builds,
    lock_naming,
    next_schema_name,
    parse_number,
    read_fact_kinds,
    read_version,
)
from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import (
    MODEL_VERSION,
    ExchangeRow,
    FactRow,
    ReadModelRow,
    WaitingRow,
)
from services.ledger.errors import (
    DataInUseError,
    FencedWriterError,
    LogUnavailableError,
    NewerSchemaError,
    NotFoundError,
    SupersededReadModelsError,
)
from services.ledger.records import Watermark

_T = TypeVar("_T")

_BUILDING: Final = "mutua_building_"
_UNFINISHED: Final = f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{_BUILDING}%'"
_DEFERRED_INDEXES: Final = ExchangeRow.table().indexes
"""Indexes that projection does not read; creating them once all rows exist is cheaper."""
_TIMEOUTS: Final = {
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
}
_TIMEOUT_SECONDS: Final = 24 * 3_600.0
_LOCKED: Final = "55P03"
_TRY_LOCK: Final = f"SELECT pg_try_advisory_lock({LOCK_ID}, 0)"
_HOLDER: Final = f"""
    SELECT pid, to_char(backend_start, 'HH24:MI') AS since, coalesce(host(client_addr), '') AS host
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
        AND (classid, objid, objsubid) = ({LOCK_ID}, 0, 2)
"""


class PostgresRebuildStore(PostgresStore):
    """Writes a build that nobody else uses, and looks up only ids it may have written before."""

    def __init__(self, url: str, *, build: Build) -> None:
        super().__init__(url, build=build)
        self._possible_ids = BloomFilter()

    def find_used_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        return super().find_used_event_ids(
            programme_id, self._possible_ids.select_possible_members(event_ids)
        )

    def _transaction(self, rows: slab.StagedRows, start: int, end: Watermark, owner: str) -> None:
        writer = self._open_writer()
        if not writer.run(slab.begin_at(writer.raw, self._build, start, end, owner)):
            raise FencedWriterError(f"{owner} is no longer at offset {start}")
        writer.run(slab.insert_rows(writer.raw, rows, self.schema, end))
        failpoint("in_building")
        writer.commit()
        self._possible_ids.add(slab.get_column(rows, FactRow, "event_id"))
        self._possible_ids.add(slab.get_column(rows, WaitingRow, "awaited"))


# decision 0089: a rebuild switches over by itself
class PostgresRebuild:
    """Creates builds, switches over to them and drops superseded read models.

    One process at a time holds it. Every failure raises LogUnavailableError, or DataInUseError when
    another process is in the way; the active read models stay active.
    """

    def __init__(self, url: str) -> None:
        """Takes the lock of rebuilds.

        Raises DataInUseError when another rebuild holds it, NewerSchemaError when the active read
        models are of a newer mutua.
        """
        with _translate_errors():
            self._connection = PostgresConnection(
                url,
                {**_TIMEOUTS, "application_name": "mutua rebuild"},
                timeout_seconds=_TIMEOUT_SECONDS,
            )
        self._raw = self._connection.raw
        try:
            self._run(self._acquire_lock)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Releases the lock of rebuilds."""
        self._connection.close()

    def create_build(self) -> Build:
        """Creates an empty build, and drops unfinished ones."""
        return self._run(self._create_build)

    def finish_build(self, build: Build) -> None:
        """Creates the missing indexes and the statistics of the planner."""
        self._run(lambda: self._finish_build(build.schema))

    def find_previous(self) -> Build:
        """Returns the read models of this version that were active before the present ones.

        Raises NotFoundError when none exist.
        """
        return self._run(self._find_previous)

    def read_positions(self, schema: str, log_id: str) -> dict[int, int]:
        """Returns the next offset of each partition that was projected from this log."""
        return self._run(lambda: self._read_positions(schema, log_id))

    def switch_over(
        self, build: Build, log_id: str, catch_up: Callable[[Mapping[int, int]], None]
    ) -> Build:
        """Makes a build the active read models.

        `catch_up` gets the positions of the active read models by partition and brings the build to
        them; the active ones are locked meanwhile and never move again. Raises
        SupersededReadModelsError when others became active, and what `catch_up` raises.
        """
        try:
            catch_up(self._run(lambda: self._lock_positions(build.active_schema, log_id)))
            return self._run(lambda: self._activate(build))
        finally:
            self._connection.rollback()

    def is_projected(self, build: Build) -> bool:
        """Whether a projector has opened the build since it became active."""
        return bool(self._run(lambda: read_fact_kinds(self._raw, build.schema)))

    def list_superseded(self) -> list[str]:
        """Returns the schemas that are no longer active, oldest first."""
        return self._run(self._list_superseded)

    def drop_superseded(self) -> list[str]:
        """Drops superseded and unfinished schemas, and returns their names.

        Raises FailedPreconditionError, and drops nothing, when objects that mutua did not make
        depend on one.
        """
        return self._run(self._drop_superseded)

    def _run(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        with _translate_errors():
            return self._connection.run(work())

    async def _acquire_lock(self) -> None:
        if not await self._raw.fetchval(_TRY_LOCK):
            holder = await self._raw.fetchrow(_HOLDER)
            who = f" since {holder['since']} from {holder['host']}" if holder else ""
            end = f", or end it: SELECT pg_terminate_backend({holder['pid']})" if holder else ""
            raise DataInUseError(
                f"mutua rebuild is at work on this database{who}", remedy=f"wait for it{end}"
            )
        current = await find_active_schema(self._raw)
        if current and (version := await read_version(self._raw, current)) > MODEL_VERSION:
            raise NewerSchemaError(
                f"the active read models have format {version}, this mutua reads up to "
                f"{MODEL_VERSION}",
                remedy="upgrade mutua",
            )

    async def _create_build(self) -> Build:
        raw, schema = self._raw, f"{_BUILDING}{secrets.token_hex(4)}"
        async with raw.transaction():
            await lock_naming(raw)
            await drop_schemas(raw, [row[0] for row in await raw.fetch(_UNFINISHED)])
            await create_schema(raw, schema, is_rebuild=True)
            for index in _DEFERRED_INDEXES:
                await raw.execute(str(DropIndex(index).compile(dialect=make_dialect())))
        return Build(schema, await find_active_schema(raw) or "")

    async def _finish_build(self, schema: str) -> None:
        tables = ", ".join(table.name for table in ReadModelRow.metadata.sorted_tables)
        async with self._raw.transaction():
            await self._raw.execute(f"SET LOCAL search_path = {schema}")
            for index in _DEFERRED_INDEXES:
                await self._raw.execute(str(CreateIndex(index).compile(dialect=make_dialect())))
            await self._raw.execute(f"ANALYZE {tables}")

    async def _find_previous(self) -> Build:
        current = await find_active_schema(self._raw)
        others = [schema for schema in await list_builds(self._raw) if schema != current]
        previous = await find_newest(self._raw, others)
        if current is None or previous is None or await find_newest(self._raw, [current]) is None:
            raise NotFoundError(
                "there are no previous read models that this mutua reads",
                remedy="mutua rebuild makes new ones from the log",
            )
        return Build(previous, current)

    async def _read_positions(self, schema: str, log_id: str) -> dict[int, int]:
        rows = await self._raw.fetch(
            f"SELECT partition, next_offset FROM {schema}.position WHERE log_id = $1", log_id
        )
        return {row["partition"]: row["next_offset"] for row in rows}

    async def _lock_positions(self, schema: str, log_id: str) -> dict[int, int]:
        await self._raw.execute("BEGIN")
        if not schema:
            return {}
        # Waits for slabs in progress; later ones find that other read models are active.
        await self._raw.execute(f"LOCK TABLE {schema}.position IN SHARE MODE")
        return await self._read_positions(schema, log_id)

    async def _activate(self, build: Build) -> Build:
        await lock_naming(self._raw)
        schema = await next_schema_name(self._raw)
        await self._raw.execute(f"ALTER SCHEMA {build.schema} RENAME TO {schema}")
        if not await activate(self._raw, schema, build.active_schema):
            raise SupersededReadModelsError("other read models have become active")
        failpoint("before_answering")
        await self._raw.execute("COMMIT")
        failpoint("after_answering")
        return Build(schema, schema)

    async def _list_superseded(self) -> list[str]:
        current = await find_active_schema(self._raw)
        if current is None:
            return []
        active_version = await read_version(self._raw, current)  # newer ones are builds in progress
        return [
            schema
            for schema in sorted(await list_builds(self._raw), key=parse_number)
            if schema != current and await read_version(self._raw, schema) <= active_version
        ]

    async def _drop_superseded(self) -> list[str]:
        dropped = [
            *await self._list_superseded(),
            *(row[0] for row in await self._raw.fetch(_UNFINISHED)),
        ]
        async with self._raw.transaction():
            await drop_schemas(self._raw, dropped)
        return dropped


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except Error as error:
        if error.code == _LOCKED:
            raise DataInUseError(
                f"another process is in the way: {error}", remedy="try again"
            ) from error
        raise LogUnavailableError(f"PostgreSQL does not answer: {error}") from error
