"""Keeps programs running: restarts a program that exits, after growing delays."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from services.dev.programs import ChildProcess, Program, ProgramStartError, add_timestamp

START_SECONDS: Final = 180.0
_MAX_STARTS: Final = 5
"""A program that exits this often without having been ready counts as failed to start."""
_ERROR_LINES: Final = 5

ProcessState = Literal["starting", "ready", "waiting", "ended", "orphaned"]
"""A waiting program is restarted after a delay; an orphaned one has lost its supervisor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartBackoff:
    """Delays before restarts: they double up to a maximum.

    A run of `reset_after_seconds` resets the delay.
    """

    initial_seconds: float = 0.2
    max_seconds: float = 5.0
    reset_after_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """The status of a program. `pid` is 0 while it does not run."""

    name: str
    pid: int
    state: ProcessState
    restarts: int
    address: str
    metrics: str = ""


class Supervisor:
    """Runs groups of programs, and stops the groups in reverse order."""

    def __init__(
        self,
        logs: Path,
        *,
        on_change: Callable[[list[ProcessStatus]], None] = lambda _: None,
        backoff: RestartBackoff | None = None,
    ) -> None:
        self._logs = logs
        self._on_change = on_change
        self._backoff = backoff or RestartBackoff()
        self._groups: list[list[_SupervisedProgram]] = []
        self._notify_lock = threading.Lock()

    def start(self, *groups: Sequence[Program]) -> None:
        """Starts all programs at once and waits until they are ready.

        Raises ProgramStartError if one does not become ready.
        """
        started = [
            [
                _SupervisedProgram(
                    each, self._logs / f"{each.name}.log", self._backoff, self.notify
                )
                for each in group
            ]
            for group in groups
        ]
        self._groups += started
        for program in chain(*started):
            program.start()
        for program in chain(*started):
            program.wait_until_ready()

    def processes(self) -> list[ProcessStatus]:
        return [program.status() for program in chain(*self._groups)]

    def stop(self) -> None:
        """Stops the groups, the last one first, and returns when every program has ended."""
        for group in reversed(self._groups):
            threads = [threading.Thread(target=program.stop) for program in group]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def notify(self) -> None:
        """Calls `on_change` with the status of every program."""
        with self._notify_lock:  # so that the last notification has the latest state
            self._on_change(self.processes())


class _SupervisedProgram:
    """A program, and the thread that restarts it."""

    def __init__(
        self, program: Program, log: Path, backoff: RestartBackoff, on_change: Callable[[], None]
    ) -> None:
        self._program = program
        self._log = log
        self._backoff = backoff
        self._on_change = on_change
        self._thread = threading.Thread(target=self._keep_running, daemon=True)
        self._child: ChildProcess | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        self._start_decided = threading.Event()
        """Set once the program was ready, or has failed to start."""
        self._was_ready = False
        self._state: ProcessState = "starting"
        self._restarts = 0

    def start(self) -> None:
        self._thread.start()

    def status(self) -> ProcessStatus:
        child = self._child
        return ProcessStatus(
            name=self._program.name,
            pid=0 if child is None else child.pid,
            state=self._state,
            restarts=self._restarts,
            address=self._program.address,
            metrics=self._program.metrics_address,
        )

    def wait_until_ready(self) -> None:
        name = self._program.name
        if not self._start_decided.wait(START_SECONDS):
            raise ProgramStartError(
                f"{name} was not ready within {START_SECONDS:g} s{self._format_log_end()}"
            )
        if not self._was_ready:
            raise ProgramStartError(f"{name} does not start{self._format_log_end()}")

    def stop(self) -> None:
        self._stopping.set()
        with self._starting:
            child = self._child
        if child is not None:
            child.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _keep_running(self) -> None:
        delay = self._backoff.initial_seconds
        while True:
            started = time.monotonic()
            outcome = self._run()
            if self._stopping.is_set():
                break
            if time.monotonic() - started >= self._backoff.reset_after_seconds:
                delay = self._backoff.initial_seconds
            self._log_event(f"{outcome}; it is started again after {delay:g} s")
            self._set_state("waiting")
            if self._restarts + 1 >= _MAX_STARTS:
                self._start_decided.set()
            if self._stopping.wait(delay):
                break
            delay = min(2 * delay, self._backoff.max_seconds)
            self._restarts += 1
        self._set_state("ended")

    def _run(self) -> str:
        """Runs the program once, and returns how it ended."""
        try:
            with self._starting:
                if self._stopping.is_set():
                    return "not started"
                self._state = "starting"
                child = ChildProcess(self._program, self._log, on_ready=self._mark_ready)
                self._child = child
                self._log_event(f"started as process {child.pid}")
                self._on_change()
            code = child.wait()
        except OSError as error:
            return f"cannot be started: {error}"
        finally:
            self._child = None
        return f"ended with code {code}"

    def _mark_ready(self) -> None:
        with self._starting:  # so that "starting" is reported before "ready"
            self._was_ready = True
        self._set_state("ready")
        self._start_decided.set()

    def _set_state(self, state: ProcessState) -> None:
        self._state = state
        self._on_change()

    def _log_event(self, event: str) -> None:
        with self._log.open("a") as file:
            file.write(add_timestamp(f"mutua dev: {self._program.name} {event}"))

    def _format_log_end(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-_ERROR_LINES:]
        return "".join(f"\n  {line}" for line in lines)
