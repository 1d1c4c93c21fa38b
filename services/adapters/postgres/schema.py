"""Read models as schemas of PostgreSQL, and the one row that says which of them answer.

Schemas `mutua_read_N` are numbered in the order in which they came to answer, or are to; each
holds its own model version. `mutua_control.answering` names the one that answers, so that to go
over to another, and back, is to change one row. `mutua_control.fact_kind` has the kinds of facts
that those who project into a schema know; where it has none, nobody projects into it yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.schema import CreateIndex, CreateTable

from services.adapters.failpoint import failpoint
from services.adapters.postgres.driver import make_dialect
from services.adapters.sql_store.tables import MODEL_VERSION, ReadModelRow
from services.adapters.wire.event import FACT_KIND_NUMBERS
from services.ledger.errors import (
    FailedPreconditionError,
    ForeignDataError,
    LogUnavailableError,
    NewerSchemaError,
    SupersededReadModelsError,
)

LOCK_ID: Final = 0x6D757475
"""'mutu': whoever makes or names schemas holds this advisory lock, so that one process does."""
# decision 0072: one row names the active schema
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
    WHERE answering.schema_name = $2
"""
_FORGET: Final = "DELETE FROM mutua_control.fact_kind WHERE schema_name = $1"
_NONE: Final = (
    "there are no read models yet in this database; a projector makes them: "
    "start one, or see whether MUTUA_STORE_URL names the right database"
)
_BUILDS: Final = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^mutua_read_[0-9]+$'"
_IS_REBUILT: Final = """
    SELECT coalesce((to_jsonb(model) ->> 'is_rebuilt')::boolean, false) FROM {}.model
"""
"""False where the column is not there: it came with rebuilds."""
_TABLES: Final = """
    SELECT format('%I.%I', $1::text, relname) FROM pg_class
    WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'
"""
_FOREIGN: Final = """
    WITH inside AS (
        SELECT 'pg_class'::regclass AS class, oid, relkind IN ('r', 'i', 'S') AS may_be_ours
        FROM pg_class WHERE relnamespace = $1::text::regnamespace
        UNION ALL
        SELECT 'pg_proc'::regclass, oid, false
        FROM pg_proc WHERE pronamespace = $1::text::regnamespace
        UNION ALL
        SELECT 'pg_type'::regclass, oid, typrelid <> 0 OR typelem <> 0
        FROM pg_type WHERE typnamespace = $1::text::regnamespace
    ), outside AS (
        -- A view depends on what it reads by its rule, a column by its default.
        SELECT CASE WHEN rule.oid IS NULL AND value.oid IS NULL THEN depends.classid
                    ELSE 'pg_class'::regclass END AS class,
               coalesce(rule.ev_class, value.adrelid, depends.objid) AS oid
        FROM pg_depend AS depends
        JOIN inside ON (depends.refclassid, depends.refobjid) = (inside.class, inside.oid)
        LEFT JOIN pg_rewrite AS rule
            ON depends.classid = 'pg_rewrite'::regclass AND depends.objid = rule.oid
        LEFT JOIN pg_attrdef AS value
            ON depends.classid = 'pg_attrdef'::regclass AND depends.objid = value.oid
        WHERE depends.deptype = 'n' OR depends.classid IN (
            'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_publication_rel'::regclass
        ) AND depends.deptype = 'a'
    )
    SELECT object.type || ' ' || object.identity AS named
    FROM (
        SELECT class, oid FROM inside WHERE NOT may_be_ours
        UNION
        SELECT class, oid FROM outside WHERE (class, oid) NOT IN (SELECT class, oid FROM inside)
    ) AS foreigner, pg_identify_object(class, oid, 0) AS object
    ORDER BY named
"""
"""Objects that `DROP SCHEMA ... CASCADE` would drop and that no mutua made, as far as PostgreSQL
knows dependencies: a function whose body is text depends on nothing. A plain table inside the
schema may be ours, of any version."""
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Build:
    """Read models that are written: their schema, and which answered when they were chosen.

    `group` tells those apart who project into them: the model version, and the number of the schema
    where it was made by a rebuild, as there are then several of a version. `switches_over` is
    whether they are to answer as soon as they are as far as those that do.
    """

    schema: str
    active_schema: str
    group: str = str(MODEL_VERSION)
    switches_over: bool = False


