"""Read models as schemas of PostgreSQL, and the row that names the active schema.

Schemas `mutua_read_N` are numbered in the order in which they became or will become active; each
stores its model version. `mutua_control.answering` names the active schema, so a switch-over, and
the way back, changes one row. `mutua_control.fact_kind` has the kinds of facts that the projectors
of a schema support; a schema without any has no projector yet. `mutua_control.token_key` signs
resume tokens, which all query processes accept. `mutua_control.map_place` has the coordinates of
organizations on the map.
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
"""'mutu': the advisory lock of the one process that creates or names schemas."""
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
    );
    CREATE TABLE IF NOT EXISTS mutua_control.token_key (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        key bytea NOT NULL
    );
    CREATE TABLE IF NOT EXISTS mutua_control.map_place (
        programme text,
        organization text COLLATE "C",
        x double precision NOT NULL,
        y double precision NOT NULL,
        PRIMARY KEY (programme, organization)
    );
    INSERT INTO mutua_control.token_key (key)
    VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    ON CONFLICT DO NOTHING
"""
_HAS_CONTROL: Final = "SELECT to_regclass('mutua_control.answering') IS NOT NULL"
_HAS_KINDS: Final = "SELECT to_regclass('mutua_control.fact_kind') IS NOT NULL"
_KINDS: Final = "SELECT kind FROM mutua_control.fact_kind WHERE schema_name = $1"
_HAS_TOKEN_KEY: Final = "SELECT to_regclass('mutua_control.token_key') IS NOT NULL"
_TOKEN_KEY: Final = "SELECT key FROM mutua_control.token_key"
_DELETE_OTHER_KINDS: Final = (
    "DELETE FROM mutua_control.fact_kind WHERE schema_name = $1 AND kind <> ALL ($2)"
)
_DECLARE_KINDS: Final = """
    INSERT INTO mutua_control.fact_kind SELECT $1, unnest($2::integer[]) ON CONFLICT DO NOTHING
"""
_ACTIVE_SCHEMA: Final = "SELECT schema_name FROM mutua_control.answering"
_ACTIVATE: Final = """
    INSERT INTO mutua_control.answering (schema_name) VALUES ($1)
    ON CONFLICT (one) DO UPDATE SET schema_name = excluded.schema_name
    WHERE answering.schema_name = $2
"""
_DELETE_KINDS: Final = "DELETE FROM mutua_control.fact_kind WHERE schema_name = $1"
_NO_READ_MODELS: Final = "there are no read models yet in this database"
_HOW_TO_GET_READ_MODELS: Final = (
    "a projector makes them: start one, or see whether MUTUA_STORE_URL names the right database"
)
_BUILDS: Final = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^mutua_read_[0-9]+$'"
_IS_REBUILT: Final = """
    SELECT coalesce((to_jsonb(model) ->> 'is_rebuilt')::boolean, false) FROM {}.model
"""
"""False where the column is missing, because older versions had no rebuilds."""
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
_MAX_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class Build:
    """Read models under construction or in use, and the schema that was active at selection.

    `group` names the consumer group of their projectors: the model version, with the number of the
    schema if a rebuild made it, because a version then has several. `switches_over` is whether they
    become active as soon as they have caught up.
    """

    schema: str
    active_schema: str
    group: str = str(MODEL_VERSION)
    switches_over: bool = False


async def find_active_schema(raw: Any) -> str | None:
    """Returns the active schema, None when there is none yet."""
    if not await raw.fetchval(_HAS_CONTROL):
        return None
    schema: str | None = await raw.fetchval(_ACTIVE_SCHEMA)
    return schema


async def require_active_schema(raw: Any) -> str:
    """Returns the active schema of any version. Raises ForeignDataError when there is none."""
    schema = await find_active_schema(raw)
    if schema is None:
        raise ForeignDataError(_NO_READ_MODELS, remedy=_HOW_TO_GET_READ_MODELS)
    return schema


