"""What a PostgreSQL is, as those need to know who look after it."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from services.adapters.postgres.driver import Error, PostgresConnection
from services.adapters.postgres.schema import select_schema_to_read
from services.ledger.errors import LogUnavailableError
from services.ledger.records import Hold, Watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseInfo:
    """A server, and what of ours is in it. `clock_skew_seconds` is its clock against this
    machine's, as far as the way there can tell; `marks` is how far each partition is projected.
    """

    version: str
    size_bytes: int
    clock_skew_seconds: float
    free_connection_count: int
    schema: str
    watermarks: tuple[Watermark, ...]
    holds: tuple[Hold, ...]


def describe_database(url: str) -> DatabaseInfo:
    """Raises LogUnavailableError when it does not answer, ForeignDataError when no read models are
    in it yet, and NewerSchemaError when a newer mutua made them.
    """
    try:
        with closing(PostgresConnection(url, {"application_name": "mutua doctor"})) as connection:
            return connection.run(_read_database_info(connection.raw))
    except Error as error:
        raise LogUnavailableError(
            f"PostgreSQL does not answer: {error}; see that it runs, and MUTUA_STORE_URL"
        ) from error


async def _read_database_info(raw: Any) -> DatabaseInfo:
    began = time.time()
    theirs = float(await raw.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    ended = time.time()
    row: Mapping[str, Any] = await raw.fetchrow(
        "SELECT current_setting('server_version') AS version,"
        " pg_database_size(current_database()) AS size,"
        " current_setting('max_connections')::int - (SELECT count(*) FROM pg_stat_activity) AS free"
    )
    schema = await select_schema_to_read(raw)
    marks = await raw.fetch(
        "SELECT log_id, partition, next_offset, record_time, digest "
        f"FROM {schema}.position ORDER BY partition"
    )
    held = await raw.fetch(
        f'SELECT partition, "offset", reason, crash_count FROM {schema}.held ORDER BY partition'
    )
    return DatabaseInfo(
        version=row["version"],
        size_bytes=row["size"],
        clock_skew_seconds=theirs - min(max(theirs, began), ended),
        free_connection_count=row["free"],
        schema=schema,
        watermarks=tuple(Watermark(*each) for each in marks),
        holds=tuple(Hold(*each) for each in held),
    )
