"""Programs of a local cluster: how to start one, and a run of it as a child process."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import randrange
from typing import Final

from services.ledger.errors import FailedPreconditionError

PORT_RANGE: Final = range(20_000, 32_000)
"""Below the ports of outgoing connections, so that none takes a program's port between two runs."""
_ERROR_LINES: Final = 5


class ProgramNotFoundError(FailedPreconditionError):
    """A required program is not installed."""


class ProgramStartError(FailedPreconditionError):
    """A program exited before it was ready, or was not ready in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to start a program. It is ready once it prints a line that contains `ready_text`."""

    name: str
    command: tuple[str, ...]
    ready_text: str
    address: str = ""
    metrics_address: str = ""
    """Where Prometheus can scrape its metrics; "" if it has none."""
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    """The user it runs as; "" means the current user."""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0


class ChildProcess:
    """A run of a program. It appends the output to a log file, every line with its time."""

    def __init__(
        self, program: Program, log: Path, *, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        self.program = program
        self._last_lines: deque[str] = deque(maxlen=_ERROR_LINES)
        self._on_ready = on_ready
        self._is_ready = False
        self._ready_or_ended = threading.Event()
        inherited_environment = {
            key: value for key, value in os.environ.items() if key[:6] != "MUTUA_"
        }
        self._process = subprocess.Popen(
            [*_die_with_parent(program.stop_signal), *program.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**inherited_environment, **program.environment},
            user=program.user or None,
            extra_groups=[] if program.user else None,
            start_new_session=True,  # Ctrl-C goes to the supervisor, which stops programs in order
        )
        self._copier = threading.Thread(target=self._copy_output, args=(log,), daemon=True)
        self._copier.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self, *, seconds: float) -> None:
        """Raises ProgramStartError, with the last output, if it exits before or takes longer."""
        name = self.program.name
        if not self._ready_or_ended.wait(seconds):
            raise ProgramStartError(
                f"{name} was not ready within {seconds:g} s{self._format_output()}"
            )
        if not self._is_ready:
            raise ProgramStartError(
                f"{name} ended with code {self._process.wait()}{self._format_output()}"
            )

    def wait(self) -> int:
        """Waits for the exit code; a negative one is the signal that ended the process."""
        code = self._process.wait()
        # Its children may hold the output open for much longer.
        self._copier.join(timeout=1.0)
        return code

    def stop(self) -> None:
        """Sends the stop signal, kills the process after the grace, and waits for its end."""
        self._process.send_signal(self.program.stop_signal)
        try:
            self._process.wait(self.program.grace_seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def _copy_output(self, log: Path) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output, log.open("a", buffering=1) as file:
            for line in output:
                file.write(add_timestamp(line))
                self._last_lines.append(line.rstrip())
                if not self._is_ready and self.program.ready_text in line:
                    self._is_ready = True
                    self._on_ready()
                    self._ready_or_ended.set()
        self._ready_or_ended.set()

    def _format_output(self) -> str:
        return "".join(f"\n  {line}" for line in self._last_lines)


def run_program(failure: str, command: list[str]) -> None:
    """Runs a program to its end. If it fails, raises ProgramStartError with the last output."""
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if process.returncode != 0:
        last_lines = process.stdout.strip().splitlines()[-_ERROR_LINES:]
        raise ProgramStartError("\n  ".join([f"{failure}:", *last_lines]))


def add_timestamp(line: str) -> str:
    """Formats a line of a log: the time in UTC, the text and a line end."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {line.rstrip()}\n"


def find_free_port() -> int:
    """Finds a port of the loopback address on which no process listens."""
    while True:
        port = PORT_RANGE[randrange(len(PORT_RANGE))]
        if is_port_free(port):
            return port


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _die_with_parent(number: signal.Signals) -> list[str]:
    """A command prefix that ends a program when its parent dies; [] without util-linux."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", number.name.removeprefix("SIG")]