# decision 0079: releases run side by side
async def select_schema_to_read(raw: Any) -> str:
    """Returns the active schema, or the newest of this version when a newer mutua made that.

    Projectors of this version keep projecting into it until they are replaced. Raises
    ForeignDataError when this mutua can read none, NewerSchemaError when only newer ones exist.
    """
    schema = await require_active_schema(raw)
    version = await read_version(raw, schema)
    if version > MODEL_VERSION:
        newest = await find_newest(raw, await list_builds(raw))
        if newest is None:
            raise _make_newer_schema_error(schema, version)
        return newest
    if version < MODEL_VERSION:
        raise ForeignDataError(
            f"the read models in {schema} have format {version}, this mutua reads {MODEL_VERSION}",
            remedy="a projector of this version makes new ones",
        )
    return schema


async def select_build_to_write(raw: Any) -> Build:
    """Returns the newest schema of this version; creates it when there is none.

    Activates it when no other schema is active, and declares the kinds of facts that this mutua
    supports. Raises NewerSchemaError when it would create one although a newer mutua made the
    active one.
    """
    async with raw.transaction():
        await lock_naming(raw)
        current = await find_active_schema(raw)
        names = await list_builds(raw)
        schema = await find_newest(raw, names)
        if schema is None:
            if current and (version := await read_version(raw, current)) > MODEL_VERSION:
                raise _make_newer_schema_error(current, version)
            schema = await next_schema_name(raw)
            await create_schema(raw, schema)
            failpoint("in_schema")
        if current not in names:
            await raw.execute(_ACTIVATE, schema, current)
            current = schema
        kinds = list(FACT_KIND_NUMBERS.values())
        await raw.execute(_DELETE_OTHER_KINDS, schema, kinds)
        await raw.execute(_DECLARE_KINDS, schema, kinds)
        is_rebuilt = await raw.fetchval(_IS_REBUILT.format(schema))
    group = f"{MODEL_VERSION}-{parse_number(schema)}" if is_rebuilt else str(MODEL_VERSION)
    return Build(schema, current, group, switches_over=True)


async def recheck_build_to_write(raw: Any, build: Build) -> Build:
    """Returns the build with the schema that is active now.

    Raises SupersededReadModelsError when other read models of this version are to be written.
    Active read models of another version do not concern the projectors of this one.
    """
    current = await find_active_schema(raw) or ""
    if current not in (build.schema, build.active_schema):
        newest = await find_newest(raw, await list_builds(raw))
        if newest != build.schema:
            raise SupersededReadModelsError(f"{newest} is to be written instead of {build.schema}")
    return replace(build, active_schema=current)


async def recheck_build_to_read(raw: Any, build: Build) -> Build:
    """Returns the build with the schema that is active now.

    Raises LogUnavailableError when another one is to be read. Every snapshot checks it, because a
    process that has already switched over may have given newer answers.
    """
    current: str = await raw.fetchval(_ACTIVE_SCHEMA)
    if (
        current not in (build.schema, build.active_schema)
        and await select_schema_to_read(raw) != build.schema
    ):
        raise LogUnavailableError("other read models have just become active", remedy="ask again")
    return replace(build, active_schema=current)


async def require_newest_schema(raw: Any) -> str:
    """Returns the newest schema of this version. Raises ForeignDataError when there is none."""
    schema = await find_newest(raw, await list_builds(raw))
    if schema is None:
        raise ForeignDataError(_NO_READ_MODELS, remedy=_HOW_TO_GET_READ_MODELS)
    return schema


async def read_fact_kinds(raw: Any, schema: str) -> frozenset[int]:
    """Returns the kinds of facts that the last projector of a schema declared."""
    if not await raw.fetchval(_HAS_KINDS):
        return frozenset()
    return frozenset(row[0] for row in await raw.fetch(_KINDS, schema))


async def read_token_key(raw: Any) -> bytes | None:
    """Returns the key of resume tokens; None before a projector of this version has started."""
    if not await raw.fetchval(_HAS_TOKEN_KEY):
        return None
    key: bytes | None = await raw.fetchval(_TOKEN_KEY)
    return key


