"""The directory of one cluster: who runs it, what runs in it, and what its programs said."""

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

from services.dev.supervisor import ProcessStatus
from services.ledger.errors import DataInUseError, ForeignDataError, NotFoundError

DIRECTORY_VARIABLE: Final = "MUTUA_DEV_DIR"
"""In the environment of every process of a cluster: which directory it belongs to."""
_STOP_SECONDS: Final = 60.0
"""A supervisor that ends takes no longer, however its programs hang."""
_GRACE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.05
_LOCK_TRIES: Final = 10
_OURS: Final = ("broker", "dev.json", "lock", "logs", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What dev.json says: "" and nothing before the first start."""

    server: str = ""
    store_url: str = ""
    log_url: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    processes: list[ProcessStatus] = field(default_factory=list)


class DevDirectory:
    """Files of a cluster, shared by whoever starts it, asks how it is, or ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self._lock = self.path / "lock"
        self._state = self.path / "dev.json"

    def prepare(self) -> None:
        """Makes the directory ours. Raises ForeignDataError when it holds anything of others."""
        self.path.mkdir(parents=True, exist_ok=True)
        for each in sorted(self.path.iterdir()):
            if each.name not in _OURS and not each.name.startswith("."):
                raise ForeignDataError(
                    f"{self.path} has other files ({each.name}); choose an empty or new directory "
                    "with --dir"
                )
        self.logs.mkdir(exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the directory for one cluster. Raises DataInUseError, naming the holder."""
        with self._lock.open("a+") as file:
            for tries_left in reversed(range(_LOCK_TRIES)):
                # Whoever looks for a holder holds the lock too, for a moment.
                if _try_lock(file.fileno(), fcntl.LOCK_EX):
                    break
                if tries_left == 0:
                    raise DataInUseError(
                        f"{self.path} is in use by mutua dev up (process {self.find_holder()}); "
                        f"end it with mutua dev down --dir {self.path}"
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
        """The process that holds the directory; 0 when none does."""
        try:
            file = self._lock.open()
        except FileNotFoundError:
            return 0
        with file:
            while not _try_lock(file.fileno(), fcntl.LOCK_SH):
                file.seek(0)
                if process := file.read():
                    return int(process)
                _pause()  # it has only just begun, or is about to end
        return 0

    def write_state(self, told: ClusterState) -> None:
        """Replaces dev.json, so that readers see the old or the new one, never a part."""
        fresh = self._state.with_suffix(".coming")
        fresh.touch(mode=0o600)  # the password of the database is in it
        fresh.write_text(json.dumps(asdict(told), indent=2) + "\n")
        fresh.replace(self._state)

    def read_state(self) -> ClusterState:
        try:
            document = json.loads(self._state.read_text())
            document["processes"] = [ProcessStatus(**each) for each in document["processes"]]
            return ClusterState(**document)
        except FileNotFoundError:
            return ClusterState()
        except (KeyError, TypeError, ValueError):
            raise ForeignDataError(f"{self._state} is damaged; delete it and start again") from None

    def require_started(self) -> None:
        """Raises NotFoundError when no cluster was ever started here."""
        if not self._lock.exists():
            raise NotFoundError(
                f"no cluster was started in {self.path}: mutua dev up --dir {self.path}"
            )

    def stop_cluster(self) -> bool:
        """Ends whatever of the cluster runs, in order where its supervisor still can; whether there
        was anything. Nothing runs when it returns.
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
        """Ends the processes of a cluster whose supervisor is gone; whether there were any."""
        orphans = self.find_processes()
        found = bool(orphans)
        for each in orphans:
            _signal(each, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while orphans := self.find_processes():
            if time.monotonic() > deadline:
                for each in orphans:
                    _signal(each, signal.SIGKILL)
            _pause()
        return found

    def find_processes(self) -> list[int]:
        """Every process that was started for this cluster, also those nobody knows of any more."""
        mark = f"{DIRECTORY_VARIABLE}={self.path}".encode()
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and mark in _environment(entry)
        ]

    def read_logs(self, name: str = "", *, follow: bool = False) -> Iterator[str]:
        """What the programs said, or one of them, in the order of time; then what they say, for
        ever, if it is to follow them.
        """
        ends: dict[Path, int] = {}
        while True:
            fresh = [_fresh(path, ends) for path in self._log_files(name)]
            for stamp, speaker, said in heapq.merge(*fresh):
                yield f"{stamp} {said}" if name else f"{stamp} {speaker}: {said}"
            if not follow:
                return
            _pause()

    def _log_files(self, name: str) -> list[Path]:
        """Raises NotFoundError when there is no program of that name."""
        paths = sorted(self.logs.glob("*.log"))
        names = [path.stem for path in paths]
        if name and name not in names:
            raise NotFoundError(
                f"there is no log of {name} in {self.logs}, but of {', '.join(names)}"
            )
        return [path for path in paths if name in ("", path.stem)]


def _fresh(path: Path, ends: dict[Path, int]) -> list[tuple[str, str, str]]:
    """The lines behind the end that was seen before: time, who said it, and what."""
    with path.open("rb") as file:
        file.seek(ends.get(path, 0))
        written = file.read()
    whole = written[: written.rfind(b"\n") + 1]
    ends[path] = ends.get(path, 0) + len(whole)
    found = []
    for line in whole.decode(errors="replace").splitlines():
        stamp, _, said = line.partition(" ")
        found.append((stamp, path.stem, said))
    return found


def _environment(entry: Path) -> list[bytes]:
    """Of a process in /proc that is ours to see and has not ended; else nothing."""
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pause() -> None:
    threading.Event().wait(_LOOK_SECONDS)
