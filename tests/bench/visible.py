"""How long a fact that was acknowledged takes to show in an answer."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from itertools import islice

import grpc

from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.query_service_pb2 import GetStatusRequest
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from tests.backends import new_database
from tests.bench.cluster import Service
from tests.bench.embedded import facts
from tests.bench.measure import Figure
from tests.cluster.topics import new_topic

RATE = 1_000
BATCH = 10
SECONDS = 20
FLOORS = {"p50": 0.120, "p99": 0.300}


def figures(broker: str, postgres: str) -> Iterator[Figure]:
    for topic in new_topic(broker):
        with (
            new_database(postgres) as database,
            Service("projector", broker, topic, database),
            Service("ingest", broker, topic) as ingest,
            Service("query", broker, topic, database) as query,
        ):
            seen = asyncio.run(_latencies(ingest.address, query.address))
    hundredths = statistics.quantiles(seen, n=100)
    for name, at in (("p50", 49), ("p99", 98)):
        what = f"acknowledged to visible, {RATE:,} facts/s in batches of {BATCH}, {name}"
        yield Figure(what, hundredths[at], "s", FLOORS[name], "the bound set")


async def _latencies(ingest: str, query: str) -> list[float]:
    """Seconds from each acknowledgement to an answer that has it."""
    events = iter(list(islice(facts(), RATE * SECONDS)))
    async with grpc.aio.insecure_channel(ingest) as to, grpc.aio.insecure_channel(query) as asked:
        record, status = IngestServiceStub(to).RecordEvents, QueryServiceStub(asked).GetStatus

        async def one(request: RecordEventsRequest) -> float:
            acknowledged = await record(request)
            start = time.perf_counter()
            await status(
                GetStatusRequest(
                    programme_id=request.events[0].programme_id,
                    min_position=acknowledged.position,
                )
            )
            return time.perf_counter() - start

        calls, start = [], time.perf_counter()
        while batch := list(islice(events, BATCH)):
            calls.append(asyncio.create_task(one(RecordEventsRequest(events=batch))))
            due = start + len(calls) * BATCH / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        # The first second is connections opened and columns not yet there.
        return (await asyncio.gather(*calls))[RATE // BATCH :]
