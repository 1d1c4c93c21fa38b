"""Measures the memory of each process of a cluster, early and late in a long import."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure
from tests.cluster.many_programmes import (
    QUIET_PROGRAMMES,
    ImportProcess,
    ProgrammeCluster,
    QuietProgramme,
    run_cluster,
    run_import,
)

EARLY_FACTS, LATE_FACTS = 500_000, 2_000_000
PROBE_INTERVAL_SECONDS = 1.0
"""A quiet programme is asked about this often. The query process then has columns of it alone,
because those of the import would take 103 bytes an exchange."""
_MIB = 1 << 20


def measure(broker: str, postgres: str) -> Iterator[Figure]:
    with (
        run_cluster(broker, postgres) as running_cluster,
        run_import(running_cluster.servers[0], "stream", LATE_FACTS) as load,
    ):
        early, late = asyncio.run(_measure_memory(running_cluster, load))
    for name, mib in late.items():
        what = f"memory of {name}, {LATE_FACTS:,} facts imported"
        yield Figure(what, mib, "MiB", early[name], f"after {EARLY_FACTS:,}")


async def _measure_memory(
    running_cluster: ProgrammeCluster, load: ImportProcess
) -> list[dict[str, float]]:
    """Returns MiB by process when EARLY_FACTS and when LATE_FACTS of the import are visible."""
    samples, quiet = [], QuietProgramme(running_cluster.servers[1], QUIET_PROGRAMMES[0])
    for count in (EARLY_FACTS, LATE_FACTS):
        while load.count < count:
            await quiet.measure_visibility_seconds()
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)
        await quiet.count_visible_facts(load.position)
        samples.append(
            {
                name: _read_resident_mib(process.process.pid)
                for name, process in running_cluster.processes.items()
            }
        )
    await quiet.close()
    return samples


def _read_resident_mib(pid: int) -> float:
    """Returns the resident MiB of a process, including shared libraries."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB
