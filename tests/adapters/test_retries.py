"""Requests that come again."""

from concurrent.futures import Future

import pytest

from services.adapters.kafka import append_deduplicator
from services.adapters.kafka.append_deduplicator import AppendDeduplicator, make_content_key
from services.ledger.position import Position

POSITION = Position("0" * 32, 0, 7)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_request_is_told_by_its_programme_and_every_byte() -> None:
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


def test_it_joins_the_one_under_way_and_for_two_minutes_the_one_before() -> None:
    clock = Clock()
    kept, outcome = AppendDeduplicator(clock=clock), Future[Position]()
    assert kept.find(b"key") is None
    kept.begin(b"key", outcome)
    clock.now += 600
    assert kept.find(b"key") is outcome
    kept.end(b"key", POSITION)
    clock.now += 120
    found = kept.find(b"key")
    assert found is not None
    assert found.result(0) == POSITION
    clock.now += 1
    assert kept.find(b"key") is None


def test_what_failed_is_appended_again() -> None:
    kept = AppendDeduplicator()
    kept.begin(b"key", Future())
    kept.end(b"key", None)
    assert kept.find(b"key") is None


def test_so_many_are_kept_and_no_longer_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_deduplicator, "_MAX_COUNT", 3)
    clock = Clock()
    kept = AppendDeduplicator(clock=clock)
    for number in range(5):
        kept.begin(b"%d" % number, Future())
        kept.end(b"%d" % number, POSITION)
    assert [kept.find(b"%d" % number) is not None for number in range(5)] == [False] * 2 + [
        True
    ] * 3
    clock.now += 121
    kept.begin(b"last", Future())
    kept.end(b"last", POSITION)
    assert len(kept._finished) == 1