async def find_active_schema(raw: Any) -> str | None:
    """The schema that answers; None where there is none yet."""
    if not await raw.fetchval(_HAS_CONTROL):
        return None
    found: str | None = await raw.fetchval(_ANSWERING)
    return found


async def require_active_schema(raw: Any) -> str:
    """The schema that answers, of whatever version. Raises ForeignDataError when there is none."""
    schema = await find_active_schema(raw)
    if schema is None:
        raise ForeignDataError(_NONE)
    return schema


# decision 0079: releases run side by side
async def select_schema_to_read(raw: Any) -> str:
    """The schema that answers; where that is of a newer mutua, the newest of this version, which
    its projectors keep level until they are replaced.

    Raises ForeignDataError when there is none yet that this mutua reads, NewerSchemaError when
    there are newer ones alone.
    """
    schema = await require_active_schema(raw)
    version = await read_version(raw, schema)
    if version > MODEL_VERSION:
        own = await find_newest(raw, await list_builds(raw))
        if own is None:
            raise _make_schema_ahead_error(schema, version)
        return own
    if version < MODEL_VERSION:
        raise ForeignDataError(
            f"the read models in {schema} have format {version}, this mutua reads {MODEL_VERSION}; "
            "a projector of this version makes new ones"
        )
    return schema


async def select_build_to_write(raw: Any) -> Build:
    """The newest schema of this version, made where there is none; it answers where none else is.

    Says there which kinds of facts this mutua knows. Raises NewerSchemaError where it would be made
    beside what a newer one has made.
    """
    async with raw.transaction():
        await lock_naming(raw)
        current = await find_active_schema(raw)
        names = await list_builds(raw)
        schema = await find_newest(raw, names)
        if schema is None:
            if current and (version := await read_version(raw, current)) > MODEL_VERSION:
                raise _make_schema_ahead_error(current, version)
            schema = await next_schema_name(raw)
            await create_schema(raw, schema)
            failpoint("in_schema")
        if current not in names:
            await raw.execute(_ANSWER, schema, current)
            current = schema
        kinds = list(FACT_KIND_NUMBERS.values())
        await raw.execute(_FORGET_KINDS, schema, kinds)
        await raw.execute(_DECLARE_KINDS, schema, kinds)
        is_rebuilt = await raw.fetchval(_IS_REBUILT.format(schema))
    group = f"{MODEL_VERSION}-{parse_number(schema)}" if is_rebuilt else str(MODEL_VERSION)
    return Build(schema, current, group, switches_over=True)


async def recheck_build_to_write(raw: Any, build: Build) -> Build:
    """The same read models, beside what answers now. Raises SupersededReadModelsError when others
    are to be written instead.

    That those of another version have come to answer is nothing to who projects into these.
    """
    current = await find_active_schema(raw) or ""
    if current not in (build.schema, build.active_schema):
        own = await find_newest(raw, await list_builds(raw))
        if own != build.schema:
            raise SupersededReadModelsError(f"{own} is to be written instead of {build.schema}")
    return replace(build, active_schema=current)


async def recheck_build_to_read(raw: Any, build: Build) -> Build:
    """The same read models, beside what answers now. Raises LogUnavailableError when others are to
    be read.

    Asked in the snapshot of each question: whoever went over already may have told newer answers.
    """
    current: str = await raw.fetchval(_ANSWERING)
    if (
        current not in (build.schema, build.active_schema)
        and await select_schema_to_read(raw) != build.schema
    ):
        raise LogUnavailableError("other read models have just come to answer; ask again")
    return replace(build, active_schema=current)


async def require_newest_schema(raw: Any) -> str:
    """The newest schema of this version. Raises ForeignDataError when there is none."""
    schema = await find_newest(raw, await list_builds(raw))
    if schema is None:
        raise ForeignDataError(_NONE)
    return schema