async def lock_naming(raw: Any) -> None:
    """Locks the creation and naming of schemas until the end of the transaction."""
    await raw.execute("SELECT pg_advisory_xact_lock($1)", LOCK_ID)
    await raw.execute(_CONTROL)


async def next_schema_name(raw: Any) -> str:
    """Returns a schema name that was never used, because readers cache answers by name."""
    current = await find_active_schema(raw)
    before = [*await list_builds(raw), *([current] if current else [])]
    return f"mutua_read_{max(map(parse_number, before), default=0) + 1}"


async def activate(raw: Any, schema: str, before: str) -> bool:
    """Activates a schema without projectors if `before` is still active; returns whether it did."""
    await delete_fact_kinds(raw, schema)
    status = await raw.execute(_ACTIVATE, schema, before)
    return not status.endswith(" 0")


async def delete_fact_kinds(raw: Any, schema: str) -> None:
    """Deletes the declarations of an earlier schema with this name."""
    await raw.execute(_DELETE_KINDS, schema)


async def activate_if_caught_up(raw: Any, schema: str) -> bool:
    """Activates a schema if it has reached every position of the active one.

    Returns whether nothing is left to do. A newer mutua's read models stay active, because only an
    operator goes back.
    """
    current = await find_active_schema(raw)
    if current == schema or (current and await read_version(raw, current) > MODEL_VERSION):
        return True
    ahead = (
        f"EXISTS (SELECT FROM {current}.position AS old LEFT JOIN {schema}.position AS new "
        "USING (partition) WHERE new.next_offset IS NULL OR new.next_offset < old.next_offset)"
    )
    status = await raw.execute(
        f"UPDATE mutua_control.answering SET schema_name = $1 "
        f"WHERE schema_name = $2 AND NOT {ahead}",
        schema,
        current,
    )
    return bool(status == "UPDATE 1")


async def drop_schemas(raw: Any, schemas: Iterable[str]) -> None:
    """Drops inactive schemas, all of them or none; needs a transaction.

    Raises FailedPreconditionError when objects that mutua did not make depend on one.
    """
    for schema in schemas:
        tables = [row[0] for row in await raw.fetch(_TABLES, schema)]
        if tables:  # from here on nobody can create a view of them
            await raw.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        if foreign := [row[0] for row in await raw.fetch(_FOREIGN, schema)]:
            more = f" and {len(foreign) - _MAX_LISTED} more" if len(foreign) > _MAX_LISTED else ""
            raise FailedPreconditionError(
                f"nothing was deleted: {', '.join(foreign[:_MAX_LISTED])}{more} would be deleted "
                f"with the old read models in {schema}",
                remedy="drop them, or make them of the active schema "
                f"({await find_active_schema(raw)}), and try again",
            )
        await raw.execute(f"DROP SCHEMA {schema} CASCADE")
        await delete_fact_kinds(raw, schema)


async def list_builds(raw: Any) -> list[str]:
    """Returns the names of all complete schemas."""
    return [row[0] for row in await raw.fetch(_BUILDS)]


async def find_newest(raw: Any, builds: Iterable[str]) -> str | None:
    """Returns the newest schema of this model version, None when there is none."""
    for schema in sorted(builds, key=parse_number, reverse=True):
        if await read_version(raw, schema) == MODEL_VERSION:
            return schema
    return None


def parse_number(schema: str) -> int:
    return int(schema.rpartition("_")[2])


def _make_newer_schema_error(schema: str, version: int) -> NewerSchemaError:
    return NewerSchemaError(
        f"the read models in {schema} have format {version}, this mutua reads up to "
        f"{MODEL_VERSION}",
        remedy="upgrade mutua",
    )


async def read_version(raw: Any, schema: str) -> int:
    """Returns the model version of a schema, 0 when it has none."""
    if not await raw.fetchval(f"SELECT to_regclass('{schema}.model') IS NOT NULL"):
        return 0
    return int(await raw.fetchval(f"SELECT version FROM {schema}.model"))


async def create_schema(raw: Any, schema: str, *, is_rebuild: bool = False) -> None:
    """Creates an empty schema of this version; needs a transaction."""
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
