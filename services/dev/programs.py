"""A program that runs beside others: how it is started, and one run of it."""

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
"""Below those that the system gives to outgoing connections, which could take one between two runs
of a program."""
_LAST_LINES: Final = 5


class ProgramNotFoundError(FailedPreconditionError):
    """Something has to be installed first."""


class ProgramStartError(FailedPreconditionError):
    """A program ended, or was not ready in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to start it. It is ready when it prints a line that contains `ready`."""

    name: str
    command: tuple[str, ...]
    ready_text: str
    address: str = ""
    metrics_address: str = ""
    """Where it tells Prometheus how it does; "" where it does not."""
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    """Whom it runs as; "" is whoever starts it."""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0


class ChildProcess:
    """One run of a program. What it prints goes to the end of a file, each line with its time."""

    def __init__(
        self, program: Program, log: Path, *, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        self.program = program
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._on_ready = on_ready
        self._is_ready = False
        self._told = threading.Event()
        inherited = {key: value for key, value in os.environ.items() if key[:6] != "MUTUA_"}
        self._process = subprocess.Popen(
            [*_leash(program.stop_signal), *program.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**inherited, **program.environment},
            user=program.user or None,
            extra_groups=[] if program.user else None,
            start_new_session=True,  # Ctrl-C is for us: programs end in order
        )
        self._copier = threading.Thread(target=self._copy, args=(log,), daemon=True)
        self._copier.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self, *, seconds: float) -> None:
        """Raises ProgramStartError, with what it printed last, when it ends before or takes
        longer.
        """
        name = self.program.name
        if not self._told.wait(seconds):
            raise ProgramStartError(f"{name} was not ready within {seconds:g} s{self._said()}")
        if not self._is_ready:
            raise ProgramStartError(f"{name} ended with code {self._process.wait()}{self._said()}")

    def wait(self) -> int:
        """The exit code, once it has ended; below zero the signal that ended it."""
        code = self._process.wait()
        # Programs that it started may hold its output open for longer than anybody waits.
        self._copier.join(timeout=1.0)
        return code

    def stop(self) -> None:
        """Returns when it has ended: in its own way, or by force after its grace."""
        self._process.send_signal(self.program.stop_signal)
        try:
            self._process.wait(self.program.grace_seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def _copy(self, log: Path) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output, log.open("a", buffering=1) as file:
            for line in output:
                file.write(add_timestamp(line))
                self._last.append(line.rstrip())
                if not self._is_ready and self.program.ready_text in line:
                    self._is_ready = True
                    self._on_ready()
                    self._told.set()
        self._told.set()

    def _said(self) -> str:
        return "".join(f"\n  {line}" for line in self._last)


def add_timestamp(line: str) -> str:
    """A line of a log with the time before it and its end behind it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {line.rstrip()}\n"


def find_free_port() -> int:
    """A port of the loopback address on which nobody listens."""
    while True:
        port = PORT_RANGE[randrange(len(PORT_RANGE))]
        if is_port_free(port):
            return port


def is_port_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _leash(number: signal.Signals) -> list[str]:
    """Ends a program when whoever started it is gone, even killed; where util-linux can."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", number.name.removeprefix("SIG")]
