"""What is computed once of an object keeps nobody waiting who asks another."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from propcache.api import cached_property

from tests.waiting import PATIENCE_SECONDS


class Lazy:
    def __init__(self, other_is_known: Event, is_known: Event) -> None:
        self._other_is_known = other_is_known
        self._is_known = is_known
        self.computed = 0

    @cached_property
    def value(self) -> int:
        """Known only after that of the other."""
        self.computed += 1
        assert self._other_is_known.wait(PATIENCE_SECONDS)
        self._is_known.set()
        return 42


def test_cached_property_computes_once_without_blocking_others() -> None:
    first_is_known, second_is_known = Event(), Event()
    second_is_known.set()
    first, second = Lazy(first_is_known, second_is_known), Lazy(second_is_known, first_is_known)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(lambda: first.value)
        while not first.computed:
            pass
        assert second.value == 42
        assert waiting.result(PATIENCE_SECONDS) == 42
    assert (first.value, first.computed, second.computed) == (42, 1, 1)
