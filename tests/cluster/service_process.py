"""Services of a cluster as processes under test."""

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.adapters.grpc.server import LIVENESS_SERVICE
from tests.faults.server_process import make_environment
from tests.fork_server import ForkedProcess
from tests.ports import allocate_port
from tests.waiting import PATIENCE_SECONDS, wait_until

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
RPC_SERVICES: Final = {"ingest": "mutua.v1.IngestService", "query": "mutua.v1.QueryService"}
"""The service whose health a process reports; a projector has none."""
_HEALTH_SECONDS: Final = 5.0
_NUMBERS: Final = count()
"""Numbers the output files, because processes may share an address."""


class ServiceProcess:
    """Runs `python -m services.NAME`, or another program, on a topic and a database."""

    def __init__(
        self,
        name: str,
        folder: Path,
        log_url: str,
        store_url: str = "",
        *,
        program: Sequence[str | Path] = (),
        **settings: str,
    ) -> None:
        """The settings are those of the call only; `program` is a command, or options of Python."""
        self.name = name
        self.address = settings.pop("MUTUA_LISTEN", "") or f"127.0.0.1:{allocate_port()}"
        number = next(_NUMBERS)
        self._stdout_path, self._stderr_path = (
            folder / f"{name}-{number}.{suffix}" for suffix in ("out", "err")
        )
        self._command = [str(word) for word in program or ("-m", f"services.{name}")]
        urls = {"MUTUA_LOG_URL": log_url, "MUTUA_STORE_URL": store_url}
        inherited = {key: text for key, text in make_environment().items() if key[:6] != "MUTUA_"}
        self._environment = {
            **inherited,
            **{key: url for key, url in urls.items() if url},
            "MUTUA_LISTEN": self.address,
            "MUTUA_HEALTH_LISTEN": self.address,
            **settings,
        }
        self.start()

    def start(self) -> None:
        """Starts the process, again if it has ended."""
        with self._stdout_path.open("a") as stdout, self._stderr_path.open("a") as stderr:
            start = ForkedProcess if self._command[0].startswith("-") else subprocess.Popen
            self.process = start(self._command, stdout=stdout, stderr=stderr, env=self._environment)

    @property
    def stdout(self) -> str:
        return self._stdout_path.read_text()

    @property
    def stderr(self) -> str:
        return self._stderr_path.read_text()

    @property
    def output(self) -> str:
        """Standard output, then standard error."""
        return self.stdout + self.stderr

    @cached_property
    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.address)

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, f"{self.name} is ready")

    def wait_for_address(self) -> str:
        self.wait_until_ready()
        return self.address

    def wait_for_stderr(self, *words: str) -> None:
        wait_until(lambda: all(word in self.stderr for word in words), f"stderr says {words}")

    def _is_ready(self) -> bool:
        assert not self.has_ended(), self.output
        return "is ready" in self.output

    def reports_health(self, status: int, service: str | None = None) -> bool:
        """Whether the process reports this health."""
        name = RPC_SERVICES.get(self.name, "") if service is None else service
        return read_health(self.address, name) == status

    def is_serving(self) -> bool:
        return self.reports_health(SERVING)

    def wait_until_serving(
        self, when: str = "", *, within_seconds: float = PATIENCE_SECONDS
    ) -> None:
        started = time.monotonic()
        wait_until(self.is_serving, f"{self.name} serves {when}")
        assert time.monotonic() - started < within_seconds

    def wait_until_unready(self, when: str = "") -> None:
        """Returns when the process is not ready, and alive all the same."""
        wait_until(lambda: self.reports_health(NOT_SERVING), f"{self.name} is unready {when}")
        assert self.reports_health(SERVING, LIVENESS_SERVICE)

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_for_exit(self) -> int:
        """Returns the exit code once the process has ended by itself."""
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Stops the process as a deployment does, and returns its exit code."""
        self.send_signal(signal.SIGTERM)
        return self.wait_for_exit()

    def kill(self) -> None:
        if "channel" in vars(self):
            self.channel.close()
        self.process.kill()
        self.process.wait()

    close = kill

    @contextmanager
    def freeze(self) -> Iterator[None]:
        """Stops the process within the block."""
        self.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send_signal(signal.SIGCONT)


def read_health(address: str, service: str) -> int:
    """Returns the health that a process reports for a service; UNKNOWN if it does not answer."""
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # the stubs do not know its methods
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            return int(stub.Check(request, timeout=_HEALTH_SECONDS).status)
        except grpc.RpcError:
            return health_pb2.HealthCheckResponse.UNKNOWN


def read_process_state(pid: int) -> str:
    """Returns the state as in ps: T is stopped, Z has ended; "" does not exist any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def find_descendants(pid: int) -> Iterator[int]:
    """Yields the processes that a process started, and theirs."""
    for entry in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, entry.read_text().split()):
            yield child
            yield from find_descendants(child)
