"""AnswerCache computes a value once, and evicts by recency beyond its budget."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from services.query.answer_cache import AnswerCache
from tests.waiting import PATIENCE_SECONDS


def test_least_recently_used_value_is_evicted() -> None:
    cache, computed = AnswerCache(budget_bytes=30), list[str]()

    def ask(key: str) -> str:
        def compute() -> str:
            computed.append(key)
            return key.upper()

        return cache.get_or_compute(key, compute, lambda _: 10)

    assert [ask(key) for key in "abcab"] == list("ABCAB")
    assert computed == list("abc")
    assert (ask("d"), cache.find("c"), cache.find("a")) == ("D", None, "A")
    assert cache.size_bytes == 30
    assert ask("c") == "C"
    assert computed == list("abcdc")


def test_value_beyond_budget_is_returned_and_not_cached() -> None:
    cache = AnswerCache(budget_bytes=10)
    assert cache.get_or_compute("a", lambda: "A", lambda _: 11) == "A"
    assert (cache.find("a"), cache.size_bytes) == (None, 0)


class CountingKey:
    """A key that counts how often any key is hashed."""

    looks = 0

    def __hash__(self) -> int:
        CountingKey.looks += 1
        return id(self)


def test_lookup_cost_is_independent_of_cache_size() -> None:
    """Both below and at the budget of the cache."""
    cache = AnswerCache(budget_bytes=1_000)
    keys = [CountingKey() for _ in range(2_000)]

    def looks() -> list[int]:
        counts = []
        for key in keys:
            before = CountingKey.looks
            cache.get_or_compute(key, lambda: None, lambda _: 1)
            counts.append(CountingKey.looks - before)
        return counts

    assert max(looks()) < 10
    assert cache.size_bytes == 1_000


def test_concurrent_requests_for_one_key_compute_once() -> None:
    cache, computing, computed = AnswerCache(), Event(), list[int]()

    def compute() -> int:
        computed.append(1)
        assert computing.wait(PATIENCE_SECONDS)
        return 42

    with ThreadPoolExecutor(8) as threads:
        futures = [
            threads.submit(cache.get_or_compute, "a", compute, lambda _: 1) for _ in range(8)
        ]
        # A request for another key does not wait for this computation.
        assert cache.get_or_compute("b", lambda: 43, lambda _: 1) == 43
        computing.set()
        assert [each.result(PATIENCE_SECONDS) for each in futures] == [42] * 8
    assert computed == [1]


def test_error_reaches_every_waiting_caller_and_is_not_cached() -> None:
    cache, together = AnswerCache(), Barrier(2, timeout=PATIENCE_SECONDS)

    def failing() -> int:
        together.wait()
        raise ValueError("once")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get_or_compute, "a", failing, lambda _: 1)
        together.wait()
        with pytest.raises(ValueError, match="once"):
            first.result(PATIENCE_SECONDS)
    assert cache.get_or_compute("a", lambda: 1, lambda _: 1) == 1
    assert cache.size_bytes == 1


def test_computation_may_request_other_keys() -> None:
    cache = AnswerCache()

    def of(depth: int) -> Callable[[], int]:
        return lambda: (
            1 + cache.get_or_compute(depth - 1, of(depth - 1), lambda _: 1) if depth else 0
        )

    assert cache.get_or_compute(5, of(5), lambda _: 1) == 5
    assert cache.size_bytes == 6
