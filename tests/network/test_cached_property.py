"""cached_property computes a value once, without blocking other objects."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from propcache.api import cached_property

from tests.waiting import PATIENCE_SECONDS


class Lazy:
    def __init__(self, other_is_computed: Event, is_computed: Event) -> None:
        self._other_is_computed = other_is_computed
        self._is_computed = is_computed
        self.computed = 0

    @cached_property
    def value(self) -> int:
        """Waits for the value of the other object."""
        self.computed += 1
        assert self._other_is_computed.wait(PATIENCE_SECONDS)
        self._is_computed.set()
        return 42


def test_cached_property_computes_once_without_blocking_others() -> None:
    first_is_computed, second_is_computed = Event(), Event()
    second_is_computed.set()
    first, second = (
        Lazy(first_is_computed, second_is_computed),
        Lazy(second_is_computed, first_is_computed),
    )
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(lambda: first.value)
        while not first.computed:
            pass
        assert second.value == 42
        assert waiting.result(PATIENCE_SECONDS) == 42
    assert (first.value, first.computed, second.computed) == (42, 1, 1)
