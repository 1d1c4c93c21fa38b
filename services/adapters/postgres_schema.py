"""Read models as schemas of PostgreSQL, and the one row that says which of them answer.

`mutua_read_N` counts builds; each holds its own model version. `mutua_control.answering` names the
schema that answers, so that to go over to another, and back, is to change one row.
`mutua_control.fact_kind` has the kinds of facts that those who project into a schema know.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.schema import CreateIndex, CreateTable

from services.adapters.crash_point import crash_point
from services.adapters.postgres_driver import dialect
from services.adapters.tables import MODEL_VERSION, ReadModel
from services.adapters.wire.event import FACT_KINDS
from services.ledger.errors import DataForeign, SchemaAhead

_LOCK: Final = 0x6D757475
"""'mutu': whoever makes schemas holds this advisory lock, so that one process makes them."""
_CONTROL: Final = """
    CREATE SCHEMA IF NOT EXISTS mutua_control;
    CREATE TABLE IF NOT EXISTS mutua_control.answering (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        schema_name text NOT NULL
    );
    CREATE TABLE IF NOT EXISTS mutua_control.fact_kind (
        schema_name text,
        kind integer,
        PRIMARY KEY (schema_name, kind)
    )
"""
_HAS_CONTROL: Final = "SELECT to_regclass('mutua_control.answering') IS NOT NULL"
_HAS_KINDS: Final = "SELECT to_regclass('mutua_control.fact_kind') IS NOT NULL"
_KINDS: Final = "SELECT kind FROM mutua_control.fact_kind WHERE schema_name = $1"
_FORGET_KINDS: Final = (
    "DELETE FROM mutua_control.fact_kind WHERE schema_name = $1 AND kind <> ALL ($2)"
)
_DECLARE_KINDS: Final = """
    INSERT INTO mutua_control.fact_kind SELECT $1, unnest($2::integer[]) ON CONFLICT DO NOTHING
"""
_ANSWERING: Final = "SELECT schema_name FROM mutua_control.answering"
_ANSWER: Final = """
    INSERT INTO mutua_control.answering (schema_name) VALUES ($1)
    ON CONFLICT (one) DO UPDATE SET schema_name = excluded.schema_name
"""
_NONE: Final = (
    "there are no read models yet in this database; a projector makes them: "
    "start one, or see whether MUTUA_STORE_URL names the right database"
)
_BUILDS: Final = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^mutua_read_[0-9]+$'"


async def answering(raw: Any) -> str | None:
    """The schema that answers; None where there is none yet."""
    if not await raw.fetchval(_HAS_CONTROL):
        return None
    found: str | None = await raw.fetchval(_ANSWERING)
    return found


async def to_follow(raw: Any) -> str:
    """The schema that answers, of whatever version. Raises DataForeign when there is none."""
    schema = await answering(raw)
    if schema is None:
        raise DataForeign(_NONE)
    return schema


async def to_read(raw: Any) -> str:
    """The schema that answers; where that is of a newer mutua, the newest of this version, which
    its projectors keep level until they are replaced.

    Raises DataForeign when there is none yet that this mutua reads, SchemaAhead when there are
    newer ones alone.
    """
    schema = await to_follow(raw)
    version = await _version_of(raw, schema)
    if version > MODEL_VERSION:
        own = await _newest(raw, await _builds(raw))
        if own is None:
            raise _ahead(schema, version)
        return own
    if version < MODEL_VERSION:
        raise DataForeign(
            f"the read models in {schema} have format {version}, this mutua reads {MODEL_VERSION}; "
            "a projector of this version makes new ones"
        )
    return schema


async def to_write(raw: Any) -> str:
    """The newest schema of this version, made where there is none; it answers where none else is.

    Says there which kinds of facts this mutua knows. Raises SchemaAhead where it would be made
    beside what a newer one has made.
    """
    async with raw.transaction():
        await raw.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await raw.execute(_CONTROL)
        current = await answering(raw)
        builds = await _builds(raw)
        schema = await _newest(raw, builds)
        if schema is None:
            if current and (version := await _version_of(raw, current)) > MODEL_VERSION:
                raise _ahead(current, version)
            # Never one that there was: whoever asks has kept what it made of that.
            before = [*builds, current] if current else builds
            schema = f"mutua_read_{max(map(_number, before), default=0) + 1}"
            await _create(raw, schema)
            crash_point("in_schema")
        if current not in builds:
            await raw.execute(_ANSWER, schema)
        kinds = list(FACT_KINDS.values())
        await raw.execute(_FORGET_KINDS, schema, kinds)
        await raw.execute(_DECLARE_KINDS, schema, kinds)
    return schema


async def to_mend(raw: Any) -> str:
    """The newest schema of this version. Raises DataForeign when there is none."""
    schema = await _newest(raw, await _builds(raw))
    if schema is None:
        raise DataForeign(_NONE)
    return schema


async def fact_kinds(raw: Any, schema: str) -> frozenset[int]:
    """The kinds of facts that whoever opened a schema last to project knows; none where nobody
    said.
    """
    if not await raw.fetchval(_HAS_KINDS):
        return frozenset()
    return frozenset(row[0] for row in await raw.fetch(_KINDS, schema))


async def switch(raw: Any, schema: str) -> bool:
    """Has the read models of a schema answer if they are as far as those that do; whether that is
    done with.

    In a partition that they have not reached, the others may still be ahead. Those of a newer mutua
    stay: only by hand does it go back.
    """
    current = await answering(raw)
    if current == schema or (current and await _version_of(raw, current) > MODEL_VERSION):
        return True
    ahead = (
        f"EXISTS (SELECT FROM {current}.position AS old LEFT JOIN {schema}.position AS new "
        "USING (partition) WHERE new.next_offset IS NULL OR new.next_offset < old.next_offset)"
    )
    done = await raw.execute(
        f"UPDATE mutua_control.answering SET schema_name = $1 "
        f"WHERE schema_name = $2 AND NOT {ahead}",
        schema,
        current,
    )
    return bool(done == "UPDATE 1")


async def _builds(raw: Any) -> list[str]:
    return [row[0] for row in await raw.fetch(_BUILDS)]


async def _newest(raw: Any, builds: Iterable[str]) -> str | None:
    for schema in sorted(builds, key=_number, reverse=True):
        if await _version_of(raw, schema) == MODEL_VERSION:
            return schema
    return None


def _number(schema: str) -> int:
    return int(schema.rpartition("_")[2])


def _ahead(schema: str, version: int) -> SchemaAhead:
    return SchemaAhead(
        f"the read models in {schema} have format {version}, this mutua reads up to "
        f"{MODEL_VERSION}; upgrade mutua"
    )


async def _version_of(raw: Any, schema: str) -> int:
    """0 where a schema does not say."""
    if not await raw.fetchval(f"SELECT to_regclass('{schema}.model') IS NOT NULL"):
        return 0
    return int(await raw.fetchval(f"SELECT version FROM {schema}.model"))


async def _create(raw: Any, schema: str) -> None:
    postgres = dialect()
    await raw.execute(f"CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}")
    for table in ReadModel.metadata.sorted_tables:
        await raw.execute(str(CreateTable(table).compile(dialect=postgres)))
        for index in table.indexes:
            await raw.execute(str(CreateIndex(index).compile(dialect=postgres)))
    await raw.execute(
        "CREATE SEQUENCE programme_number MINVALUE 0; "
        f"CREATE TABLE model AS SELECT {MODEL_VERSION} AS version"
    )
