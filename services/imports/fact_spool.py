"""Stores facts until every row of a file is known to be valid."""

import struct
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from mutua.v1.event_pb2 import Event

_HEAD: Final = struct.Struct("<II")
# Larger imports are stored on the disk.
_IN_MEMORY_BYTES: Final = 16 << 20


class FactSpool:
    """Stores serialized events in order, each with the line of its row."""

    def __init__(self) -> None:
        self._file: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - `close` does
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, line: int, fact: bytes) -> None:
        """Adds a fact; must not be called during an iteration."""
        self._file.write(_HEAD.pack(line, len(fact)) + fact)
        self._count += 1

    def __iter__(self) -> Iterator[tuple[int, Event]]:
        """Iterates over all facts from the first one."""
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            line, size = _HEAD.unpack(head)
            yield line, Event.FromString(self._file.read(size))

    def close(self) -> None:
        self._file.close()
