"""What each process of a cluster has in memory, early and late in a long import."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Figure
from tests.cluster.programmes import QUIET, Cluster, Import, Quiet, cluster, importing

EARLY, LATE = 500_000, 2_000_000
EVERY_SECONDS = 1.0
"""So often a quiet programme is asked about: the process that answers has columns of it alone, as
those of the import would take 103 bytes an exchange."""
_MIB = 1 << 20


def figures(broker: str, postgres: str) -> Iterator[Figure]:
    with (
        cluster(broker, postgres) as running,
        importing(running.servers[0], "stream", LATE) as noise,
    ):
        early, late = asyncio.run(_memory(running, noise))
    for name, mib in late.items():
        what = f"memory of {name}, {LATE:,} facts imported"
        yield Figure(what, mib, "MiB", early[name], f"after {EARLY:,}")


async def _memory(running: Cluster, noise: Import) -> list[dict[str, float]]:
    """Mebibytes by process: when EARLY, and when LATE facts of the import are visible."""
    found, quiet = [], Quiet(running.servers[1], QUIET[0])
    for count in (EARLY, LATE):
        while noise.count < count:
            await quiet.record_and_see()
            await asyncio.sleep(EVERY_SECONDS)
        await quiet.see(noise.position)
        found.append(
            {name: _resident(each.process.pid) for name, each in running.processes.items()}
        )
    await quiet.close()
    return found


def _resident(pid: int) -> float:
    """Mebibytes that a process has in memory, shared libraries included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB
