"""Read models in PostgreSQL made beside those that answer, to take their place.

They are filled in a schema of another name, which becomes `mutua_read_N` in the transaction in
which they come to answer: a schema of that name is whole, and what a crash leaves is dropped by
whoever builds next.
"""

import secrets
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy.schema import CreateIndex, DropIndex

from services.adapters import postgres_slab as slab
from services.adapters.crash_point import crash_point
from services.adapters.met import Met
from services.adapters.postgres_driver import Error, PostgresConnection, dialect
from services.adapters.postgres_schema import (
    LOCK,
    Build,
    answer,
    answering,
    begin_naming,
    builds,
    create,
    drop,
    fact_kinds,
    newest,
    next_name,
    number_of,
    version_of,
)
from services.adapters.postgres_store import PostgresStore
from services.adapters.tables import MODEL_VERSION, ExchangeRow, FactRow, ReadModel, WaitingRow
from services.ledger.errors import DataInUse, LogDown, NotFound, SchemaAhead
from services.ledger.ports import StaleWriter, Superseded, Watermark

_T = TypeVar("_T")

_BUILDING: Final = "mutua_building_"
_LEFT: Final = f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{_BUILDING}%'"
_LATER: Final = ExchangeRow.table().indexes
"""Indexes that projecting does not read: cheaper made of all rows at once."""
_PATIENCE: Final = {
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
}
_PATIENCE_SECONDS: Final = 24 * 3_600.0
_LOCKED: Final = "55P03"
_ENTER: Final = f"SELECT pg_try_advisory_lock({LOCK}, 0)"
_HOLDER: Final = f"""
    SELECT pid, to_char(backend_start, 'HH24:MI') AS since, coalesce(host(client_addr), '') AS host
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
        AND (classid, objid, objsubid) = ({LOCK}, 0, 2)
"""


class BuildingStore(PostgresStore):
    """Read models that nobody else uses: ids that were not met before are not looked for."""

    def __init__(self, url: str, *, build: Build) -> None:
        super().__init__(url, build=build)
        self._met = Met()

    def known(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        return super().known(programme_id, self._met.among(event_ids))

    def _transaction(self, rows: slab.Rows, start: int, end: Watermark, owner: str) -> None:
        writer = self._open_writer()
        if not writer.run(slab.advance(writer.raw, self._build, start, end, owner)):
            raise StaleWriter(f"{owner} is no longer at offset {start}")
        writer.run(slab.write(writer.raw, rows, self.schema, end))
        crash_point("in_building")
        writer.commit()
        self._met.add(slab.values(rows, FactRow, "event_id"))
        self._met.add(slab.values(rows, WaitingRow, "awaited"))


class Succession:
    """Makes read models, has them answer, and drops those of before; one does at a time.

    Whatever fails raises LogDown, or DataInUse where somebody is in the way; what answered goes on.
    """

    def __init__(self, url: str) -> None:
        """Raises DataInUse when somebody else is at it, SchemaAhead when read models of a newer
        mutua answer.
        """
        with _in_words():
            self._connection = PostgresConnection(
                url,
                {**_PATIENCE, "application_name": "mutua rebuild"},
                patience_seconds=_PATIENCE_SECONDS,
            )
        self._raw = self._connection.raw
        try:
            self._run(self._enter)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets others."""
        self._connection.close()

    def begin(self) -> Build:
        """New and empty ones. Drops what was left unfinished."""
        return self._run(self._begin)

    def finish(self, build: Build) -> None:
        """Makes what is left to the end; then they are read models like any others."""
        self._run(lambda: self._finish(build.schema))

    def before(self) -> Build:
        """Those of this version that answered last before the ones that do. Raises NotFound."""
        return self._run(self._before)

    def positions(self, schema: str, log_id: str) -> dict[int, int]:
        """How far read models are, by partition, as far as they are of this log."""
        return self._run(lambda: self._positions(schema, log_id))

    def replace(
        self, build: Build, log_id: str, reach: Callable[[Mapping[int, int]], None]
    ) -> Build:
        """Has a build answer. `reach` is called with positions, by partition, while those that
        answer stand still there, and brings the build as far. They move no more.

        Raises Superseded when others have come to answer, and what `reach` does.
        """
        try:
            reach(self._run(lambda: self._hold(build.answering, log_id)))
            return self._run(lambda: self._answer(build))
        finally:
            self._connection.rollback()

    def is_projected(self, build: Build) -> bool:
        """Whether somebody has opened it to project since it came to answer."""
        return bool(self._run(lambda: fact_kinds(self._raw, build.schema)))

    def kept(self) -> list[str]:
        """The schemas of before, which do not answer."""
        return self._run(self._kept)

    def drop_kept(self) -> list[str]:
        """Drops them, and what was left unfinished; what it dropped.

        Raises Precondition, and drops nothing, where objects that mutua did not make depend on one.
        """
        return self._run(self._drop_kept)

    def _run(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        with _in_words():
            return self._connection.run(work())

    async def _enter(self) -> None:
        if not await self._raw.fetchval(_ENTER):
            holder = await self._raw.fetchrow(_HOLDER)
            who = f" since {holder['since']} from {holder['host']}" if holder else ""
            end = f", or end it: SELECT pg_terminate_backend({holder['pid']})" if holder else ""
            raise DataInUse(f"mutua rebuild is at work on this database{who}; wait for it{end}")
        current = await answering(self._raw)
        if current and (version := await version_of(self._raw, current)) > MODEL_VERSION:
            raise SchemaAhead(
                f"the read models that answer have format {version}, this mutua knows "
                f"{MODEL_VERSION}; upgrade mutua"
            )

    async def _begin(self) -> Build:
        raw, schema = self._raw, f"{_BUILDING}{secrets.token_hex(4)}"
        async with raw.transaction():
            await begin_naming(raw)
            await drop(raw, [row[0] for row in await raw.fetch(_LEFT)])
            await create(raw, schema, is_rebuilt=True)
            for index in _LATER:
                await raw.execute(str(DropIndex(index).compile(dialect=dialect())))
        return Build(schema, await answering(raw) or "")

    async def _finish(self, schema: str) -> None:
        tables = ", ".join(each.name for each in ReadModel.metadata.sorted_tables)
        async with self._raw.transaction():
            await self._raw.execute(f"SET LOCAL search_path = {schema}")
            for index in _LATER:
                await self._raw.execute(str(CreateIndex(index).compile(dialect=dialect())))
            await self._raw.execute(f"ANALYZE {tables}")

    async def _before(self) -> Build:
        current = await answering(self._raw)
        others = [each for each in await builds(self._raw) if each != current]
        own = await newest(self._raw, others)
        if current is None or own is None or await newest(self._raw, [current]) is None:
            raise NotFound(
                "no read models of before are kept that this mutua reads; mutua rebuild makes new "
                "ones from the log"
            )
        return Build(own, current)

    async def _positions(self, schema: str, log_id: str) -> dict[int, int]:
        rows = await self._raw.fetch(
            f"SELECT partition, next_offset FROM {schema}.position WHERE log_id = $1", log_id
        )
        return {row["partition"]: row["next_offset"] for row in rows}

    async def _hold(self, schema: str, log_id: str) -> dict[int, int]:
        await self._raw.execute("BEGIN")
        if not schema:
            return {}
        # Waits for slabs under way; those that come find that others answer.
        await self._raw.execute(f"LOCK TABLE {schema}.position IN SHARE MODE")
        return await self._positions(schema, log_id)

    async def _answer(self, build: Build) -> Build:
        await begin_naming(self._raw)
        schema = await next_name(self._raw)
        await self._raw.execute(f"ALTER SCHEMA {build.schema} RENAME TO {schema}")
        if not await answer(self._raw, schema, build.answering):
            raise Superseded("other read models have come to answer")
        crash_point("before_answering")
        await self._raw.execute("COMMIT")
        crash_point("after_answering")
        return Build(schema, schema)

    async def _kept(self) -> list[str]:
        current = await answering(self._raw)
        if current is None:
            return []
        newest_kept = await version_of(self._raw, current)  # newer ones are being made
        return [
            each
            for each in sorted(await builds(self._raw), key=number_of)
            if each != current and await version_of(self._raw, each) <= newest_kept
        ]

    async def _drop_kept(self) -> list[str]:
        dropped = [*await self._kept(), *(row[0] for row in await self._raw.fetch(_LEFT))]
        async with self._raw.transaction():
            await drop(self._raw, dropped)
        return dropped


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except Error as error:
        if error.code == _LOCKED:
            raise DataInUse(f"somebody is in the way: {error}; try again") from error
        raise LogDown(f"PostgreSQL does not answer: {error}") from error
