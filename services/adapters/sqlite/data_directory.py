"""A data directory: whose it is, who works in it, which read models answer, where its server is.

Read models are files `read-N.sqlite`, numbered as they were built; each knows the model version
that it was made by. A file of that name is whole: it is built under another one. `current` names
the one that answers, `next` one that was built to take its place.
"""

import fcntl
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.adapters.failpoint import failpoint
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.sqlite.database_file import read_version
from services.ledger.errors import DataInUseError, ForeignDataError, MutuaError, NewerSchemaError

logger = logging.getLogger(__name__)

LOG_FILE: Final = "log.sqlite"
# decision 0108: the holder of a directory serves it
SERVER_FILE: Final = "server.json"
LOCK_FILE: Final = "lock"
"""Held by the one process that writes the log and the read models that answer."""
BUILD_LOCK_FILE: Final = "build.lock"
"""Held by the one process that builds read models beside them, or deletes old ones."""
_CURRENT: Final = "current"
_NEXT: Final = "next"
# decision 0042: embedded read models are numbered files
_READ_MODELS: Final = re.compile(r"read-([1-9][0-9]{0,8})\.sqlite")
_BUILDING: Final = ".building"
_REBUILD: Final = "mutua rebuild makes them again from the log"
_OURS: Final = (
    LOG_FILE,
    "control.sqlite",
    _CURRENT,
    _NEXT,
    LOCK_FILE,
    BUILD_LOCK_FILE,
    SERVER_FILE,
)


