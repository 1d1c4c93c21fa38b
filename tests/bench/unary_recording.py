"""Measures one fact a call, as forms and other people's programs record.

Run as a program, this module is the limit: the same server with a handler that answers at once.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

import grpc

from mutua.v1.ingest_service_pb2 import (
    RecordEventsRequest,
    RecordEventsResponse,
    RecordStreamResponse,
)
from mutua.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    IngestServiceStub,
    add_IngestServiceServicer_to_server,
)
from services.adapters.grpc.server import GrpcServer
from tests.bench.batch_recording import generate_facts
from tests.bench.commands import run_server
from tests.bench.figure import RUNS, Figure

CALLS = 5_000
CALLERS = 64


def measure() -> Iterator[Figure]:
    requests = [RecordEventsRequest(events=[event]) for event in islice(generate_facts(), CALLS)]
    rates, limit_rates, run_numbers = [], [], count()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            with run_server(Path(folder) / f"data-{next(run_numbers)}") as address:
                rates.append(asyncio.run(measure_call_rate(address, requests)))
            with run_empty_server() as address:
                limit_rates.append(asyncio.run(measure_call_rate(address, requests)))
    yield Figure(
        f"RecordEvents, 1 event, {CALLERS} callers, durable, during live projection",
        statistics.median(rates),
        "events/s",
        statistics.median(limit_rates),
        "the same server with an empty handler",
    )


async def measure_call_rate(address: str, requests: Sequence[RecordEventsRequest]) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        record, remaining = IngestServiceStub(channel).RecordEvents, iter(requests)

        async def call() -> None:
            for request in remaining:
                await record(request)

        start = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(CALLERS)))
        return len(requests) / (time.perf_counter() - start)


@contextmanager
def run_empty_server() -> Iterator[str]:
    """Runs the empty server and yields its address; the process ends with its input."""
    command = [sys.executable, "-m", "tests.bench.unary_recording"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


class _EmptyIngestService(IngestServiceServicer):
    async def RecordEvents(self, request: Any, context: Any) -> RecordEventsResponse:  # noqa: N802
        return RecordEventsResponse(position="0")

    async def RecordStream(  # noqa: N802
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[RecordStreamResponse]:
        async for _ in request_iterator:
            yield RecordStreamResponse(position="0")


async def _serve() -> None:
    empty = GrpcServer([])
    add_IngestServiceServicer_to_server(_EmptyIngestService(), empty.aio_server)
    print(await empty.start("127.0.0.1:0"), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await empty.stop(0)


if __name__ == "__main__":
    asyncio.run(_serve())
