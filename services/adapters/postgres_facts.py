"""What a PostgreSQL is, as those need to know who look after it."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from services.adapters.postgres_driver import Error, PostgresConnection
from services.adapters.postgres_schema import to_read
from services.ledger.errors import LogDown
from services.ledger.ports import Hold, Watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresFacts:
    """A server, and what of ours is in it. `ahead_seconds` is its clock against this machine's,
    as far as the way there can tell; `marks` is how far each partition is projected.
    """

    version: str
    size_bytes: int
    ahead_seconds: float
    free_connections: int
    schema: str
    marks: tuple[Watermark, ...]
    held: tuple[Hold, ...]


def describe(url: str) -> PostgresFacts:
    """Raises LogDown when it does not answer, DataForeign when no read models are in it yet, and
    SchemaAhead when a newer mutua made them.
    """
    try:
        with closing(PostgresConnection(url, {"application_name": "mutua doctor"})) as connection:
            return connection.run(_described(connection.raw))
    except Error as error:
        raise LogDown(
            f"PostgreSQL does not answer: {error}; see that it runs, and MUTUA_STORE_URL"
        ) from error


async def _described(raw: Any) -> PostgresFacts:
    began = time.time()
    theirs = float(await raw.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    ended = time.time()
    row: Mapping[str, Any] = await raw.fetchrow(
        "SELECT current_setting('server_version') AS version,"
        " pg_database_size(current_database()) AS size,"
        " current_setting('max_connections')::int - (SELECT count(*) FROM pg_stat_activity) AS free"
    )
    schema = await to_read(raw)
    marks = await raw.fetch(
        "SELECT log_id, partition, next_offset, record_time, digest "
        f"FROM {schema}.position ORDER BY partition"
    )
    held = await raw.fetch(
        f'SELECT partition, "offset", reason, crash_count FROM {schema}.held ORDER BY partition'
    )
    return PostgresFacts(
        version=row["version"],
        size_bytes=row["size"],
        ahead_seconds=theirs - min(max(theirs, began), ended),
        free_connections=row["free"],
        schema=schema,
        marks=tuple(Watermark(*each) for each in marks),
        held=tuple(Hold(*each) for each in held),
    )
