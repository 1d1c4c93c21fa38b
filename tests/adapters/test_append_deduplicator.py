"""AppendDeduplicator finds appends that a client repeats."""

from concurrent.futures import Future

import pytest

from services.adapters.kafka import append_deduplicator
from services.adapters.kafka.append_deduplicator import AppendDeduplicator, make_content_key
from services.ledger.position import Position

POSITION = Position("0" * 32, 0, 7)


class DeduplicatorClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_content_key_depends_on_programme_and_every_byte() -> None:
    requests = [
        ("p", [b"a", b"b"]),
        ("p", [b"b", b"a"]),
        ("p", [b"ab"]),
        ("p", [b"a", b"b", b""]),
        ("pa", [b"b"]),
        ("p", [b"a2 bb"]),
        ("q", [b"a", b"b"]),
    ]
    keys = {make_content_key(programme, values) for programme, values in requests}
    assert len(keys) == len(requests)
    assert make_content_key("p", [b"a", b"b"]) in keys


def test_find_returns_pending_outcome_and_finished_one_for_two_minutes() -> None:
    clock = DeduplicatorClock()
    deduplicator, outcome = AppendDeduplicator(clock=clock), Future[Position]()
    assert deduplicator.find(b"key") is None
    deduplicator.begin(b"key", outcome)
    clock.now += 600
    assert deduplicator.find(b"key") is outcome
    deduplicator.end(b"key", POSITION)
    clock.now += 120
    outcome_again = deduplicator.find(b"key")
    assert outcome_again is not None
    assert outcome_again.result(0) == POSITION
    clock.now += 1
    assert deduplicator.find(b"key") is None


def test_find_ignores_failed_append() -> None:
    deduplicator = AppendDeduplicator()
    deduplicator.begin(b"key", Future())
    deduplicator.end(b"key", None)
    assert deduplicator.find(b"key") is None


def test_finished_appends_are_bounded_by_count_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_deduplicator, "_MAX_COUNT", 3)
    clock = DeduplicatorClock()
    deduplicator = AppendDeduplicator(clock=clock)
    for number in range(5):
        deduplicator.begin(b"%d" % number, Future())
        deduplicator.end(b"%d" % number, POSITION)
    assert [deduplicator.find(b"%d" % number) is not None for number in range(5)] == [False] * 2 + [
        True
    ] * 3
    clock.now += 121
    deduplicator.begin(b"last", Future())
    deduplicator.end(b"last", POSITION)
    assert len(deduplicator._finished) == 1
