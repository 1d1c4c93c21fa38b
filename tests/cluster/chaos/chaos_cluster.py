"""A cluster of processes with a proxy on every connection between them."""

import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin
from services.dev import broker, postgres
from services.dev.programs import Program
from services.dev.supervisor import ProcessStatus, Supervisor
from tests.cluster.chaos.proxy import Proxy, ProxyNetwork
from tests.cluster.service_process import RPC_SERVICES, SERVING, read_health
from tests.faults.server_process import make_environment
from tests.ports import allocate_port

TOPIC: Final = "mutua"
PARTITIONS: Final = 4
INSTANCE_NUMBERS: Final = (1, 2)
"""Two of each service."""
SERVICES: Final = ("projector", "ingest", "query")
PROCESSES: Final = (
    *("postgres", "broker"),
    *(f"{service}-{number}" for service in SERVICES for number in INSTANCE_NUMBERS),
)
LINKS: Final = (
    *(f"callers {service}" for service in ("ingest", "query")),
    *(f"{service}-{number} broker" for service in SERVICES for number in INSTANCE_NUMBERS),
    *(
        f"{service}-{number} postgres"
        for service in ("projector", "query")
        for number in INSTANCE_NUMBERS
    ),
)
"""Named by both ends."""


class ChaosCluster:
    """A broker, a PostgreSQL and two processes of each service, supervised in one folder."""

    def __init__(self, folder: Path, *, session_seconds: float) -> None:
        """Prepares the proxies.

        Other users must be able to enter `folder`. A projector may be silent for
        `session_seconds`.
        """
        self.folder = folder
        self.session_seconds = session_seconds
        self._network = ProxyNetwork()
        self.links: dict[str, Proxy] = {}
        """The proxies of LINKS; all processes of a service share one towards callers."""
        (folder / "logs").mkdir()
        self._supervisor = Supervisor(folder / "logs")
        self._listens = {name: f"127.0.0.1:{allocate_port()}" for name in _names("ingest", "query")}
        for service in RPC_SERVICES:
            targets = [self._listens[f"{service}-{number}"] for number in INSTANCE_NUMBERS]
            self.links[f"callers {service}"] = self._network.add_proxy(allocate_port(), *targets)
        self.server = f"{self.find_address('ingest')},{self.find_address('query')}"

    def start(self) -> None:
        """Starts all processes and waits until they are ready. Raises ProgramStartError."""
        self._start_broker_and_postgres()
        self._supervisor.start(*([self._service(name)] for name in _names(*SERVICES)))

    def close(self) -> None:
        self._supervisor.stop()
        self._network.close()

    def find_process(self, name: str) -> ProcessStatus:
        [process] = [process for process in self._supervisor.processes() if process.name == name]
        return process

    def find_address(self, service: str, number: int | None = None) -> str:
        """Returns the proxy's address of a service, or the direct one of a numbered process."""
        if number is None:
            return self.links[f"callers {service}"].address
        return self._listens[f"{service}-{number}"]

    def find_unready(self) -> list[str]:
        """Returns the processes that do not run or report that they are not ready."""
        stopped = [
            process.name for process in self._supervisor.processes() if process.state != "ready"
        ]
        return stopped + [
            name
            for name, listen in self._listens.items()
            if name not in stopped
            and read_health(listen, RPC_SERVICES[name.partition("-")[0]]) != SERVING
        ]

    def _start_broker_and_postgres(self) -> None:
        folder, port = self.folder, allocate_port()
        program = postgres.prepare_postgres(
            postgres.find_programs(), folder / "postgres", port=port
        )
        self.store_url = postgres.make_url(folder / "postgres", port=port)
        ports = {"port": allocate_port(), "controller_port": allocate_port()}
        kafka = broker.prepare_broker(broker.fetch_jars(), folder / "broker", **ports)
        self.log = KafkaAddress(servers=(kafka.address,), topic=TOPIC)
        listeners: dict[str, tuple[str, str]] = {}
        for name in _names(*SERVICES):
            listen = f"127.0.0.1:{allocate_port()}"
            self.links[f"{name} broker"] = link = self._network.add_proxy(allocate_port(), listen)
            listeners[name.replace("-", "_").upper()] = (listen, link.address)
        for name in _names("projector", "query"):
            self.links[f"{name} postgres"] = self._network.add_proxy(
                allocate_port(), program.address
            )
        settings = folder / "broker" / "server.properties"
        _add_listeners(settings, listeners)
        # A broker that was killed registers again once its session is over.
        with settings.open("a") as file:
            file.write(f"broker.session.timeout.ms={max(5_000, 900 * self.session_seconds):.0f}\n")
            file.write("broker.heartbeat.interval.ms=1000\n")
        self._supervisor.start([_with_source_path(program)], [_with_source_path(kafka)])
        with closing(KafkaAdmin(self.log)) as admin:
            admin.create(partition_count=PARTITIONS, replica_count=1)

    def _service(self, name: str) -> Program:
        service = name.partition("-")[0]
        settings = {
            "MUTUA_LOG_URL": f"kafka://{self.links[f'{name} broker'].address}/{TOPIC}",
            "MUTUA_LISTEN": self._listens.get(name, ""),
            "MUTUA_INSTANCE": name,
            "MUTUA_SESSION_TIMEOUT_SECONDS": f"{self.session_seconds:g}",
        }
        if link := self.links.get(f"{name} postgres"):
            before, _, after = self.store_url.rpartition(":")
            settings["MUTUA_STORE_URL"] = f"{before}:{link.port}/{after.partition('/')[2]}"
        return _with_source_path(
            Program(
                name=name,
                command=(sys.executable, "-m", f"services.{service}"),
                ready_text=f"mutua {service} is ready",
                address=self._listens.get(name, ""),
                environment=settings,
                grace_seconds=15.0,
            )
        )


def _names(*services: str) -> list[str]:
    return [f"{service}-{number}" for service in services for number in INSTANCE_NUMBERS]


def _with_source_path(program: Program) -> Program:
    """Makes a program import the code under test from any folder."""
    path = {"PYTHONPATH": make_environment()["PYTHONPATH"], "PYTHONUNBUFFERED": "1"}
    return replace(program, environment={**path, **program.environment})


def _add_listeners(settings: Path, listeners: Mapping[str, tuple[str, str]]) -> None:
    """Adds a listener for every proxy, which the broker advertises to clients behind that proxy.

    Clients of Kafka connect to advertised addresses. `listeners` are pairs of the listening and
    the advertised address, by name.
    """
    properties = dict(
        line.split("=", 1) for line in settings.read_text().splitlines() if line[:1].isalpha()
    )
    additions = {
        "listeners": [f"{name}://{listen}" for name, (listen, _) in listeners.items()],
        "advertised.listeners": [
            f"{name}://{advertised}" for name, (_, advertised) in listeners.items()
        ],
        "listener.security.protocol.map": [f"{name}:PLAINTEXT" for name in listeners],
    }
    with settings.open("a") as file:
        for key, values in additions.items():
            file.write(f"{key}={','.join([properties[key], *values])}\n")
        file.write("inter.broker.listener.name=PLAINTEXT\n")
