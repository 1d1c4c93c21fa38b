"""The processes of a cluster and an embedded server, all with metrics."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.error import URLError

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from services.dev.programs import ChildProcess, Program
from tests.backing_services import START_SECONDS
from tests.faults.server_process import make_environment
from tests.ports import allocate_port
from tests.prometheus_scrape import Scrape, scrape


class MeasuredProcess:
    """A process with its address and its metrics address."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *words: str,
        python: str | Path = sys.executable,
        **settings: str,
    ) -> None:
        """`words` are the arguments of Python, or of another program given as `python`."""
        self.address, self.metrics = (f"127.0.0.1:{allocate_port()}" for _ in range(2))
        self._said = folder / f"{name}.log"
        program = Program(
            name=name,
            command=(str(python), *(words or ("-m", f"services.{name}"))),
            ready_text="is ready",
            environment=make_environment(
                MUTUA_LISTEN=self.address, MUTUA_METRICS_LISTEN=self.metrics, **settings
            ),
        )
        self._child = ChildProcess(program, self._said)

    def wait_until_ready(self) -> None:
        self._child.wait_until_ready(seconds=2 * START_SECONDS)

    @property
    def output(self) -> str:
        return self._said.read_text()

    def scrape(self) -> Scrape:
        try:
            return scrape(self.metrics)
        except URLError as error:
            raise AssertionError(f"no metrics, {error}; its output:\n{self.output}") from error

    @contextmanager
    def freeze(self) -> Iterator[None]:
        """Stops the process within the block."""
        os.kill(self._child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._child.pid, signal.SIGCONT)

    def close(self) -> None:
        self._child.stop()


class MeasuredCluster:
    """Ingest, projector and query on a topic and a database, and an embedded server."""

    def __init__(self, folder: Path, broker: str, topic: str, database: str) -> None:
        self.broker, self.topic, self.database = broker, topic, database
        self._running = ExitStack()
        settings = {
            "MUTUA_LOG_URL": f"kafka://{broker}/{topic}",
            "MUTUA_STORE_URL": database,
            "MUTUA_LOG_FORMAT": "json",
            "MUTUA_LOG_LEVEL": "info",
            "MUTUA_SESSION_TIMEOUT_SECONDS": "60",  # a frozen projector stays in the group
        }
        up = "from services.cli.entry import main; main()"
        self.projector, self.query, self.ingest = (
            self._start(MeasuredProcess(name, folder, **settings))
            for name in ("projector", "query", "ingest")
        )
        self.server = self._start(
            MeasuredProcess("up", folder, "-c", up, "up", MUTUA_DATA=str(folder / "data"))
        )
        self._all = (self.projector, self.query, self.ingest, self.server)
        try:
            for process in self._all:
                process.wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def client_address(self) -> str:
        """The address pair for the client library."""
        return f"{self.ingest.address},{self.query.address}"

    def open_log(self) -> "closing[KafkaTopic]":
        return closing(KafkaTopic(KafkaAddress(servers=(self.broker,), topic=self.topic)))

    def find_partition(self, programme_id: str) -> int:
        with self.open_log() as log:
            return log.find_partition(programme_id)

    def record_count(self) -> int:
        """Returns the number of records on the log."""
        with self.open_log() as log:
            return sum(log.ends().values())

    def scrape_all(self) -> list[Scrape]:
        return [each.scrape() for each in self._all]

    def close(self) -> None:
        self._running.close()

    def _start(self, process: MeasuredProcess) -> MeasuredProcess:
        return self._running.enter_context(closing(process))
