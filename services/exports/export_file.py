"""Export files: written whole or not at all, plain or compressed."""

import gzip
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from services.adapters.file_system import replace_atomically
from services.ledger.errors import InvalidArgumentError

STDOUT: Final = Path("-")
_GZIP: Final = b"\x1f\x8b"
_LINE_BYTES: Final = 16 << 20
"""Maximum length of a line, many times the longest of an export, so that a file of another kind
is refused before it fills the memory."""


class ByteSink(Protocol):
    """A place to write bytes to: a file, a pipe or stdout."""

    def write(self, content: bytes, /) -> int: ...


class UnusableFileError(InvalidArgumentError):
    """The file cannot be used; nothing was written."""


@contextmanager
def open_atomic(path: Path, *, force: bool) -> Iterator[ByteSink]:
    """Opens a file that gets its name, on the disk, only when the context ends without an error.

    `-` is stdout. A name that ends in .gz compresses the content, equal content to equal bytes.
    Raises UnusableFileError when the file exists and `force` is false.
    """
    try:
        with _open_target(path, force=force) as file:
            yield file
    except OSError as error:
        error.filename = "stdout" if path == STDOUT else str(path)
        raise


@contextmanager
def _open_target(path: Path, *, force: bool) -> Iterator[ByteSink]:
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    mode = path.stat().st_mode if path.exists() else None
    if mode is not None and stat.S_ISDIR(mode):
        raise UnusableFileError(f"{path} is a directory", remedy="name a file in it")
    if mode is not None and stat.S_ISREG(mode) and not force:
        raise UnusableFileError(
            f"{path} is there already", remedy="choose another name, or say --force"
        )
    # A pipe or device is written to directly, because a rename would replace it.
    is_file = mode is None or stat.S_ISREG(mode)
    place: AbstractContextManager[IO[bytes]] = (
        _open_replacement(path.resolve()) if is_file else path.open("wb")
    )
    with place as file, _compress_by_suffix(file, path) as content:
        yield content


@contextmanager
def _open_replacement(path: Path) -> Iterator[IO[bytes]]:
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        yield file


@contextmanager
def _compress_by_suffix(file: IO[bytes], path: Path) -> Iterator[ByteSink]:
    if path.suffix != ".gz":
        yield file
        return
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield packed


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, compressed or not. Raises UnusableFileError at a damaged one."""
    with path.open("rb") as start:
        is_packed = start.read(2) == _GZIP
    with gzip.open(path) if is_packed else path.open("rb") as file:
        number = 0
        while True:
            number += 1
            try:
                line = file.readline(_LINE_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise UnusableFileError(
                    f"{path}, line {number:,}: the file is cut or damaged ({error})",
                    remedy="take another copy of it, or export the log again",
                ) from None
            if not line:
                return
            if len(line) == _LINE_BYTES:
                raise UnusableFileError(f"{path}, line {number:,}: is too long for an exported log")
            yield line
