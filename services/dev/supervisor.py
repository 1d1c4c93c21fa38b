"""Keeps programs running: what ends is started again, after a longer pause each time."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from services.dev.programs import ChildProcess, Program, ProgramStartError, add_timestamp

START_SECONDS: Final = 180.0
_TRIES: Final = 5
"""A program that ended so often without having been ready once will not start by itself."""
_SHOWN_LINES: Final = 5

ProcessState = Literal["starting", "ready", "waiting", "ended", "orphaned"]
"""Waiting to be started again; orphaned by its supervisor, which runs no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartBackoff:
    """Doubles from the first to the longest, and begins anew after a run that went well."""

    initial_seconds: float = 0.2
    max_seconds: float = 5.0
    reset_after_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """What is told of one program. `pid` is 0 while it does not run."""

    name: str
    pid: int
    state: ProcessState
    restarts: int
    address: str
    metrics: str = ""


class Supervisor:
    """Runs programs in groups, which end in the opposite order to that in which they started."""

    def __init__(
        self,
        logs: Path,
        *,
        on_change: Callable[[list[ProcessStatus]], None] = lambda _: None,
        backoff: RestartBackoff | None = None,
    ) -> None:
        self._logs = logs
        self._on_change = on_change
        self._pause = backoff or RestartBackoff()
        self._groups: list[list[_SupervisedProgram]] = []
        self._changing = threading.Lock()

    def start(self, *groups: Sequence[Program]) -> None:
        """Starts all at once; returns when they are ready. Raises ProgramStartError when one is
        not.
        """
        started = [
            [
                _SupervisedProgram(each, self._logs / f"{each.name}.log", self._pause, self.notify)
                for each in group
            ]
            for group in groups
        ]
        self._groups += started
        for kept in chain(*started):
            kept.start()
        for kept in chain(*started):
            kept.wait_until_ready()

    def processes(self) -> list[ProcessStatus]:
        return [kept.process() for kept in chain(*self._groups)]

    def stop(self) -> None:
        """Ends the groups, the last one first, and returns when nothing runs any more."""
        for group in reversed(self._groups):
            ending = [threading.Thread(target=kept.stop) for kept in group]
            for thread in ending:
                thread.start()
            for thread in ending:
                thread.join()

    def notify(self) -> None:
        """Tells what runs, as at every change of it."""
        with self._changing:  # so that the last to be told is the last to have happened
            self._on_change(self.processes())


class _SupervisedProgram:
    """One program, and the thread that starts it again."""

    def __init__(
        self, program: Program, log: Path, pause: RestartBackoff, on_change: Callable[[], None]
    ) -> None:
        self._program = program
        self._log = log
        self._pause = pause
        self._on_change = on_change
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._child: ChildProcess | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        self._settled = threading.Event()
        """Set when it was ready once, or will not become it."""
        self._was_ready = False
        self._state: ProcessState = "starting"
        self._restarts = 0

    def start(self) -> None:
        self._thread.start()

    def process(self) -> ProcessStatus:
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
        if not self._settled.wait(START_SECONDS):
            raise ProgramStartError(
                f"{name} was not ready within {START_SECONDS:g} s{self._said()}"
            )
        if not self._was_ready:
            raise ProgramStartError(f"{name} does not start{self._said()}")

    def stop(self) -> None:
        self._stopping.set()
        with self._starting:
            child = self._child
        if child is not None:
            child.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        pause = self._pause.initial_seconds
        while True:
            started = time.monotonic()
            ended = self._run()
            if self._stopping.is_set():
                break
            if time.monotonic() - started >= self._pause.reset_after_seconds:
                pause = self._pause.initial_seconds
            self._note(f"{ended}; it is started again after {pause:g} s")
            self._set("waiting")
            if self._restarts + 1 >= _TRIES:
                self._settled.set()
            if self._stopping.wait(pause):
                break
            pause = min(2 * pause, self._pause.max_seconds)
            self._restarts += 1
        self._set("ended")

    def _run(self) -> str:
        """One run, from start to end, and how it ended."""
        try:
            with self._starting:
                if self._stopping.is_set():
                    return "not started"
                self._state = "starting"
                child = ChildProcess(self._program, self._log, on_ready=self._ready)
                self._child = child
                self._note(f"started as process {child.pid}")
                self._on_change()
            code = child.wait()
        except OSError as error:
            return f"cannot be started: {error}"
        finally:
            self._child = None
        return f"ended with code {code}"

    def _ready(self) -> None:
        with self._starting:  # it may be ready before it is told to have been started
            self._was_ready = True
        self._set("ready")
        self._settled.set()

    def _set(self, state: ProcessState) -> None:
        self._state = state
        self._on_change()

    def _note(self, what: str) -> None:
        with self._log.open("a") as file:
            file.write(add_timestamp(f"mutua dev: {self._program.name} {what}"))

    def _said(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
        return "".join(f"\n  {line}" for line in lines)
