"""A cache of computed values with a budget in bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, TypeVar

BUDGET_BYTES: Final = 64 << 20

Value = TypeVar("Value")


@dataclass(slots=True)
class _Entry:
    """A value, or the pending computation of it; `size_bytes` is 0 until it is computed."""

    value: "Future[Any]" = field(default_factory=Future)
    size_bytes: int = 0


# decision 0036: answers are cached by last offset
class AnswerCache:
    """Caches values, and evicts the least recently used ones beyond the budget.

    Thread-safe. Concurrent requests for one key compute its value once.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._size_bytes = 0
        self._lock = Lock()
        self.hit_count = 0
        self.miss_count = 0

    def get_or_compute(
        self, key: Hashable, compute: Callable[[], Value], size_of: Callable[[Value], int]
    ) -> Value:
        """The value of `key`, computed if it is not cached.

        `size_of` returns bytes. `compute` may request other keys, never its own. Every caller that
        waits for the value raises what `compute` raises; the error is not cached.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self.hit_count += 1
                self._entries.move_to_end(key)
            else:
                self.miss_count += 1
                new_entry = self._entries[key] = _Entry()
        if entry is not None:
            cached_value: Value = entry.value.result()
            return cached_value
        try:
            value = compute()
            size_bytes = size_of(value)
        except BaseException as error:
            with self._lock:
                del self._entries[key]
            new_entry.value.set_exception(error)
            raise
        new_entry.value.set_result(value)
        with self._lock:
            new_entry.size_bytes = size_bytes
            self._size_bytes += size_bytes
            self._make_room()
        return value

    def find(self, key: Hashable) -> Any:
        """The cached value of `key`, else None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or not entry.value.done():
                return None
            self._entries.move_to_end(key)
            return entry.value.result()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def _make_room(self) -> None:
        """Evicts the least recently used values; a pending computation stays."""
        while self._size_bytes > self._budget_bytes:
            oldest = next((key for key, entry in self._entries.items() if entry.value.done()), None)
            if oldest is None:
                return
            self._size_bytes -= self._entries.pop(oldest).size_bytes
