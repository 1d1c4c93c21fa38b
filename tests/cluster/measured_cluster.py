"""The processes of a cluster and an embedded server, all with metrics."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.error import URLError

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import kafka_url
from tests.ports import allocate_port
from tests.prometheus_scrape import Scrape, scrape


class MeasuredProcess(ServiceProcess):
    """A service process with metrics."""

    def __init__(
        self,
        name: str,
        folder: Path,
        log_url: str,
        store_url: str,
        *,
        program: Sequence[str | Path] = (),
        **settings: str,
    ) -> None:
        self.metrics = f"127.0.0.1:{allocate_port()}"
        super().__init__(
            name,
            folder,
            log_url,
            store_url,
            program=program,
            MUTUA_METRICS_LISTEN=self.metrics,
            MUTUA_LOG_FORMAT="json",
            MUTUA_LOG_LEVEL="info",
            **settings,
        )

    def scrape(self) -> Scrape:
        try:
            return scrape(self.metrics)
        except URLError as error:
            raise AssertionError(f"no metrics, {error}; its output:\n{self.output}") from error

    def close(self) -> None:
        self.stop()


class MeasuredCluster:
    """Ingest, projector and query on a topic and a database, and an embedded server."""

    def __init__(self, folder: Path, broker: str, topic: str, database: str) -> None:
        self.broker, self.topic, self.database = broker, topic, database
        self._running = ExitStack()
        urls = kafka_url(broker, topic), database
        # A frozen projector stays in the group.
        settings = {"MUTUA_SESSION_TIMEOUT_SECONDS": "60"}
        self.projector, self.query, self.ingest = (
            self._start(MeasuredProcess(name, folder, *urls, **settings))
            for name in ("projector", "query", "ingest")
        )
        up = ("-c", "from services.cli.entry import main; main()", "up")
        embedded = {"MUTUA_DATA": str(folder / "data"), "MUTUA_HTTP_LISTEN": "127.0.0.1:0"}
        self.server = self._start(MeasuredProcess("up", folder, "", "", program=up, **embedded))
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
