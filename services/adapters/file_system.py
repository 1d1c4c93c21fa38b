"""Files on disk: atomic replacement, durability and locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.adapters.failpoint import failpoint


def sync_to_disk(path: Path) -> None:
    """Returns when a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replace_atomically(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a temporary file that replaces `path` when the block succeeds.

    Readers find the old file or the new one, never a part. Nothing is left after a failure; a
    `durable` file is on the disk when the block ends. Raises OSError about `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.touch()
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        yield temporary
        if durable:
            sync_to_disk(temporary)
        failpoint("before_rename")
        temporary.replace(path)
        if durable:
            sync_to_disk(path.parent)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):  # of SQLite
            Path(f"{temporary}{suffix}").unlink(missing_ok=True)


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Locks an open file without waiting; returns whether it is locked now."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
