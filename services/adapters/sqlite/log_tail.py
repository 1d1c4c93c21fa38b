"""The end of a log in memory: whoever follows closely need not read back what was just written."""

import threading
from collections import deque
from collections.abc import Sequence

from services.ledger.records import Record


class LogTail:
    """The records appended last, next to each other. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        """Keeps whole groups, the last one however large."""
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._groups: deque[Sequence[Record]] = deque()
        self._size_bytes = 0

    def add(self, records: Sequence[Record]) -> None:
        """The next records of the log."""
        with self._lock:
            self._groups.append(records)
            self._size_bytes += sum(len(record.value) for record in records)
            while self._size_bytes > self._limit_bytes and len(self._groups) > 1:
                self._size_bytes -= sum(len(record.value) for record in self._groups.popleft())

    def read(self, next_offset: int, limit: int) -> list[Record] | None:
        """Up to `limit` records from `next_offset` on; None when the first is not here."""
        found: list[Record] = []
        with self._lock:
            for group in self._groups:
                start = next_offset - group[0].offset
                if 0 <= start < len(group):
                    found += group[start : start + limit - len(found)]
                    next_offset += len(group) - start
                if len(found) == limit:
                    break
        return found or None
