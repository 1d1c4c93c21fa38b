"""Measures one projector from Kafka into PostgreSQL against bare COPY and other projects."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import asyncpg

from mutua.v1.event_pb2 import Event
from services.demo.programme import generate
from tests.backing_services import temporary_database
from tests.bench import peers
from tests.bench.batch_recording import serialize_record
from tests.bench.bench_service import fill_topic, run_service
from tests.bench.figure import Figure
from tests.cluster.topics import temporary_topic

FACTS = 400_000
RUNS = 3
SLAB = 5_000
_POLL_SECONDS = 0.05


def measure(broker: str, postgres: str) -> Iterator[Figure]:
    one = [
        ("default", serialize_record(event)) for event in generate_programme_facts("default", FACTS)
    ]
    quarters = [
        (programme, serialize_record(event))
        for programme in ("north", "south", "east", "west")
        for event in generate_programme_facts(programme, FACTS // 4)
    ]
    rate, rows = _measure_projection(broker, postgres, one)
    yield _figure("one programme", rate, rows, "PostgreSQL, COPY of the same rows")
    rate, rows = _measure_projection(broker, postgres, quarters)
    yield _figure("four programmes", rate, rows, "PostgreSQL, COPY of the same rows")
    for peer, limit in peers.measure_peer_rates(broker, FACTS):
        yield _figure("four programmes", rate, limit, peer)


def _figure(what: str, rate: float, limit: float, limit_is: str) -> Figure:
    name = f"one projector, Kafka to PostgreSQL, all tables, {FACTS:,} generated facts, {what}"
    return Figure(name, rate, "facts/s", limit, limit_is)


def generate_programme_facts(programme: str, count: int) -> Iterator[Event]:
    recordings = generate(scale=count // 560 + 1, programme=programme)
    return islice((event for each in recordings for event in each.events), count)


def _measure_projection(
    broker: str, postgres: str, records: list[tuple[str, bytes]]
) -> tuple[float, float]:
    """Returns median facts a second of projection, and of copying the resulting rows."""
    rates, copy_rates = [], []
    for topic in temporary_topic(broker):
        fill_topic(broker, topic, records)
        for _ in range(RUNS):
            with temporary_database(postgres) as database:
                with run_service("projector", broker, topic, database):
                    rates.append(asyncio.run(_measure_rate(database, len(records))))
                copy_rates.append(len(records) / asyncio.run(measure_copy_seconds(database)))
    return statistics.median(rates), statistics.median(copy_rates)


async def _measure_rate(database: str, count: int) -> float:
    """Returns facts a second from the first visible slab to the last."""
    connection = await asyncpg.connect(database)
    first, start = 0, 0.0
    while True:
        projected_count = await _count_projected(connection)
        if projected_count and not first:
            first, start = projected_count, time.perf_counter()
        if projected_count == count:
            break
        await asyncio.sleep(_POLL_SECONDS)
    await connection.close()
    return (count - first) / (time.perf_counter() - start)


async def _count_projected(connection: Any) -> int:
    schema = await connection.fetchval("SELECT schema_name FROM mutua_control.answering")
    return int(
        await connection.fetchval(
            f"SELECT coalesce(sum(next_offset), 0)::bigint FROM {schema}.position"
        )
    )


async def measure_copy_seconds(database: str) -> float:
    """Returns the seconds of copying all rows of a database into equal tables, slab by slab."""
    connection = await asyncpg.connect(database)
    schema = await connection.fetchval("SELECT schema_name FROM mutua_control.answering")
    await connection.execute("SET synchronous_commit = off; CREATE SCHEMA copied")
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'position'", schema
    )
    seconds = 0.0
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
        seconds += time.perf_counter() - start
    await connection.close()
    return seconds
