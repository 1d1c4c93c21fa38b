"""Measures how soon many subscribers get what one recorded, and the memory of their server."""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question
from mutua.v1.watch_service_pb2 import WatchBalancesRequest
from mutua.v1.watch_service_pb2_grpc import WatchServiceStub
from tests.bench.figure import Figure
from tests.bench.live_recording import make_call, offset_of, record_evenly
from tests.bench.processes import read_peak_mib, read_processor_seconds
from tests.cli.cli_process import run_up

SUBSCRIBERS, QUESTIONS = 1_000, 20
CHANNELS = 20
ORGANIZATIONS = 300
HISTORY = 5_000
FACTS_PER_SECOND, DURATION_SECONDS, BATCH = 200, 20, 10
LIMIT_SECONDS = {"p50": 0.25, "p99": 0.5}
LIMIT_SECONDS_HTTP = {"p50": 0.35, "p99": 0.7}
LIMIT_MIB = 300
_PROGRAMME = "default"


def measure() -> Iterator[Figure]:
    yield from _measure("grpc", "WatchBalances", LIMIT_SECONDS)


def measure_over_http() -> Iterator[Figure]:
    yield from _measure("http", "WatchBalances over HTTP", LIMIT_SECONDS_HTTP)


def _measure(transport: str, what: str, limit_seconds: dict[str, float]) -> Iterator[Figure]:
    with TemporaryDirectory() as folder, run_up(Path(folder, "data")) as (server, _):
        addresses = json.loads(Path(folder, "data", "server.json").read_text())
        with Client(addresses["address"]) as client:
            key = "http_address" if transport == "http" else "address"
            client.get_status(min_position=_record_history(client))
            with subprocess.Popen(
                [sys.executable, "-m", __name__, transport, addresses[key]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as subscribers:
                assert subscribers.stdin is not None
                assert subscribers.stdout is not None
                subscribers.stdout.readline()  # all have their snapshot
                before = read_processor_seconds(server.pid)
                acknowledged = record_evenly(
                    client,
                    _make_exchange,
                    facts_per_second=FACTS_PER_SECOND,
                    duration_seconds=DURATION_SECONDS,
                    batch=BATCH,
                )
                processor = (read_processor_seconds(server.pid) - before) / _elapsed(acknowledged)
                memory_mib = read_peak_mib(server.pid)
                subscribers.stdin.write(f"{max(acknowledged)}\n")
                subscribers.stdin.flush()
                arrivals: list[list[tuple[float, int]]] = json.loads(subscribers.stdout.readline())
    yield from _evaluate(what, limit_seconds, acknowledged, arrivals)
    yield Figure("processor of the server", processor, "cores", 1, "one core")
    yield Figure("memory of the server", memory_mib, "MiB", LIMIT_MIB, "the bound set")


def _evaluate(
    watch: str,
    limit_seconds: dict[str, float],
    acknowledged: dict[int, float],
    arrivals: list[list[tuple[float, int]]],
) -> Iterator[Figure]:
    what = f"{SUBSCRIBERS:,} {watch} of {QUESTIONS} questions, {FACTS_PER_SECOND} facts/s"
    latencies = [
        max(0.0, moment - acknowledged[offset])
        for received in arrivals
        for offset, moment in _match(sorted(acknowledged), received)
    ]
    hundredths = statistics.quantiles(latencies, n=100)
    for name, index in (("p50", 49), ("p99", 98)):
        yield Figure(
            f"{what}: acknowledged to received, {name}",
            hundredths[index],
            "s",
            limit_seconds[name],
            "the bound set",
        )
    complete = sum(received[-1][1] >= max(acknowledged) for received in arrivals)
    yield Figure("subscribers that got everything", complete, "", SUBSCRIBERS, "all")
    messages = sum(map(len, arrivals)) / SUBSCRIBERS / _elapsed(acknowledged)
    yield Figure("messages a subscriber", messages, "a second", 5, "one in 200 ms")


def _match(offsets: list[int], received: list[tuple[float, int]]) -> Iterator[tuple[int, float]]:
    """When a subscriber had each fact."""
    messages = iter(received)
    moment, reached = next(messages)
    for offset in offsets:
        while reached < offset:
            moment, reached = next(messages, (float("inf"), 1 << 62))
        yield offset, moment


def _record_history(client: Client) -> str:
    position = ""
    for _ in range(HISTORY // 1_000):
        position = client.record([_make_exchange() for _ in range(1_000)])
    return position


def _make_exchange() -> Event:
    giver, receiver = random.sample(range(ORGANIZATIONS), 2)
    return make_call(giver, receiver, datetime.now(UTC) - timedelta(minutes=1))


def _elapsed(acknowledged: dict[int, float]) -> float:
    return max(acknowledged.values()) - min(acknowledged.values())


class _Arrivals:
    """When each message of each subscriber arrived, after its snapshot, and its offset."""

    def __init__(self) -> None:
        self.by_subscriber: list[list[tuple[float, int]]] = [[] for _ in range(SUBSCRIBERS)]
        self.complete_count = asyncio.Semaphore(0)
        self._complete: set[int] = set()

    def add(self, number: int, position: str, *, ends_step: bool) -> None:
        if number in self._complete:
            self.by_subscriber[number].append((time.monotonic(), offset_of(position)))
        elif ends_step:
            self._complete.add(number)
            self.complete_count.release()

    def have_reached(self, end: int) -> bool:
        return all(received and received[-1][1] >= end for received in self.by_subscriber)


def _subscribe_by_grpc(address: str, arrivals: _Arrivals) -> Callable[[int], Awaitable[None]]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(CHANNELS)]
    stubs: list[Any] = [WatchServiceStub(channel) for channel in channels]

    async def follow(number: int) -> None:
        question = Question(programme_id=_PROGRAMME)
        question.from_date.year, question.from_date.month = 2020, 1
        question.from_date.day = number % QUESTIONS + 1
        calls = stubs[number % CHANNELS].WatchBalances(WatchBalancesRequest(question=question))
        async for message in calls:
            ends_step = bool(message.resume_token)
            arrivals.add(number, message.position, ends_step=ends_step)

    return follow


def _subscribe_by_http(address: str, arrivals: _Arrivals) -> Callable[[int], Awaitable[None]]:
    host, _, port = address.rpartition(":")

    async def follow(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        path = f"/api/v1/watch/balances?from=2020-01-{number % QUESTIONS + 1:02}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        async for line in reader:
            if line.startswith(b"data: "):  # parsing its rows would take the time of the server
                rest = line[line.rindex(b'"position":"') :].split(b'"')
                arrivals.add(number, rest[3].decode(), ends_step=rest[7] != b"")

    return follow


async def _subscribe(transport: str, address: str) -> None:
    """Holds all subscriptions, and prints when each message arrived."""
    arrivals = _Arrivals()
    subscribe = _subscribe_by_http if transport == "http" else _subscribe_by_grpc
    follow = subscribe(address, arrivals)
    tasks = [asyncio.ensure_future(follow(number)) for number in range(SUBSCRIBERS)]
    for _ in range(SUBSCRIBERS):
        await arrivals.complete_count.acquire()
    print(flush=True)
    end = int(await asyncio.to_thread(sys.stdin.readline))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not arrivals.have_reached(end):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    print(json.dumps(arrivals.by_subscriber), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_subscribe(sys.argv[1], sys.argv[2]))
