"""Many programmes on one cluster: one that imports does not keep the others waiting."""

import asyncio
from collections.abc import Sequence

import pytest

from mutua import AsyncClient
from tests.cluster.many_programmes import (
    DEADLINE_SECONDS,
    NOISY_PROGRAMME,
    QUIET_PROGRAMMES,
    ImportMethod,
    QuietProgramme,
    run_cluster,
    run_import,
)
from tests.waiting import wait_until

ENDLESS = 1_000_000
"""More facts than an import records here."""
CALLERS = 16


async def each_is_seen(servers: Sequence[str]) -> None:
    """Records a fact of each quiet programme and waits for its answer, some side by side."""
    left = iter(enumerate(QUIET_PROGRAMMES))

    async def call() -> None:
        for number, programme in left:
            quiet = QuietProgramme(servers[number % len(servers)], programme)
            await quiet.measure_visibility_seconds()
            await quiet.close()

    await asyncio.gather(*(call() for _ in range(CALLERS)))


async def fact_counts(server: str, position: str) -> list[int]:
    """Of the import, up to a position, and then of the others."""

    async def count(programme: str, min_position: str = "") -> int:
        async with AsyncClient(server, programme, deadline_seconds=DEADLINE_SECONDS) as client:
            return (await client.get_status(min_position=min_position)).fact_count

    return [
        await count(NOISY_PROGRAMME, position),
        *[await count(each) for each in QUIET_PROGRAMMES],
    ]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("way", ["stream", "batches"])
def test_quiet_programmes_are_visible_during_an_import(
    broker: str, postgres: str, way: ImportMethod
) -> None:
    with (
        run_cluster(broker, postgres) as running,
        run_import(running.servers[0], way, ENDLESS) as noise,
    ):
        wait_until(lambda: noise.is_under_way, "the import is under way")
        asyncio.run(each_is_seen(running.servers))
        assert noise.is_under_way
        assert noise.finish() == 0
        counts = asyncio.run(fact_counts(running.servers[0], noise.position))
        assert counts == [noise.count, *(1 for _ in QUIET_PROGRAMMES)]
