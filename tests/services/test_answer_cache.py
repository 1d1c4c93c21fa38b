"""What is computed once, what is kept, and what has to go."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from services.query.answer_cache import AnswerCache


def test_what_was_computed_is_kept_by_recency_within_the_budget() -> None:
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


def test_what_is_larger_than_the_budget_is_answered_and_not_kept() -> None:
    cache = AnswerCache(budget_bytes=10)
    assert cache.get_or_compute("a", lambda: "A", lambda _: 11) == "A"
    assert (cache.find("a"), cache.size_bytes) == (None, 0)


class CountingKey:
    """Counts how often any is looked at."""

    looks = 0

    def __hash__(self) -> int:
        CountingKey.looks += 1
        return id(self)


def test_what_is_kept_makes_nothing_dearer() -> None:
    """Neither where there is room nor where there is none."""
    cache = AnswerCache(budget_bytes=1_000)
    keys = [CountingKey() for _ in range(2_000)]

    def looks() -> list[int]:
        found = []
        for key in keys:
            before = CountingKey.looks
            cache.get_or_compute(key, lambda: None, lambda _: 1)
            found.append(CountingKey.looks - before)
        return found

    assert max(looks()) < 10
    assert cache.size_bytes == 1_000


def test_equal_questions_at_once_are_computed_once() -> None:
    cache, computing, computed = AnswerCache(), Event(), list[int]()

    def compute() -> int:
        computed.append(1)
        assert computing.wait(10)
        return 42

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(cache.get_or_compute, "a", compute, lambda _: 1) for _ in range(8)]
        # Another question does not wait for this one.
        assert cache.get_or_compute("b", lambda: 43, lambda _: 1) == 43
        computing.set()
        assert [each.result(10) for each in asked] == [42] * 8
    assert computed == [1]


def test_a_failure_reaches_everybody_who_waits_and_is_not_kept() -> None:
    cache, together = AnswerCache(), Barrier(2, timeout=10)

    def failing() -> int:
        together.wait()
        raise ValueError("once")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get_or_compute, "a", failing, lambda _: 1)
        together.wait()
        with pytest.raises(ValueError, match="once"):
            first.result(10)
    assert cache.get_or_compute("a", lambda: 1, lambda _: 1) == 1
    assert cache.size_bytes == 1


def test_a_value_may_be_made_of_others() -> None:
    cache = AnswerCache()

    def of(depth: int) -> Callable[[], int]:
        return lambda: (
            1 + cache.get_or_compute(depth - 1, of(depth - 1), lambda _: 1) if depth else 0
        )

    assert cache.get_or_compute(5, of(5), lambda _: 1) == 5
    assert cache.size_bytes == 6
