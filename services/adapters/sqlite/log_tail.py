"""The end of a log in memory, so that the projector need not read back recent records."""

import threading
from collections import deque
from collections.abc import Sequence

from services.ledger.records import Record


class LogTail:
    """The last appended records, contiguous and bounded in bytes. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        """Drops the oldest appends beyond `limit_bytes`, but never the last one."""
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._groups: deque[Sequence[Record]] = deque()
        self._size_bytes = 0

    def add(self, records: Sequence[Record]) -> None:
        """Adds the records of an append, which follow the previous ones."""
        with self._lock:
            self._groups.append(records)
            self._size_bytes += sum(len(record.value) for record in records)
            while self._size_bytes > self._limit_bytes and len(self._groups) > 1:
                self._size_bytes -= sum(len(record.value) for record in self._groups.popleft())

    def read(self, next_offset: int, limit: int) -> list[Record] | None:
        """Up to `limit` records from `next_offset` on; None if the first is not in memory."""
        records: list[Record] = []
        with self._lock:
            for group in self._groups:
                start = next_offset - group[0].offset
                if 0 <= start < len(group):
                    records += group[start : start + limit - len(records)]
                    next_offset += len(group) - start
                if len(records) == limit:
                    break
        return records or None
