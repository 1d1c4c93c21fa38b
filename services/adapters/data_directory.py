"""A data directory: whose it is, who works in it, and where its server listens."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.adapters.tables import MODEL_VERSION
from services.ledger.errors import DataForeign, DataInUse, SchemaAhead

LOG: Final = "log.sqlite"
SERVER: Final = "server.json"
_LOCK: Final = "lock"
_CURRENT: Final = "current"
_WAIT_SECONDS: Final = 5.0
_OURS: Final = (LOG, "control.sqlite", _CURRENT, _LOCK, SERVER)


class DataDirectory:
    """The files of one embedded mutua."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        return self.path / LOG

    @property
    def read_models(self) -> Path:
        """The read models that answer now. Raises SchemaAhead when this mutua cannot read them."""
        current = self.path / _CURRENT
        name = current.read_text().strip() if current.exists() else read_models_name()
        if name != read_models_name():
            raise SchemaAhead(
                f"{self.path} uses {name}, this mutua reads {read_models_name()}; upgrade mutua"
            )
        return self.path / name

    def require_data(self) -> None:
        """Raises DataForeign when nothing was recorded here yet, or it is not ours, or torn."""
        if self.path.is_dir():
            self._require_ours()
        if not self.log.exists():
            raise DataForeign(
                f"{self.path} holds no mutua data; name another directory with --data, "
                "or record something first: mutua log --help"
            )

    def prepare(self) -> None:
        """Makes the directory ours. Raises DataForeign when it is somebody else's, or torn."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise DataForeign(f"{self.path} is a file; name a directory with --data") from None
        self._require_ours()

    def _require_ours(self) -> None:
        if self.log.exists():
            return
        for path in sorted(self.path.iterdir()):
            name = path.name
            if self.log.exists():  # somebody made it meanwhile
                return
            if name.startswith((f"{LOG}-", "read-", "control.sqlite")):
                raise DataForeign(
                    f"{self.path} has {name} but no {LOG}: the log is missing; restore it from a "
                    "backup, or choose another directory with --data"
                )
            if name not in _OURS and not name.startswith("."):
                raise DataForeign(
                    f"{self.path} has other files ({name}) and no {LOG}; choose an empty or new "
                    "directory with --data"
                )

    def mark_current(self) -> None:
        """Notes, once and for all readers, which read models answer."""
        self._write(_CURRENT, read_models_name() + "\n")

    def publish(self, address: str, http_address: str) -> None:
        """Tells other processes where the server of this directory listens."""
        server = {
            "pid": os.getpid(),
            "address": address,
            "http_address": http_address,
            "start_time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._write(SERVER, json.dumps(server) + "\n")

    def unpublish(self) -> None:
        (self.path / SERVER).unlink(missing_ok=True)

    @contextmanager
    def lock(self, purpose: str, *, wait_seconds: float = _WAIT_SECONDS) -> Iterator[None]:
        """Holds the directory for one writing process. Raises DataInUse, naming the holder."""
        with (self.path / _LOCK).open("a+") as file:
            deadline = time.monotonic() + wait_seconds
            while not _try_lock(file.fileno()):
                if time.monotonic() >= deadline:
                    file.seek(0)
                    holder = file.read().strip() or "another process"
                    raise DataInUse(
                        f"{self.path} is in use by {holder}; use its server, or wait until it ends"
                    )
                time.sleep(0.05)
            file.truncate(0)
            file.write(f"{purpose} (process {os.getpid()})\n")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def _write(self, name: str, text: str) -> None:
        """Replaces a file so that readers see the old or the new one, never a part."""
        fresh = self.path / f".{name}.{os.getpid()}"
        fresh.write_text(text)
        fresh.replace(self.path / name)


def read_models_name() -> str:
    return f"read-{MODEL_VERSION}.sqlite"


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
