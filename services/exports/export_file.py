"""Files that are there whole or not at all."""

import gzip
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from services.ledger.errors import InvalidArgumentError

STDOUT: Final = Path("-")
_GZIP: Final = b"\x1f\x8b"
_LINE_BYTES: Final = 16 << 20
"""Many times the longest line of an export: what has longer ones is something else."""


class ByteSink(Protocol):
    """Takes bytes one after the other."""

    def write(self, content: bytes, /) -> int: ...


class UnusableFileError(InvalidArgumentError):
    """The file cannot be used; nothing was written."""


@contextmanager
def open_atomic(path: Path, *, force: bool) -> Iterator[ByteSink]:
    """A file to write, which takes its name, on the disk, when the context ends well.

    `-` is stdout; with a name that ends in .gz the content is compressed, the same content to the
    same bytes. Raises UnusableFileError when the name is taken and `force` does not say to replace
    it.
    """
    try:
        with _opened(path, force=force) as file:
            yield file
    except OSError as error:
        error.filename = "stdout" if path == STDOUT else str(path)
        raise


@contextmanager
def _opened(path: Path, *, force: bool) -> Iterator[ByteSink]:
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    mode = path.stat().st_mode if path.exists() else None
    if mode is not None and stat.S_ISDIR(mode):
        raise UnusableFileError(f"{path} is a directory; name a file in it")
    if mode is not None and stat.S_ISREG(mode) and not force:
        raise UnusableFileError(f"{path} is there already; choose another name, or say --force")
    # A pipe or device keeps its place.
    is_file = mode is None or stat.S_ISREG(mode)
    place: AbstractContextManager[IO[bytes]] = (
        _replacing(path.resolve()) if is_file else path.open("wb")
    )
    with place as file, _packed(file, path) as content:
        yield content


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _packed(file: IO[bytes], path: Path) -> Iterator[ByteSink]:
    if path.suffix != ".gz":
        yield file
        return
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield packed


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, compressed or not.

    Raises UnusableFileError where it cannot be read on.
    """
    with path.open("rb") as plain:
        is_packed = plain.read(2) == _GZIP
    with gzip.open(path) if is_packed else path.open("rb") as file:
        number = 0
        while True:
            number += 1
            try:
                line = file.readline(_LINE_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise UnusableFileError(
                    f"{path}, line {number:,}: the file is cut or damaged ({error}); "
                    "take another copy of it, or export the log again"
                ) from None
            if not line:
                return
            if len(line) == _LINE_BYTES:
                raise UnusableFileError(f"{path}, line {number:,}: is too long for an exported log")
            yield line
