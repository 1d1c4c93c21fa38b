"""Refuses files that are small on the way and unpack to more than this process can read."""

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import Final

from services.imports.report import ImportRefusedError

MAX_UNPACKED_BYTES: Final = 256 << 20
_BLOCK_BYTES: Final = 1 << 20


def require_small_unpacked(path: Path, *, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Raises ImportRefusedError if a packed file has more than `max_bytes` inside.

    A damaged file passes, because the importer describes it better.
    """
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    try:
        size = _measure_gzip(path, max_bytes) if is_gzip else _measure_zip(path)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        return
    if size > max_bytes:
        raise ImportRefusedError(
            f"{path.name} unpacks to more than {max_bytes >> 20} MiB: import it with the command "
            "mutua import exchanges."
        )


def _measure_gzip(path: Path, max_bytes: int) -> int:
    size = 0
    with gzip.open(path) as file:
        while size <= max_bytes and (block := file.read(_BLOCK_BYTES)):
            size += len(block)
    return size


def _measure_zip(path: Path) -> int:
    """What the archive declares, beyond which Python's zipfile reads nothing; 0 for no archive."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        return sum(each.file_size for each in archive.infolist())
