"""A data directory: its files, locks, active read models and server address.

Read models are files `read-N.sqlite`, numbered in the order of their builds; every file stores its
model version. A file with such a name is complete, because builds have another name. `current`
names the active file, `next` a build that is to replace it.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Final

from services.adapters.failpoint import failpoint
from services.adapters.file_system import replace_atomically, sync_to_disk, try_lock
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.sqlite.database_file import read_version
from services.ledger.errors import DataInUseError, ForeignDataError, MutuaError, NewerSchemaError

logger = logging.getLogger(__name__)

LOG_FILE: Final = "log.sqlite"
# decision 0108: the holder of a directory serves it
SERVER_FILE: Final = "server.json"
LOCK_FILE: Final = "lock"
"""Locked by the one process that writes the log and the active read models."""
BUILD_LOCK_FILE: Final = "build.lock"
"""Locked by the one process that builds read models or deletes superseded ones."""
TOKEN_KEY_FILE: Final = "token.key"
"""Signs resume tokens, so that they stay valid when another process serves the directory."""
CONTROL_FILE: Final = "control.sqlite"
"""What is not on the log: coordinates on the map."""
_CURRENT: Final = "current"
_NEXT: Final = "next"
# decision 0042: embedded read models are numbered files
_READ_MODELS: Final = re.compile(r"read-([1-9][0-9]{0,8})\.sqlite")
_BUILD_SUFFIX: Final = ".building"
_REBUILD: Final = "mutua rebuild makes them again from the log"
_OURS: Final = (
    LOG_FILE,
    _CURRENT,
    _NEXT,
    LOCK_FILE,
    BUILD_LOCK_FILE,
    SERVER_FILE,
    TOKEN_KEY_FILE,
    CONTROL_FILE,
)


class DataDirectory:
    """The files of one embedded mutua."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log_path(self) -> Path:
        return self.path / LOG_FILE

    @property
    def control_path(self) -> Path:
        return self.path / CONTROL_FILE

    def require_data(self) -> None:
        """Raises ForeignDataError when the directory has no log, or foreign files."""
        if self.path.is_dir():
            self._require_ours()
        if not self.log_path.exists():
            raise ForeignDataError(
                f"{self.path} holds no mutua data",
                remedy="name another directory with --data, or record something first: mutua log "
                "--help",
            )

    def prepare(self) -> None:
        """Creates the directory. Raises ForeignDataError when it has foreign files or no log."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise ForeignDataError(
                f"{self.path} is a file", remedy="name a directory with --data"
            ) from None
        self._require_ours()

    def _require_ours(self) -> None:
        if self.log_path.exists():
            return
        for path in sorted(self.path.iterdir()):
            name = path.name
            if self.log_path.exists():  # another process has created it meanwhile
                return
            if name.startswith((f"{LOG_FILE}-", "read-")):
                raise ForeignDataError(
                    f"{self.path} has {name} but no {LOG_FILE}: the log is missing",
                    remedy="restore a backup into another directory, mutua --data DIRECTORY "
                    "restore FILE, or choose one with --data",
                )
            if name not in _OURS and not name.startswith("."):
                raise ForeignDataError(
                    f"{self.path} has other files ({name}) and no {LOG_FILE}",
                    remedy="choose an empty or new directory with --data",
                )

    @property
    def active_read_models(self) -> Path | None:
        """The path of the active read models, None when there are none."""
        return self._read_link(_CURRENT)

    @property
    def offered_read_models(self) -> Path | None:
        """The path of a build that is to take over, if this mutua can write it."""
        path = self._read_link(_NEXT)
        return path if path is not None and _is_ours(path) else None

    def select_to_read(self) -> Path:
        """Returns the active read models.

        Raises NewerSchemaError or ForeignDataError when this mutua cannot read them.
        """
        path = self.active_read_models
        if path is None:
            raise ForeignDataError(f"{self.path} has no read models", remedy=_REBUILD)
        version = _read_version(path)
        if version > MODEL_VERSION:
            raise _make_newer_schema_error(path, version)
        if version < MODEL_VERSION:
            raise ForeignDataError(
                f"{path} was made by an older mutua (version {version} of the read models, this "
                f"mutua reads {MODEL_VERSION})",
                remedy=f"end that mutua where it still runs; {_REBUILD}",
            )
        return path

    def select_to_write(self) -> Path | None:
        """Returns the read models to continue with, None when they must be built.

        These are the offered ones, else the active ones, else the last ones that this version of
        mutua wrote. Raises NewerSchemaError when a newer mutua made the active ones and this
        version made none, and ForeignDataError when the active ones are damaged.
        """
        if (offered := self.offered_read_models) is not None:
            return offered
        current = self.active_read_models
        version = 0 if current is None else _read_version(current)
        if version == MODEL_VERSION:
            return current
        for path in reversed(self._list_read_models()):
            if path != current and _is_ours(path):
                return path
        if current is not None and version > MODEL_VERSION:
            raise _make_newer_schema_error(current, version)
        return None

    def offer(self, path: Path) -> None:
        """Offers a build to the process that holds the directory now or opens it next."""
        self._write(_NEXT, f"{path.name}\n")

    def withdraw(self) -> None:
        """Withdraws the offer of a build."""
        (self.path / _NEXT).unlink(missing_ok=True)

    def switch_to(self, path: Path) -> None:
        """Makes read models the active ones."""
        if self.active_read_models != path:
            failpoint("before_switch")
            self._write(_CURRENT, f"{path.name}\n")
            failpoint("after_switch")
        if self._read_link(_NEXT) == path:
            self.withdraw()

    @contextmanager
    def reserve_build(self) -> Iterator[tuple[Path, Path]]:
        """Yields a path to build read models at, and the path that they get afterwards.

        They get it, complete and on the disk, when the block succeeds; after a failure nothing is
        left of them. Needs the build lock.
        """
        latest = max((_parse_number(path.name) for path in self._list_read_models()), default=0)
        active = _parse_number(self._read_text(_CURRENT))
        path = self.path / f"read-{max(latest, active) + 1}.sqlite"
        temporary = path.with_suffix(_BUILD_SUFFIX)
        self._delete_unfinished()
        try:
            yield temporary, path
            sync_to_disk(temporary)
            temporary.rename(path)
            sync_to_disk(self.path)
        finally:
            self._delete_unfinished()

    def list_superseded(self) -> list[Path]:
        """Returns the read models that are neither active nor offered, oldest first."""
        used = (self.active_read_models, self._read_link(_NEXT))
        return [path for path in self._list_read_models() if path not in used]

    def delete(self, path: Path) -> None:
        """Deletes read models, with the -wal and -shm files of SQLite."""
        for file in (path, *self.path.glob(f"{path.name}-*")):
            file.unlink(missing_ok=True)

    def read_token_key(self) -> bytes | None:
        """Returns the key of resume tokens; None if there is none, or another user owns it."""
        try:
            return (self.path / TOKEN_KEY_FILE).read_bytes()
        except (FileNotFoundError, PermissionError):
            return None

    def prepare_token_key(self) -> bytes | None:
        """Returns the key of resume tokens, and makes it if there is none. Needs the lock."""
        if not (key := self.read_token_key()):
            key = token_bytes(32)
            try:
                with replace_atomically(self.path / TOKEN_KEY_FILE) as temporary:
                    temporary.chmod(0o600)
                    temporary.write_bytes(key)
            except OSError as error:  # on a full disk watches begin again after a restart
                logger.warning("resume tokens are valid until this server ends: %s", error)
        return key

    @contextmanager
    def publish_server(self, address: str, http_address: str) -> Iterator[None]:
        """Publishes the address of this directory's server to other processes. Needs the lock."""
        server = {
            "pid": os.getpid(),
            "address": address,
            "http_address": http_address,
            "start_time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            self._write(SERVER_FILE, json.dumps(server) + "\n", durable=False)
        except OSError as error:  # on a full disk other processes wait for the lock instead
            logger.warning("other commands do not find this server: %s", error)
        try:
            yield
        finally:
            (self.path / SERVER_FILE).unlink(missing_ok=True)

    @contextmanager
    def lock(self, purpose: str, name: str = LOCK_FILE) -> Iterator[None]:
        """Holds a lock of the directory. Raises DataInUseError at once, and names the holder."""
        with (self.path / name).open("a+") as file:
            if not try_lock(file.fileno()):
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise DataInUseError(
                    f"{self.path} is in use by {holder}",
                    remedy="use its server, or wait until it ends",
                )
            file.truncate(0)
            file.write(f"{purpose} (process {os.getpid()})\n")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def _list_read_models(self) -> list[Path]:
        """Returns all complete read models, by number."""
        files = [path for path in self.path.iterdir() if _parse_number(path.name)]
        return sorted(files, key=lambda path: _parse_number(path.name))

    def _read_link(self, name: str) -> Path | None:
        """Returns the existing read models that a file names, None when it names none."""
        target = self._read_text(name)
        path = self.path / target
        return path if _parse_number(target) and path.exists() else None

    def _read_text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _delete_unfinished(self) -> None:
        """Deletes unfinished builds."""
        for path in self.path.glob(f"read-*{_BUILD_SUFFIX}*"):
            path.unlink()

    def _write(self, name: str, text: str, *, durable: bool = True) -> None:
        with replace_atomically(self.path / name, durable=durable) as temporary:
            temporary.write_text(text)


def _parse_number(name: str) -> int:
    """Returns N of read-N.sqlite, 0 for any other name."""
    match = _READ_MODELS.fullmatch(name)
    return int(match[1]) if match else 0


def _read_version(path: Path) -> int:
    try:
        return read_version(path)
    except ForeignDataError as error:
        raise ForeignDataError(
            f"{path} is not an SQLite file of mutua, or is damaged", remedy=_REBUILD
        ) from error


def _is_ours(path: Path) -> bool:
    """Whether this mutua can write the read models."""
    try:
        return read_version(path) == MODEL_VERSION
    except MutuaError:
        return False


def _make_newer_schema_error(path: Path, version: int) -> NewerSchemaError:
    return NewerSchemaError(
        f"{path} was made by a newer mutua (version {version} of the read models, this mutua "
        f"reads {MODEL_VERSION})",
        remedy=f"upgrade mutua, or stay with this one: {_REBUILD}",
    )