async def read_fact_kinds(raw: Any, schema: str) -> frozenset[int]:
    """The kinds of facts that whoever opened a schema last to project knows; none where nobody
    said.
    """
    if not await raw.fetchval(_HAS_KINDS):
        return frozenset()
    return frozenset(row[0] for row in await raw.fetch(_KINDS, schema))


async def lock_naming(raw: Any) -> None:
    """Lets nobody else make or name schemas until the end of the transaction."""
    await raw.execute("SELECT pg_advisory_xact_lock($1)", LOCK_ID)
    await raw.execute(_CONTROL)


async def next_schema_name(raw: Any) -> str:
    """Never one that there was: whoever asks has kept what it made of that."""
    current = await find_active_schema(raw)
    before = [*await list_builds(raw), *([current] if current else [])]
    return f"mutua_read_{max(map(parse_number, before), default=0) + 1}"


async def activate(raw: Any, schema: str, before: str) -> bool:
    """Has a schema answer that nobody projects into yet, unless others do by now than before."""
    await delete_fact_kinds(raw, schema)
    done = await raw.execute(_ANSWER, schema, before)
    return not done.endswith(" 0")


async def delete_fact_kinds(raw: Any, schema: str) -> None:
    """What was said there of a schema is of one that is no more."""
    await raw.execute(_FORGET, schema)


async def activate_if_caught_up(raw: Any, schema: str) -> bool:
    """Has the read models of a schema answer if they are as far as those that do; whether that is
    done with.

    In a partition that they have not reached, the others may still be ahead. Those of a newer mutua
    stay: only by hand does it go back.
    """
    current = await find_active_schema(raw)
    if current == schema or (current and await read_version(raw, current) > MODEL_VERSION):
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


async def drop_schemas(raw: Any, schemas: Iterable[str]) -> None:
    """Drops schemas that do not answer, all of them or none; in a transaction.

    Raises Precondition where views or other objects that mutua did not make depend on one.
    """
    for schema in schemas:
        tables = [row[0] for row in await raw.fetch(_TABLES, schema)]
        if tables:  # nobody makes a view of them from here on
            await raw.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        if foreign := [row[0] for row in await raw.fetch(_FOREIGN, schema)]:
            more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
            raise FailedPreconditionError(
                f"nothing was deleted: {', '.join(foreign[:_NAMED])}{more} would be deleted with "
                f"the old read models in {schema}; drop them, or make them of the schema that "
                f"answers ({await find_active_schema(raw)}), and try again"
            )
        await raw.execute(f"DROP SCHEMA {schema} CASCADE")
        await delete_fact_kinds(raw, schema)


async def list_builds(raw: Any) -> list[str]:
    return [row[0] for row in await raw.fetch(_BUILDS)]


async def find_newest(raw: Any, builds: Iterable[str]) -> str | None:
    for schema in sorted(builds, key=parse_number, reverse=True):
        if await read_version(raw, schema) == MODEL_VERSION:
            return schema
    return None


def parse_number(schema: str) -> int:
    return int(schema.rpartition("_")[2])


def _make_schema_ahead_error(schema: str, version: int) -> NewerSchemaError:
    return NewerSchemaError(
        f"the read models in {schema} have format {version}, this mutua reads up to "
        f"{MODEL_VERSION}; upgrade mutua"
    )


async def read_version(raw: Any, schema: str) -> int:
    """0 where a schema does not say."""
    if not await raw.fetchval(f"SELECT to_regclass('{schema}.model') IS NOT NULL"):
        return 0
    return int(await raw.fetchval(f"SELECT version FROM {schema}.model"))


async def create_schema(raw: Any, schema: str, *, is_rebuild: bool = False) -> None:
    """Makes a schema of this version, whose tables are empty; in a transaction."""
    postgres = make_dialect()
    await raw.execute(f"CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}")
    for table in ReadModelRow.metadata.sorted_tables:
        await raw.execute(str(CreateTable(table).compile(dialect=postgres)))
        for index in table.indexes:
            await raw.execute(str(CreateIndex(index).compile(dialect=postgres)))
    await raw.execute(
        "CREATE SEQUENCE programme_number MINVALUE 0; "
        f"CREATE TABLE model AS SELECT {MODEL_VERSION} AS version, {is_rebuild} AS is_rebuilt"
    )
