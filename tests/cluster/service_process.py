"""Services of a cluster as processes under test."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.server_process import make_environment
from tests.ports import allocate_port
from tests.waiting import wait_until

START_SECONDS = 180.0


class ServiceProcess:
    """Runs `python -m services.NAME`, or another Python program, on a topic and a database."""

    def __init__(
        self,
        name: str,
        folder: Path,
        log_url: str,
        store_url: str,
        *,
        program: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.listen = settings.pop("MUTUA_LISTEN", "") or f"127.0.0.1:{allocate_port()}"
        self._output_path = folder / f"{name}-{self.listen.rpartition(':')[2]}.log"
        with self._output_path.open("a") as output_file:
            self.process = subprocess.Popen(
                [sys.executable, *(program or ("-m", f"services.{name}"))],
                stdout=output_file,
                stderr=output_file,
                env=make_environment(
                    MUTUA_LOG_URL=log_url,
                    MUTUA_STORE_URL=store_url,
                    MUTUA_LISTEN=self.listen,
                    MUTUA_HEALTH_LISTEN=self.listen,
                    **settings,
                ),
            )

    @property
    def output(self) -> str:
        return self._output_path.read_text()

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, "the process is ready", timeout_seconds=START_SECONDS)

    def wait_for_address(self) -> str:
        self.wait_until_ready()
        return self.output.rpartition("is ready on ")[2].split()[0]

    def _is_ready(self) -> bool:
        assert not self.has_ended(), self.output
        return "is ready" in self.output

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


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
