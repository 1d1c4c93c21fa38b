"""Facts that wait to be recorded, until all rows of a file are known to be sound."""

import struct
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from mutua.v1.event_pb2 import Event

_HEAD: Final = struct.Struct("<II")
# Larger imports wait on the disk.
_IN_MEMORY_BYTES: Final = 16 << 20


class FactSpool:
    """Keeps serialized events in their order, each with the line it came from."""

    def __init__(self) -> None:
        self._file: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - `close` does
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, line: int, fact: bytes) -> None:
        """Only before or after an iteration, not during one."""
        self._file.write(_HEAD.pack(line, len(fact)) + fact)
        self._count += 1

    def __iter__(self) -> Iterator[tuple[int, Event]]:
        """From the first on, each time."""
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            line, size = _HEAD.unpack(head)
            yield line, Event.FromString(self._file.read(size))

    def close(self) -> None:
        self._file.close()
