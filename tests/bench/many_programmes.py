"""Measures how long facts of 200 quiet programmes take to be visible during an import."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.figure import Figure
from tests.cluster.many_programmes import (
    PARTITIONS,
    QUIET_PROGRAMMES,
    ImportMethod,
    QuietProgramme,
    run_cluster,
    run_import,
)
from tests.waiting import wait_until

RECORD_INTERVAL_SECONDS = 20.0
"""Each quiet programme records a fact this often and asks for it, all together
ten times a second. At forty a second, they alone keep two cores busy and wait for a processor."""
ROUNDS = 3
IMPORT_FACTS = 1_000_000
"""More facts than an import records during a measurement."""
_METHOD_NAMES: dict[ImportMethod, str] = {
    "stream": "RecordStream",
    "batches": "RecordEvents, batches of 1,000",
}


@dataclass(frozen=True, slots=True)
class ProgrammeLatencies:
    """Seconds until every fact but the first of a programme was visible, and the import's rate."""

    seconds: Sequence[float]
    import_rate: float

    def percentile(self, number: int) -> float:
        return statistics.quantiles(self.seconds, n=100)[number - 1]


def measure(broker: str, postgres: str) -> Iterator[Figure]:
    alone = _measure_run(broker, postgres, None, QUIET_PROGRAMMES)
    subject = (
        f"{len(QUIET_PROGRAMMES)} programmes, {PARTITIONS} partitions, acknowledged to visible"
    )
    for method, method_name in _METHOD_NAMES.items():
        busy = _measure_run(broker, postgres, method, QUIET_PROGRAMMES)
        for number in (50, 99):
            yield Figure(
                f"{subject}, during an import ({method_name}), p{number}",
                busy.percentile(number),
                "s",
                alone.percentile(number),
                "the same without the import",
            )
        yield Figure(
            f"that import ({method_name})",
            busy.import_rate,
            "facts/s",
            _measure_run(broker, postgres, method, []).import_rate,
            "the same import alone",
        )


def _measure_run(
    broker: str, postgres: str, method: ImportMethod | None, quiet: Sequence[str]
) -> ProgrammeLatencies:
    with run_cluster(broker, postgres) as running_cluster, ExitStack() as stack:
        load = (
            stack.enter_context(run_import(running_cluster.servers[0], method, IMPORT_FACTS))
            if method
            else None
        )
        if load:
            wait_until(lambda: load.is_under_way, "the import is under way")
        before, start = load.count if load else 0, time.perf_counter()
        seconds = asyncio.run(_record_regularly(running_cluster.servers, quiet))
        import_count = load.count - before if load else 0
        return ProgrammeLatencies(seconds, import_count / (time.perf_counter() - start))


async def _record_regularly(servers: Sequence[str], programmes: Sequence[str]) -> list[float]:
    """Lets every programme record at its own times, on one of the servers; returns the seconds."""
    start = time.perf_counter()

    async def until(seconds: float) -> None:
        await asyncio.sleep(max(0.0, start + seconds - time.perf_counter()))

    async def one(number: int, programme: str) -> list[float]:
        programme_client, seconds = QuietProgramme(servers[number % len(servers)], programme), []
        for turn in range(ROUNDS):
            await until(RECORD_INTERVAL_SECONDS * (turn + number / len(programmes)))
            seconds.append(await programme_client.measure_visibility_seconds())
        await programme_client.close()
        return seconds[1:]

    results = await asyncio.gather(*(one(*numbered) for numbered in enumerate(programmes)))
    await until(RECORD_INTERVAL_SECONDS * ROUNDS)
    return [latency for seconds in results for latency in seconds]
