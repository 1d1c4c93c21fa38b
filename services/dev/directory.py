"""The directory of a local cluster: its lock, its processes, its state and its logs."""

import fcntl
import heapq
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from services.adapters.file_system import replace_atomically, try_lock
from services.dev.supervisor import ProcessStatus
from services.ledger.errors import DataInUseError, ForeignDataError, NotFoundError

DIRECTORY_VARIABLE: Final = "MUTUA_DEV_DIR"
"""Environment variable that names the directory of a cluster in each of its processes."""
_STOP_SECONDS: Final = 60.0
"""Upper bound on how long a supervisor needs to stop, even if its programs hang."""
_GRACE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05
_LOCK_TRIES: Final = 10
_FILE_NAMES: Final = ("broker", "dev.json", "lock", "logs", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """The content of dev.json; every field is empty before the first start."""

    server: str = ""
    store_url: str = ""
    log_url: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    processes: list[ProcessStatus] = field(default_factory=list)


class DevDirectory:
    """The files of a cluster, shared by the commands that start, inspect and stop it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self._lock = self.path / "lock"
        self._state = self.path / "dev.json"

    def prepare(self) -> None:
        """Creates the directory. Raises ForeignDataError if it has files of another program."""
        self.path.mkdir(parents=True, exist_ok=True)
        for file in sorted(self.path.iterdir()):
            if file.name not in _FILE_NAMES and not file.name.startswith("."):
                raise ForeignDataError(
                    f"{self.path} has other files ({file.name})",
                    remedy="choose an empty or new directory with --dir",
                )
        self.logs.mkdir(exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Locks the directory for one cluster. Raises DataInUseError, which names the holder."""
        with self._lock.open("a+") as file:
            for tries_left in reversed(range(_LOCK_TRIES)):
                # `find_holder` also locks the file for a moment.
                if try_lock(file.fileno()):
                    break
                if tries_left == 0:
                    raise DataInUseError(
                        f"{self.path} is in use by mutua dev up (process {self.find_holder()})",
                        remedy=f"end it with mutua dev down --dir {self.path}",
                    )
                _pause()
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def find_holder(self) -> int:
        """The id of the process that holds the lock; 0 if none does."""
        try:
            file = self._lock.open()
        except FileNotFoundError:
            return 0
        with file:
            while not try_lock(file.fileno(), fcntl.LOCK_SH):
                file.seek(0)
                if process := file.read():
                    return int(process)
                _pause()  # the holder has just locked the file, or is about to unlock it
        return 0

    def write_state(self, state: ClusterState) -> None:
        """Replaces dev.json atomically."""
        with replace_atomically(self._state, durable=False) as temporary:
            temporary.chmod(0o600)  # the password of the database is in it
            temporary.write_text(json.dumps(asdict(state), indent=2) + "\n")

    def read_state(self) -> ClusterState:
        try:
            document = json.loads(self._state.read_text())
            document["processes"] = [ProcessStatus(**each) for each in document["processes"]]
            return ClusterState(**document)
        except FileNotFoundError:
            return ClusterState()
        except (KeyError, TypeError, ValueError):
            raise ForeignDataError(
                f"{self._state} is damaged", remedy="delete it and start again"
            ) from None

    def require_started(self) -> None:
        """Raises NotFoundError if no cluster was ever started here."""
        if not self._lock.exists():
            raise NotFoundError(
                f"no cluster was started in {self.path}: mutua dev up --dir {self.path}"
            )

    def stop_cluster(self) -> bool:
        """Stops the cluster, orderly if its supervisor responds. Returns whether anything ran.

        No process of the cluster runs when it returns.
        """
        deadline = time.monotonic() + _STOP_SECONDS
        supervisor = self.find_holder()
        if supervisor:
            _signal(supervisor, signal.SIGTERM)
            while self.find_holder() == supervisor:
                if time.monotonic() > deadline:
                    _signal(supervisor, signal.SIGKILL)
                _pause()
        return self.stop_orphans() or supervisor != 0

    def stop_orphans(self) -> bool:
        """Stops processes whose supervisor has ended. Returns whether there were any."""
        orphans = self.find_processes()
        had_orphans = bool(orphans)
        for process in orphans:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while orphans := self.find_processes():
            if time.monotonic() > deadline:
                for process in orphans:
                    _signal(process, signal.SIGKILL)
            _pause()
        return had_orphans

    def find_processes(self) -> list[int]:
        """Ids of all processes that were started for this cluster, also of orphans."""
        variable = f"{DIRECTORY_VARIABLE}={self.path}".encode()
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and variable in _environment(entry)
        ]

    def read_logs(self, name: str = "", *, follow: bool = False) -> Iterator[str]:
        """The log lines of the programs, or of the one called `name`, in order of time.

        With `follow` it then waits for new lines for ever.
        """
        ends: dict[Path, int] = {}
        while True:
            new_lines = [_read_new_lines(path, ends) for path in self._log_files(name)]
            for time_text, program, line in heapq.merge(*new_lines):
                yield f"{time_text} {line}" if name else f"{time_text} {program}: {line}"
            if not follow:
                return
            _pause()

    def _log_files(self, name: str) -> list[Path]:
        """Raises NotFoundError if there is no program of that name."""
        paths = sorted(self.logs.glob("*.log"))
        names = [path.stem for path in paths]
        if name and name not in names:
            raise NotFoundError(
                f"there is no log of {name} in {self.logs}, but of {', '.join(names)}"
            )
        return [path for path in paths if name in ("", path.stem)]


def _read_new_lines(path: Path, ends: dict[Path, int]) -> list[tuple[str, str, str]]:
    """The complete lines after the previous end: time, program and text of each."""
    with path.open("rb") as file:
        file.seek(ends.get(path, 0))
        new_bytes = file.read()
    complete = new_bytes[: new_bytes.rfind(b"\n") + 1]
    ends[path] = ends.get(path, 0) + len(complete)
    lines = []
    for line in complete.decode(errors="replace").splitlines():
        time_text, _, text = line.partition(" ")
        lines.append((time_text, path.stem, text))
    return lines


def _environment(entry: Path) -> list[bytes]:
    """The environment of a process in /proc; [] if it has ended or may not be read."""
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _pause() -> None:
    threading.Event().wait(_POLL_SECONDS)
