"""What was computed, kept by recency within a budget of bytes."""

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
    """What is computed, or was; it takes no room before that."""

    value: "Future[Any]" = field(default_factory=Future)
    size_bytes: int = 0


# decision 0036: answers are cached by last offset
class AnswerCache:
    """Thread-safe. What equal keys ask for at the same time is computed once."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._places: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._size_bytes = 0
        self._lock = Lock()
        self.hit_count = 0
        self.miss_count = 0

    def get_or_compute(
        self, key: Hashable, compute: Callable[[], Value], size_of: Callable[[Value], int]
    ) -> Value:
        """The value of `key`; what `compute` raises reaches everybody who waits, and is not kept.

        `size_of` is in bytes. `compute` may ask for other keys, never for its own.
        """
        with self._lock:
            place = self._places.get(key)
            if place is not None:
                self.hit_count += 1
                self._places.move_to_end(key)
            else:
                self.miss_count += 1
                mine = self._places[key] = _Entry()
        if place is not None:
            found: Value = place.value.result()
            return found
        try:
            value = compute()
            size_bytes = size_of(value)
        except BaseException as error:
            with self._lock:
                del self._places[key]
            mine.value.set_exception(error)
            raise
        mine.value.set_result(value)
        with self._lock:
            mine.size_bytes = size_bytes
            self._size_bytes += size_bytes
            self._make_room()
        return value

    def find(self, key: Hashable) -> Any:
        """The value of `key`; None when it is not kept."""
        with self._lock:
            place = self._places.get(key)
            if place is None or not place.value.done():
                return None
            self._places.move_to_end(key)
            return place.value.result()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def _make_room(self) -> None:
        """Drops what was asked for longest ago; what is being computed stays."""
        while self._size_bytes > self._budget_bytes:
            oldest = next((key for key, each in self._places.items() if each.value.done()), None)
            if oldest is None:
                return
            self._size_bytes -= self._places.pop(oldest).size_bytes
