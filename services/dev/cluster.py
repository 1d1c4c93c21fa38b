"""A cluster on one machine: its programs, a run in the foreground, its status."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin
from services.app.cluster_verification import verify as compare
from services.dev import broker, postgres
from services.dev.directory import DIRECTORY_VARIABLE, ClusterState, DevDirectory
from services.dev.programs import Program, find_free_port, is_port_free
from services.dev.supervisor import ProcessStatus, Supervisor
from services.ledger.errors import NotFoundError
from services.projector.verification import VerifyProgress, VerifyReport, ignore_progress

_TOPIC: Final = "mutua"
_SERVICES: Final = ("projector-1", "projector-2", "query", "ingest-1", "ingest-2")
_METRICS: Final = {name: f"{name} metrics" for name in _SERVICES}
_PORTS: Final = ("broker", "controller", "postgres", "ingest", "query", *_METRICS.values())
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DevCluster:
    """A broker, a PostgreSQL, two ingest processes on one address, two projectors, one query."""

    def __init__(self, directory: DevDirectory) -> None:
        """Raises ProgramNotFoundError or ProgramStartError if a server program cannot run."""
        path = directory.path
        self._directory = directory
        self._ports = _choose_ports(directory.read_state().ports)
        self._base_environment = {DIRECTORY_VARIABLE: str(path), "PYTHONUNBUFFERED": "1"}
        programs = postgres.find_programs()
        jars = broker.fetch_jars()
        self._broker = self._with_environment(
            broker.prepare_broker(
                jars,
                path / "broker",
                port=self._ports["broker"],
                controller_port=self._ports["controller"],
            )
        )
        self._postgres = self._with_environment(
            postgres.prepare_postgres(programs, path / "postgres", port=self._ports["postgres"])
        )
        self.server = f"{self._address('ingest')},{self._address('query')}"
        self._is_ready = False
        self._urls = {
            "MUTUA_LOG_URL": f"kafka://{self._broker.address}/{_TOPIC}",
            "MUTUA_STORE_URL": postgres.make_url(path / "postgres", port=self._ports["postgres"]),
        }

    def start(
        self, supervisor: Supervisor, *, partitions: int, report: Callable[[str], None]
    ) -> None:
        """Starts every program, and returns once all are ready. Raises ProgramStartError."""
        supervisor.start([self._postgres], [self._broker])
        for program in (self._postgres, self._broker):
            report(f"{program.name} is ready on {program.address}")
        report("Starting ingest, projectors and query ...")
        with closing(KafkaAdmin(KafkaAddress.parse(self._urls["MUTUA_LOG_URL"]))) as admin:
            admin.create(partition_count=partitions, replica_count=1)
        supervisor.start(
            [self._projector("projector-1"), self._projector("projector-2")],
            [self._query("query")],
            [self._ingest("ingest-1"), self._ingest("ingest-2")],
        )
        self._is_ready = True
        supervisor.notify()

    def save_state(self, processes: list[ProcessStatus]) -> None:
        """Writes the state of the cluster to dev.json, for other commands."""
        self._directory.write_state(
            ClusterState(
                server=self.server if self._is_ready else "",
                log_url=self._urls["MUTUA_LOG_URL"],
                store_url=self._urls["MUTUA_STORE_URL"],
                ports=self._ports,
                processes=processes,
            )
        )

    def _projector(self, name: str) -> Program:
        # The name is the same after a crash, so that it gets its partitions back at once.
        return self._service("projector", name, MUTUA_INSTANCE=name)

    def _ingest(self, name: str) -> Program:
        listen = self._address("ingest")
        return self._service("ingest", name, listen, MUTUA_LISTEN=listen, MUTUA_REUSE_PORT="true")

    def _query(self, name: str) -> Program:
        listen = self._address("query")
        return self._service("query", name, listen, MUTUA_LISTEN=listen)

    def _service(self, service: str, name: str, address: str = "", **settings: str) -> Program:
        metrics = self._address(_METRICS[name])
        settings["MUTUA_METRICS_LISTEN"] = metrics
        return Program(
            name=name,
            command=(sys.executable, "-m", f"services.{service}"),
            ready_text=f"mutua {service} is ready",
            address=address,
            metrics_address=metrics,
            environment={**self._base_environment, **self._urls, **settings},
            grace_seconds=15.0,  # running work may take 10
        )

    def _with_environment(self, program: Program) -> Program:
        return replace(program, environment=self._base_environment)

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self._ports[name]}"


def run_cluster(path: Path, *, partitions: int, report: Callable[[str], None]) -> None:
    """Runs a cluster in a directory until SIGINT, SIGTERM or SIGHUP.

    Raises DataInUseError when one runs there already, Missing when something has to be installed,
    and ProgramStartError, after ending everything, when a program does not start.
    """
    directory = DevDirectory(path)
    directory.prepare()
    with directory.lock(), _stopped_by_signals():
        directory.stop_orphans()
        report(f"Starting a Kafka broker and PostgreSQL in {directory.path} ...")
        cluster = DevCluster(directory)
        supervisor = Supervisor(directory.logs, on_change=cluster.save_state)
        cluster.save_state([])
        try:
            cluster.start(supervisor, partitions=partitions, report=report)
            report(f"mutua is ready on {cluster.server}")
            report("What to type next, in another terminal:")
            report(f"  export MUTUA_SERVER={cluster.server}")
            report(f"  mutua dev status --dir {path}")
            threading.Event().wait()
        except KeyboardInterrupt:
            report("Ending ...")
        finally:
            _ignore_signals()
            supervisor.stop()


def read_status(path: Path) -> ClusterState:
    """Reads what runs in a directory; `server` is "" unless the cluster is ready.

    Raises NotFoundError when no cluster was ever started there.
    """
    directory = DevDirectory(path)
    directory.require_started()
    state = directory.read_state()
    if directory.find_holder():
        return state
    running_pids = directory.find_processes()
    return ClusterState(
        processes=[
            replace(process, state="orphaned")
            if process.pid in running_pids
            else replace(process, state="ended", pid=0)
            for process in state.processes
        ]
    )


def verify(path: Path, *, progress: VerifyProgress = ignore_progress) -> VerifyReport:
    """Verifies the cluster that runs in a directory; see `services.app.cluster_verification`.

    Raises NotFoundError when nothing is ready there.
    """
    state = read_status(path)
    if not state.server:
        raise NotFoundError(f"no cluster is ready in {path}: mutua dev up --dir {path}")
    return compare(KafkaAddress.parse(state.log_url), state.store_url, progress=progress)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turns the signals into a KeyboardInterrupt that ends the block."""
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in _SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """Ignores signals, so that a second Ctrl-C does not interrupt the orderly stop."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _choose_ports(last_ports: Mapping[str, int]) -> dict[str, int]:
    """Chooses a port per name: that of the last run if it is free, so that clients reconnect."""
    ports: dict[str, int] = {}
    for name in _PORTS:
        port = last_ports.get(name) or find_free_port()
        while port in ports.values() or not is_port_free(port):
            port = find_free_port()
        ports[name] = port
    return ports
