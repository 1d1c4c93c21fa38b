"""Small disks that tests fill."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.dev.programs import ProgramNotFoundError
from tests.backing_services import build_or_skip

_LEFT_BYTES = 256 << 10


class Disk:
    """A file system in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill_up(self) -> None:
        """Leaves 256 KiB."""
        status = os.statvfs(self.path)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_bsize - _LEFT_BYTES)

    def make_room(self) -> None:
        self._ballast.unlink()


@contextmanager
def mount_small_disk(path: Path, *, megabytes: int) -> Iterator[Disk]:
    """Mounts a disk for the block. Without the right to mount, skips the test or fails it in CI."""
    path.mkdir()
    build_or_skip(lambda: _mount(path, megabytes))
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def _mount(path: Path, megabytes: int) -> None:
    options = f"size={megabytes}m,mode=0711"
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(path)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise ProgramNotFoundError(
            f"a small disk needs root and the right to mount: {result.stderr.strip()}"
        )
