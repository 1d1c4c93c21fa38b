"""A cache of computed values with a budget in bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Final, TypeVar

BUDGET_BYTES: Final = 64 << 20

Value = TypeVar("Value")


# decision 0036: answers are cached by last offset
class AnswerCache:
    """Caches values, and evicts the least recently used ones beyond the budget.

    Thread-safe. Concurrent requests for one key compute its value once.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._pending: dict[Hashable, Future[Any]] = {}
        self._lock = Lock()
        self.size_bytes = 0
        self.hit_count = 0
        self.miss_count = 0

    def get_or_compute(
        self, key: Hashable, compute: Callable[[], Value], size_of: Callable[[Value], int]
    ) -> Value:
        """The value of `key`, computed if it is not cached.

        `size_of` returns bytes. `compute` may request other keys, never its own. Every caller that
        waits for the value raises what `compute` raises; the error is not cached.
        """
        value: Value
        with self._lock:
            if key in self._values:
                self.hit_count += 1
                value = self._use(key)
                return value
            pending = self._pending.get(key)
            if pending is None:
                self.miss_count += 1
                outcome = self._pending[key] = Future()
            else:
                self.hit_count += 1
        if pending is not None:
            value = pending.result()
            return value
        try:
            value = compute()
            size_bytes = size_of(value)
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            outcome.set_exception(error)
            raise
        with self._lock:
            del self._pending[key]
            self._values[key] = value, size_bytes
            self.size_bytes += size_bytes
            while self.size_bytes > self._budget_bytes:
                self.size_bytes -= self._values.popitem(last=False)[1][1]
        outcome.set_result(value)
        return value

    def find(self, key: Hashable) -> Any:
        """The cached value of `key`, else None."""
        with self._lock:
            return self._use(key) if key in self._values else None

    def _use(self, key: Hashable) -> Any:
        self._values.move_to_end(key)
        return self._values[key][0]
