"""Two hundred quiet programmes beside one that imports: how long what they record takes to show."""

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
from tests.faults.server_process import wait_until

RECORD_INTERVAL_SECONDS = 20.0
"""A quiet programme records a fact so often, and asks for it: all together ten times a second. At
forty they alone keep two cores busy, and what is waited for is a processor."""
ROUNDS = 3
IMPORT_FACTS = 1_000_000
"""More facts than an import records meanwhile."""
_WAYS: dict[ImportMethod, str] = {
    "stream": "RecordStream",
    "batches": "RecordEvents, batches of 1,000",
}


@dataclass(frozen=True, slots=True)
class ProgrammeLatencies:
    """Seconds until visible, of every fact but the first of each programme; facts a second of the
    import.
    """

    seconds: Sequence[float]
    import_rate: float

    def percentile(self, number: int) -> float:
        return statistics.quantiles(self.seconds, n=100)[number - 1]


def measure(broker: str, postgres: str) -> Iterator[Figure]:
    alone = _seen(broker, postgres, None, QUIET_PROGRAMMES)
    who = f"{len(QUIET_PROGRAMMES)} programmes, {PARTITIONS} partitions, acknowledged to visible"
    for way, how in _WAYS.items():
        beside = _seen(broker, postgres, way, QUIET_PROGRAMMES)
        for number in (50, 99):
            yield Figure(
                f"{who}, beside an import ({how}), p{number}",
                beside.percentile(number),
                "s",
                alone.percentile(number),
                "the same without the import",
            )
        yield Figure(
            f"that import ({how})",
            beside.import_rate,
            "facts/s",
            _seen(broker, postgres, way, []).import_rate,
            "the same import alone",
        )


def _seen(
    broker: str, postgres: str, way: ImportMethod | None, quiet: Sequence[str]
) -> ProgrammeLatencies:
    with run_cluster(broker, postgres) as running, ExitStack() as stack:
        noise = (
            stack.enter_context(run_import(running.servers[0], way, IMPORT_FACTS)) if way else None
        )
        if noise:
            wait_until(lambda: noise.is_under_way, "the import is under way")
        before, start = noise.count if noise else 0, time.perf_counter()
        seconds = asyncio.run(_now_and_then(running.servers, quiet))
        imported = noise.count - before if noise else 0
        return ProgrammeLatencies(seconds, imported / (time.perf_counter() - start))


async def _now_and_then(servers: Sequence[str], programmes: Sequence[str]) -> list[float]:
    """Each programme records at its own times, on one of the servers."""
    start = time.perf_counter()

    async def until(seconds: float) -> None:
        await asyncio.sleep(max(0.0, start + seconds - time.perf_counter()))

    async def one(number: int, programme: str) -> list[float]:
        quiet, seconds = QuietProgramme(servers[number % len(servers)], programme), []
        for turn in range(ROUNDS):
            await until(RECORD_INTERVAL_SECONDS * (turn + number / len(programmes)))
            seconds.append(await quiet.measure_visibility_seconds())
        await quiet.close()
        return seconds[1:]

    found = await asyncio.gather(*(one(*each) for each in enumerate(programmes)))
    await until(RECORD_INTERVAL_SECONDS * ROUNDS)
    return [each for seconds in found for each in seconds]