class DataDirectory:
    """The files of one embedded mutua."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log_path(self) -> Path:
        return self.path / LOG_FILE

    def require_data(self) -> None:
        """Raises ForeignDataError when nothing was recorded here yet, or it is not ours, or
        torn.
        """
        if self.path.is_dir():
            self._require_ours()
        if not self.log_path.exists():
            raise ForeignDataError(
                f"{self.path} holds no mutua data; name another directory with --data, "
                "or record something first: mutua log --help"
            )

    def prepare(self) -> None:
        """Makes the directory ours. Raises ForeignDataError when it is somebody else's, or torn."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise ForeignDataError(f"{self.path} is a file; name a directory with --data") from None
        self._require_ours()

    def _require_ours(self) -> None:
        if self.log_path.exists():
            return
        for path in sorted(self.path.iterdir()):
            name = path.name
            if self.log_path.exists():  # somebody made it meanwhile
                return
            if name.startswith((f"{LOG_FILE}-", "read-", "control.sqlite")):
                raise ForeignDataError(
                    f"{self.path} has {name} but no {LOG_FILE}: the log is missing; make another "
                    "directory of a backup, mutua --data DIRECTORY restore FILE, or choose one "
                    "with --data"
                )
            if name not in _OURS and not name.startswith("."):
                raise ForeignDataError(
                    f"{self.path} has other files ({name}) and no {LOG_FILE}; choose "
                    "an empty or new "
                    "directory with --data"
                )

    @property
    def active_read_models(self) -> Path | None:
        """The read models that answer; None when there are none."""
        return self._named_in(_CURRENT)

    @property
    def offered_read_models(self) -> Path | None:
        """Read models that were built to take over and that this mutua can write."""
        path = self._named_in(_NEXT)
        return path if path is not None and _is_ours(path) else None

    def select_to_read(self) -> Path:
        """The read models that answer. Raises NewerSchemaError or ForeignDataError when it cannot
        be read.
        """
        path = self.active_read_models
        if path is None:
            raise ForeignDataError(f"{self.path} has no read models; {_REBUILD}")
        version = _version(path)
        if version > MODEL_VERSION:
            raise _ahead(path, version)
        if version < MODEL_VERSION:
            raise ForeignDataError(
                f"{path} was made by an older mutua (version {version} of the read models, this "
                f"mutua reads {MODEL_VERSION}); end that mutua where it still runs; {_REBUILD}"
            )
        return path

    def select_to_write(self) -> Path | None:
        """The read models to go on with: those offered, else those that answer, else the last that
        this mutua wrote before it was up- or downgraded; None when they have to be built.

        Raises NewerSchemaError when a newer mutua made those that answer and this one none, and
        ForeignDataError when those that answer are damaged.
        """
        if (offered := self.offered_read_models) is not None:
            return offered
        current = self.active_read_models
        version = 0 if current is None else _version(current)
        if version == MODEL_VERSION:
            return current
        for path in reversed(self._all()):
            if path != current and _is_ours(path):
                return path
        if current is not None and version > MODEL_VERSION:
            raise _ahead(current, version)
        return None

    def offer(self, path: Path) -> None:
        """Notes that a file is to take over, for whoever holds the directory now or next."""
        self._write(_NEXT, f"{path.name}\n")

    def withdraw(self) -> None:
        """Takes an offer back."""
        (self.path / _NEXT).unlink(missing_ok=True)

    def switch_to(self, path: Path) -> None:
        """From here on these read models answer, to whoever opens the directory."""
        if self.active_read_models != path:
            failpoint("before_switch")
            self._write(_CURRENT, f"{path.name}\n")
            failpoint("after_switch")
        if self._named_in(_NEXT) == path:
            self.withdraw()

    @contextmanager
    def reserve_build(self) -> Iterator[tuple[Path, Path]]:
        """A free place to build read models in, and their own, which they get when all went well:
        whole, and on the disk. Needs the build lock. Otherwise nothing is left of them.
        """
        newest = max((_number(path.name) for path in self._all()), default=0)
        named = _number(self._words(_CURRENT))
        path = self.path / f"read-{max(newest, named) + 1}.sqlite"
        place = path.with_suffix(_BUILDING)
        self._clear()
        try:
            yield place, path
            sync_to_disk(place)
            place.rename(path)
            sync_to_disk(self.path)
        finally:
            self._clear()

    def list_superseded(self) -> list[Path]:
        """Read models that do not answer and are not offered either, oldest first."""
        used = (self.active_read_models, self._named_in(_NEXT))
        return [path for path in self._all() if path not in used]

    def delete(self, path: Path) -> None:
        """Deletes read models and what SQLite keeps beside them."""
        for each in (path, *self.path.glob(f"{path.name}-*")):
            each.unlink(missing_ok=True)

    @contextmanager
    def publish_server(self, address: str, http_address: str) -> Iterator[None]:
        """Shows other processes where the server of this directory listens. Needs the lock."""
        server = {
            "pid": os.getpid(),
            "address": address,
            "http_address": http_address,
            "start_time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            self._write(SERVER_FILE, json.dumps(server) + "\n", durable=False)
        except OSError as error:  # a full disk: they wait until the directory is free
            logger.warning("other commands do not find this server: %s", error)
        try:
            yield
        finally:
            (self.path / SERVER_FILE).unlink(missing_ok=True)

    @contextmanager
    def lock(self, purpose: str, name: str = LOCK_FILE) -> Iterator[None]:
        """Holds a lock of the directory. Raises DataInUseError at once, naming the holder."""
        with (self.path / name).open("a+") as file:
            if not _try_lock(file.fileno()):
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise DataInUseError(
                    f"{self.path} is in use by {holder}; use its server, or wait until it ends"
                )
            file.truncate(0)
            file.write(f"{purpose} (process {os.getpid()})\n")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def _all(self) -> list[Path]:
        """The whole read models that are here, by number."""
        found = [path for path in self.path.iterdir() if _number(path.name)]
        return sorted(found, key=lambda path: _number(path.name))

    def _named_in(self, name: str) -> Path | None:
        """The read models that a file names; None when it names none that are there."""
        words = self._words(name)
        path = self.path / words
        return path if _number(words) and path.exists() else None

    def _words(self, name: str) -> str:
        try:
            return (self.path / name).read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _clear(self) -> None:
        """Deletes what is left of read models that were being built."""
        for path in self.path.glob(f"read-*{_BUILDING}*"):
            path.unlink()

    def _write(self, name: str, text: str, *, durable: bool = True) -> None:
        """Replaces a file so that readers see the old or the new one, never a part."""
        fresh = self.path / f".{name}.{os.getpid()}"
        fresh.write_text(text)
        if durable:
            sync_to_disk(fresh)
        fresh.replace(self.path / name)
        if durable:
            sync_to_disk(self.path)


def _number(name: str) -> int:
    """N of read-N.sqlite; 0 for any other name."""
    found = _READ_MODELS.fullmatch(name)
    return int(found[1]) if found else 0


def _version(path: Path) -> int:
    try:
        return read_version(path)
    except ForeignDataError as error:
        raise ForeignDataError(
            f"{path} is not an SQLite file of mutua, or is damaged; {_REBUILD}"
        ) from error


def _is_ours(path: Path) -> bool:
    """Whether this mutua can write the read models."""
    try:
        return read_version(path) == MODEL_VERSION
    except MutuaError:
        return False


def _ahead(path: Path, version: int) -> NewerSchemaError:
    return NewerSchemaError(
        f"{path} was made by a newer mutua (version {version} of the read models, this mutua reads "
        f"{MODEL_VERSION}); upgrade mutua, or stay with this one: {_REBUILD}"
    )


def sync_to_disk(path: Path) -> None:
    """Returns when a file, or the names in a directory, are on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
