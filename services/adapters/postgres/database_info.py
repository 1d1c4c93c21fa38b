"""What an operator checks of a PostgreSQL server."""

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
    """A server and its read models.

    `clock_skew_seconds` is its clock minus this machine's clock, 0 within the round-trip time.
    `watermarks` has the projected position of every partition.
    """

    version: str
    size_bytes: int
    clock_skew_seconds: float
    free_connection_count: int
    schema: str
    watermarks: tuple[Watermark, ...]
    holds: tuple[Hold, ...]


def describe_database(url: str) -> DatabaseInfo:
    """Reads what an operator checks of a PostgreSQL server.

    Raises LogUnavailableError when it does not answer, ForeignDataError when it has no read models,
    NewerSchemaError when a newer mutua made them.
    """
    try:
        with closing(PostgresConnection(url, {"application_name": "mutua doctor"})) as connection:
            return connection.run(_read_database_info(connection.raw))
    except Error as error:
        raise LogUnavailableError(
            f"PostgreSQL does not answer: {error}", remedy="check that it runs, and MUTUA_STORE_URL"
        ) from error


async def _read_database_info(raw: Any) -> DatabaseInfo:
    start_time = time.time()
    server_time = float(await raw.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    end_time = time.time()
    server: Mapping[str, Any] = await raw.fetchrow(
        "SELECT current_setting('server_version') AS version,"
        " pg_database_size(current_database()) AS size,"
        " current_setting('max_connections')::int - (SELECT count(*) FROM pg_stat_activity) AS free"
    )
    schema = await select_schema_to_read(raw)
    watermarks = await raw.fetch(
        "SELECT log_id, partition, next_offset, record_time, digest "
        f"FROM {schema}.position ORDER BY partition"
    )
    holds = await raw.fetch(
        f'SELECT partition, "offset", reason, crash_count FROM {schema}.held ORDER BY partition'
    )
    return DatabaseInfo(
        version=server["version"],
        size_bytes=server["size"],
        clock_skew_seconds=server_time - min(max(server_time, start_time), end_time),
        free_connection_count=server["free"],
        schema=schema,
        watermarks=tuple(Watermark(*row) for row in watermarks),
        holds=tuple(Hold(*row) for row in holds),
    )
