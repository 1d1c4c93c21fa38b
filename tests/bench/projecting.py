"""One projector from Kafka into PostgreSQL, beside the rows alone and beside other people's."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import asyncpg

from mutua.v1.event_pb2 import Event
from services.demo.programme import generate
from tests.backends import new_database
from tests.bench import peers
from tests.bench.cluster import Service, fill
from tests.bench.embedded import as_recorded
from tests.bench.measure import Figure
from tests.cluster.topics import new_topic

FACTS = 400_000
RUNS = 3
SLAB = 5_000
_SOON_SECONDS = 0.05


def figures(broker: str, postgres: str) -> Iterator[Figure]:
    one = [("default", as_recorded(event)) for event in facts("default", FACTS)]
    quarters = [
        (programme, as_recorded(event))
        for programme in ("north", "south", "east", "west")
        for event in facts(programme, FACTS // 4)
    ]
    rate, rows = _projected(broker, postgres, one)
    yield _figure("one programme", rate, rows, "PostgreSQL, COPY of the same rows")
    rate, rows = _projected(broker, postgres, quarters)
    yield _figure("four programmes", rate, rows, "PostgreSQL, COPY of the same rows")
    for peer, limit in peers.rates(broker, FACTS):
        yield _figure("four programmes", rate, limit, peer)


def _figure(what: str, rate: float, limit: float, limit_is: str) -> Figure:
    name = f"one projector, Kafka to PostgreSQL, all tables, {FACTS:,} generated facts, {what}"
    return Figure(name, rate, "facts/s", limit, limit_is)


def facts(programme: str, count: int) -> Iterator[Event]:
    recordings = generate(scale=count // 560 + 1, programme=programme)
    return islice((event for each in recordings for event in each.events), count)


def _projected(broker: str, postgres: str, records: list[tuple[str, bytes]]) -> tuple[float, float]:
    """Facts a second, medians: projected, and of the rows that came of it written again."""
    ours, rows = [], []
    for topic in new_topic(broker):
        fill(broker, topic, records)
        for _ in range(RUNS):
            with new_database(postgres) as database:
                with Service("projector", broker, topic, database):
                    ours.append(asyncio.run(_rate(database, len(records))))
                rows.append(len(records) / asyncio.run(copied(database)))
    return statistics.median(ours), statistics.median(rows)


async def _rate(database: str, count: int) -> float:
    """Facts a second, from the first slab that is there to the last."""
    connection = await asyncpg.connect(database)
    first, start = 0, 0.0
    while True:
        there = await _projected_so_far(connection)
        if there and not first:
            first, start = there, time.perf_counter()
        if there == count:
            break
        await asyncio.sleep(_SOON_SECONDS)
    await connection.close()
    return (count - first) / (time.perf_counter() - start)


async def _projected_so_far(connection: Any) -> int:
    schema = await connection.fetchval("SELECT schema_name FROM mutua_control.answering")
    return int(
        await connection.fetchval(
            f"SELECT coalesce(sum(next_offset), 0)::bigint FROM {schema}.position"
        )
    )


async def copied(database: str) -> float:
    """Seconds to write all rows of a database into tables like theirs, slab by slab."""
    connection = await asyncpg.connect(database)
    schema = await connection.fetchval("SELECT schema_name FROM mutua_control.answering")
    await connection.execute("SET synchronous_commit = off; CREATE SCHEMA copied")
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'position'", schema
    )
    took = 0.0
    for (table,) in tables:
        await connection.execute(
            f"CREATE TABLE copied.{table} (LIKE {schema}.{table} INCLUDING INDEXES)"
        )
        rows = [tuple(row) for row in await connection.fetch(f"SELECT * FROM {schema}.{table}")]
        start = time.perf_counter()
        for first in range(0, len(rows), SLAB):
            await connection.copy_records_to_table(
                table, schema_name="copied", records=rows[first : first + SLAB]
            )
        took += time.perf_counter() - start
    await connection.close()
    return took
