"""What each process of a cluster has in memory, early and late in a long import."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure
from tests.cluster.many_programmes import (
    QUIET_PROGRAMMES,
    Import,
    ProgrammeCluster,
    QuietProgramme,
    run_cluster,
    run_import,
)

EARLY_FACTS, LATE_FACTS = 500_000, 2_000_000
PROBE_INTERVAL_SECONDS = 1.0
"""So often a quiet programme is asked about: the process that answers has columns of it alone, as
those of the import would take 103 bytes an exchange."""
_MIB = 1 << 20


def measure(broker: str, postgres: str) -> Iterator[Figure]:
    with (
        run_cluster(broker, postgres) as running,
        run_import(running.servers[0], "stream", LATE_FACTS) as noise,
    ):
        early, late = asyncio.run(_memory(running, noise))
    for name, mib in late.items():
        what = f"memory of {name}, {LATE_FACTS:,} facts imported"
        yield Figure(what, mib, "MiB", early[name], f"after {EARLY_FACTS:,}")


async def _memory(running: ProgrammeCluster, noise: Import) -> list[dict[str, float]]:
    """Mebibytes by process: when EARLY, and when LATE facts of the import are visible."""
    found, quiet = [], QuietProgramme(running.servers[1], QUIET_PROGRAMMES[0])
    for count in (EARLY_FACTS, LATE_FACTS):
        while noise.count < count:
            await quiet.measure_visibility_seconds()
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)
        await quiet.count_visible_facts(noise.position)
        found.append(
            {name: _resident(each.process.pid) for name, each in running.processes.items()}
        )
    await quiet.close()
    return found


def _resident(pid: int) -> float:
    """Mebibytes that a process has in memory, shared libraries included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB
