"""Measures how long an acknowledged fact takes to be visible in an answer."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from itertools import islice

import grpc

from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.query_service_pb2 import ListBalancesRequest, Question
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from tests.backing_services import temporary_database
from tests.bench.batch_recording import generate_facts
from tests.bench.bench_service import run_service
from tests.bench.figure import Figure
from tests.cluster.topics import temporary_topic

FACTS_PER_SECOND = 1_000
BATCH = 10
SAMPLE_EVERY_CALLS = 10
DURATION_SECONDS = 20
LIMIT_SECONDS = {"p50": 0.120, "p99": 0.300}


def measure(broker: str, postgres: str) -> Iterator[Figure]:
    for topic in temporary_topic(broker):
        with (
            temporary_database(postgres) as database,
            run_service("projector", broker, topic, database),
            run_service("ingest", broker, topic) as ingest,
            run_service("query", broker, topic, database) as query,
        ):
            latencies = asyncio.run(_measure_latencies(ingest, query))
    hundredths = statistics.quantiles(latencies, n=100)
    for name, index in (("p50", 49), ("p99", 98)):
        what = (
            f"acknowledged to visible, {FACTS_PER_SECOND:,} facts/s in batches of {BATCH}, {name}"
        )
        yield Figure(what, hundredths[index], "s", LIMIT_SECONDS[name], "the bound set")


async def _measure_latencies(ingest: str, query: str) -> list[float]:
    """Returns the seconds from acknowledgements, ten a second, to an answer with their facts."""
    events = iter(list(islice(generate_facts(), FACTS_PER_SECOND * DURATION_SECONDS)))
    async with (
        grpc.aio.insecure_channel(ingest) as ingest_channel,
        grpc.aio.insecure_channel(query) as query_channel,
    ):
        record, balances = (
            IngestServiceStub(ingest_channel).RecordEvents,
            QueryServiceStub(query_channel).ListBalances,
        )

        async def one(request: RecordEventsRequest, *, ask: bool) -> float | None:
            acknowledged = await record(request)
            if not ask:
                return None
            start = time.perf_counter()
            question = Question(programme_id=request.events[0].programme_id)
            await balances(
                ListBalancesRequest(
                    question=question, page_size=1, min_position=acknowledged.position
                )
            )
            return time.perf_counter() - start

        start = time.perf_counter()
        calls: list[asyncio.Task[float | None]] = []
        while batch := list(islice(events, BATCH)):
            ask = len(calls) % SAMPLE_EVERY_CALLS == 0
            calls.append(asyncio.create_task(one(RecordEventsRequest(events=batch), ask=ask)))
            due = start + len(calls) * BATCH / FACTS_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        # In the first second connections are opened and columns loaded.
        latencies = (await asyncio.gather(*calls))[FACTS_PER_SECOND // BATCH :]
    return [latency for latency in latencies if latency is not None]
