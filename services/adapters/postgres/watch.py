"""What those who project tell: how far each partition is, what holds it, and who answers."""

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
_AGAIN_SECONDS: Final = 1.0
_POSITIONS: Final = "SELECT partition, log_id, next_offset FROM {schema}.position"
_HELD: Final = 'SELECT partition, "offset", reason, crash_count FROM {schema}.held'


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """How the read models that answer stand: the id of their log and how far it is, by partition.

    `held` are the partitions that go no further, and why; `fact_kinds` what those who project know,
    none where they do not say.
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
    """Tells for ever of the schema that is chosen; everything is called on the event loop.

    `on_seen` has everything, at least every 250 ms, `on_moved` a partition and its position as soon
    as they are committed. `on_unavailable` has the reason when nothing can be seen; then it tries
    again.
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
        await asyncio.sleep(_AGAIN_SECONDS)


async def _follow(
    connection: Any,
    on_seen: Callable[[ProjectionStatus], Awaitable[None]],
    on_moved: Callable[[int, int], None],
    choose: Callable[[Any], Awaitable[str]],
) -> None:
    """Until another schema answers, or the connection is lost."""

    def told(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        partition, next_offset = map(int, payload.split())
        on_moved(partition, next_offset)

    schema = await choose(connection)
    await connection.add_listener(schema, told)
    while await choose(connection) == schema:
        positions = await connection.fetch(_POSITIONS.format(schema=schema))
        held = [Hold(*row) for row in await connection.fetch(_HELD.format(schema=schema))]
        await on_seen(
            ProjectionStatus(
                schema,
                frozenset(row["log_id"] for row in positions),
                {row["partition"]: row["next_offset"] for row in positions},
                {each.partition: each.reason for each in held if each.is_permanent},
                await read_fact_kinds(connection, schema),
            )
        )
        await asyncio.sleep(_POLL_SECONDS)
