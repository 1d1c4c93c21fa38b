"""Many programmes on one cluster: one that imports does not keep the others waiting."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from mutua import AsyncClient
from tests.cluster.many_programmes import (
    DEADLINE_SECONDS,
    QUIET_PROGRAMMES,
    ImportMethod,
    ProgrammeCluster,
    QuietProgramme,
    run_cluster,
    run_import,
)
from tests.waiting import wait_until

ENDLESS = 1_000_000
"""More facts than an import records here."""
CALLERS = 16


async def record_and_see_each(servers: Sequence[str], programmes: Sequence[str]) -> None:
    """Records a fact of every programme and waits for its answer, CALLERS at a time."""
    remaining = iter(enumerate(programmes))

    async def call() -> None:
        for number, programme in remaining:
            quiet = QuietProgramme(servers[number % len(servers)], programme)
            await quiet.measure_visibility_seconds()
            await quiet.close()

    await asyncio.gather(*(call() for _ in range(CALLERS)))


async def count_facts(server: str, programme: str, min_position: str = "") -> int:
    async with AsyncClient(server, programme, deadline_seconds=DEADLINE_SECONDS) as client:
        return (await client.get_status(min_position=min_position)).fact_count


async def count_facts_of_each(server: str, programmes: Sequence[str]) -> list[int]:
    return [await count_facts(server, programme) for programme in programmes]


@pytest.fixture(scope="class")
def cluster(broker: str, postgres: str) -> Iterator[ProgrammeCluster]:
    """Shared: the programmes of a test carry the method of its import in their names."""
    with run_cluster(broker, postgres) as running:
        yield running


class TestQuietProgrammes:
    @pytest.mark.parametrize("method", ["stream", "batches"])
    def test_visible_during_an_import(
        self, cluster: ProgrammeCluster, method: ImportMethod
    ) -> None:
        programmes = [f"{method}-{name}" for name in QUIET_PROGRAMMES]
        noisy_programme, server = f"{method}-import", cluster.servers[0]
        with run_import(server, method, ENDLESS, noisy_programme) as noise:
            wait_until(lambda: noise.is_under_way, "the import is under way")
            asyncio.run(record_and_see_each(cluster.servers, programmes))
            assert noise.is_under_way
            assert noise.finish() == 0
            imported = asyncio.run(count_facts(server, noisy_programme, noise.position))
            assert imported == noise.count
            assert asyncio.run(count_facts_of_each(server, programmes)) == [1] * len(programmes)
