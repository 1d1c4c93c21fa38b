"""The services of a cluster as processes, on the broker and the database of a test."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.processes import environment, eventually, free_port


class Process:
    """`python -m services.NAME`, or another Python program, on a topic and a database."""

    def __init__(
        self,
        name: str,
        folder: Path,
        broker: str,
        topic: str,
        database: str,
        *,
        program: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.listen = settings.pop("MUTUA_LISTEN", "") or f"127.0.0.1:{free_port()}"
        self._said = folder / f"{name}-{self.listen.rpartition(':')[2]}.log"
        with self._said.open("a") as said:
            self.process = subprocess.Popen(
                [sys.executable, *(program or ("-m", f"services.{name}"))],
                stdout=said,
                stderr=said,
                env=environment(
                    MUTUA_LOG_URL=f"kafka://{broker}/{topic}",
                    MUTUA_STORE_URL=database,
                    MUTUA_LISTEN=self.listen,
                    MUTUA_HEALTH_LISTEN=self.listen,
                    **settings,
                ),
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def address(self) -> str:
        eventually(lambda: "is ready on" in self.said, "it answers")
        return self.said.rpartition("is ready on ")[2].split()[0]

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)
