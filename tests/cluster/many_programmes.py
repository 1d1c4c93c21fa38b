"""Many programmes on one cluster: quiet ones that record now and then, and one that imports."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Final, Literal

from mutua import AsyncClient
from tests.backing_services import temporary_database
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import temporary_topic
from tests.faults.server_process import make_environment
from tests.services.facts import exchange

PARTITIONS: Final = 64
QUIET_PROGRAMMES: Final = [f"quiet-{number}" for number in range(200)]
NOISY_PROGRAMME: Final = "noisy"
DEADLINE_SECONDS: Final = 120.0
ORGANIZATIONS: Final = 10
"""Number of organizations of a quiet programme, each of which gives to the next one."""

ImportMethod = Literal["stream", "batches"]

_IMPORT: Final = """
import sys
from itertools import islice, takewhile
from threading import Event, Thread
from mutua import Client
from services.demo.programme import generate
server, programme, way, count = sys.argv[1:4] + [int(sys.argv[4])]
stopped = Event()
Thread(target=lambda: sys.stdin.read() or stopped.set(), daemon=True).start()
recordings = generate(scale=count // 560 + 1, programme=programme)
events = islice((event for each in recordings for event in each.events), count)
events = takewhile(lambda _: not stopped.is_set(), events)
with Client(server, programme, deadline_seconds=120) as client:
    client.get_status()  # a server that was never reached is given up after 2 s
    record = client.record_stream if way == "stream" else client.record_in_batches
    for recorded in record(events):
        print(recorded.count, recorded.position, flush=True)
"""


@dataclass(frozen=True, slots=True)
class ProgrammeCluster:
    """Two projectors, two ingest processes and a query process, by name.

    `servers` are the address pairs of clients, one for each ingest process.
    """

    processes: Mapping[str, ServiceProcess]
    servers: Sequence[str]


@contextmanager
def run_cluster(broker: str, postgres: str) -> Iterator[ProgrammeCluster]:
    """Yields a cluster that is ready, on a new topic and a new database."""
    with ExitStack() as running:
        folder = Path(running.enter_context(TemporaryDirectory()))
        database = running.enter_context(temporary_database(postgres))
        topic = running.enter_context(contextmanager(temporary_topic)(broker, PARTITIONS))
        processes = {}
        for name in ("projector-1", "projector-2", "ingest-1", "ingest-2", "query"):
            started = processes[name] = ServiceProcess(
                *(name.split("-")[0], folder, f"kafka://{broker}/{topic}", database),
                MUTUA_INSTANCE=name,
            )
            running.callback(started.kill)
        for each in processes.values():
            each.wait_until_ready()
        query = processes["query"].wait_for_address()
        servers = [
            f"{processes[name].wait_for_address()},{query}" for name in ("ingest-1", "ingest-2")
        ]
        yield ProgrammeCluster(processes, servers)


class ImportProcess:
    """A process that records facts of the generated programme as fast as ingest takes them."""

    def __init__(self, server: str, way: ImportMethod, count: int, programme: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _IMPORT, server, programme, way, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=make_environment(),
        )
        self.count = 0
        """Facts acknowledged."""
        self.position = ""
        """After the last of them."""
        self._reader = Thread(target=self._read)
        self._reader.start()

    @property
    def is_under_way(self) -> bool:
        return self.count > 0 and self._process.poll() is None

    def finish(self) -> int:
        """Returns the exit code once every fact that it began to record is acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait()
        self._reader.join()
        return status

    def close(self) -> None:
        self._process.kill()
        self.finish()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            count, self.position = line.split()
            self.count += int(count)


@contextmanager
def run_import(
    server: str, way: ImportMethod, count: int, programme: str = NOISY_PROGRAMME
) -> Iterator[ImportProcess]:
    """Imports until the end of the block, or until all is recorded."""
    running = ImportProcess(server, way, count, programme)
    try:
        yield running
    finally:
        running.close()


class QuietProgramme:
    """A quiet programme: one fact, and the answer that shows it."""

    def __init__(self, server: str, programme: str) -> None:
        self._client = AsyncClient(server, programme, deadline_seconds=DEADLINE_SECONDS)
        self.recorded_count = 0

    async def measure_visibility_seconds(self) -> float:
        """Seconds from the acknowledgement of a fact to an answer; checks that it is right."""
        giver = self.recorded_count % ORGANIZATIONS
        event = exchange(f"o{giver}", f"o{(giver + 1) % ORGANIZATIONS}")
        position = await self._client.record([event])
        self.recorded_count += 1
        acknowledged = time.perf_counter()
        assert await self.count_visible_facts(position) == self.recorded_count
        return time.perf_counter() - acknowledged

    async def count_visible_facts(self, position: str) -> float:
        """Number of facts in an answer that reflects a position."""
        balances = await self._client.list_balances(min_position=position)
        return sum([each.given async for each in balances])

    async def close(self) -> None:
        await self._client.close()
