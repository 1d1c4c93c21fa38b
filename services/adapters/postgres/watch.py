"""Watch of the read models: projected positions, holds and which schema is active."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.adapters.postgres.driver import FAILURES, connect, describe_error
from services.adapters.postgres.schema import read_fact_kinds, select_schema_to_read
from services.ledger.errors import MutuaError
from services.ledger.records import Hold

logger = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 1.0
_POSITIONS: Final = "SELECT partition, log_id, next_offset FROM {schema}.position"
_HOLDS: Final = 'SELECT partition, "offset", reason, crash_count FROM {schema}.held'


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """Status of the active read models: the ids of their logs and the next offset by partition.

    `hold_reasons` has a reason for every held partition. `fact_kinds` are the kinds of facts that
    projectors support, empty when they declared none.
    """

    schema: str
    log_ids: frozenset[str]
    positions: Mapping[int, int]
    hold_reasons: Mapping[int, str]
    fact_kinds: frozenset[int]


async def watch(
    url: str,
    *,
    on_status: Callable[[ProjectionStatus], Awaitable[None]],
    on_progress: Callable[[int, int], None],
    on_unavailable: Callable[[str], Awaitable[None]],
    select_schema: Callable[[Any], Awaitable[str]] = select_schema_to_read,
) -> None:
    """Reports the selected schema for ever; every callback runs on the event loop.

    `on_status` gets the whole status, at least every 250 ms, and `on_progress` a partition and its
    position as soon as they are committed. `on_unavailable` gets the reason when the status cannot
    be read; a second later the watch tries again.
    """
    while True:
        try:
            connection = await connect(url, {"application_name": "mutua watching"})
            try:
                await _follow(connection, on_status, on_progress, select_schema)
            finally:
                connection.terminate()
        except (*FAILURES, MutuaError) as error:
            await on_unavailable(describe_error(error))
        await asyncio.sleep(_RETRY_SECONDS)


async def _follow(
    connection: Any,
    on_status: Callable[[ProjectionStatus], Awaitable[None]],
    on_progress: Callable[[int, int], None],
    select_schema: Callable[[Any], Awaitable[str]],
) -> None:
    """Reports one schema until another is selected or the connection is lost."""

    def notify(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        partition, next_offset = map(int, payload.split())
        on_progress(partition, next_offset)

    schema = await select_schema(connection)
    await connection.add_listener(schema, notify)
    while await select_schema(connection) == schema:
        positions = await connection.fetch(_POSITIONS.format(schema=schema))
        holds = [Hold(*row) for row in await connection.fetch(_HOLDS.format(schema=schema))]
        await on_status(
            ProjectionStatus(
                schema,
                frozenset(row["log_id"] for row in positions),
                {row["partition"]: row["next_offset"] for row in positions},
                {hold.partition: hold.reason for hold in holds if hold.stops_partition},
                await read_fact_kinds(connection, schema),
            )
        )
        await asyncio.sleep(_POLL_SECONDS)
