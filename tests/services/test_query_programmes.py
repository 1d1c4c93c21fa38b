"""Columns are loaded once, brought forward by what is new, and forgotten when there is no room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.ledger.flow_rows import FlowRows, Known
from services.ledger.question import Question
from services.ledger.words import Identity
from services.network.balances import balances
from services.network.frame import Frame
from services.query.programmes import Programmes
from tests.network.columns import flow_rows

EXCHANGES = 100


@dataclass(slots=True)
class Models:
    """Read models of programmes that are alike; every fact is an exchange of the first one."""

    end: int = EXCHANGES
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Which programme was read, from which offset."""

    def loading(self) -> None:
        """Called before rows are read."""

    @contextmanager
    def snapshot(self, partition: int) -> Iterator[Any]:
        yield _Snapshot(self, self.end)


@dataclass(slots=True)
class _Snapshot:
    models: Models
    end: int

    def position(self) -> int:
        return self.end

    def programme_offset(self, programme_id: str) -> int:
        offsets = {"first": self.end - 1, "nobody": -1}
        return offsets.get(programme_id, EXCHANGES - 1)

    def flows(self, programme_id: str, known: Known) -> FlowRows:
        self.models.loading()
        self.models.asked.append((programme_id, known.next_offset))
        return flow_rows(range(known.next_offset, self.programme_offset(programme_id) + 1))


@pytest.fixture
def models() -> Models:
    return Models()


def test_columns_are_read_once_and_then_from_where_they_are(models: Models) -> None:
    programmes = Programmes()
    for end in (100, 100, 103, 104):
        models.end = end
        for identity in (Identity.AS_NOW, Identity.RECORDED):
            assert _given(_ask(programmes, models, "first", identity)) == end
    assert models.asked == [("first", 0), ("first", 100), ("first", 103)]


def test_facts_of_others_move_the_position_and_nothing_is_read(models: Models) -> None:
    programmes = Programmes()
    frames = []
    for models.end in (100, 105):
        frames.append(_ask(programmes, models, "second"))
    assert [frame.columns.next_offset for frame in frames] == [100, 105]
    assert [_given(frame) for frame in frames] == [100, 100]
    assert models.asked == [("second", 0)]


def test_an_older_snapshot_gets_what_somebody_else_is_at_already(models: Models) -> None:
    programmes = Programmes()
    with models.snapshot(0) as older:
        models.end = 103
        _ask(programmes, models, "first")
        frame = programmes.frame(older, "first", Identity.AS_NOW)
        assert frame.columns.next_offset == 103
        # In the other one nothing happened meanwhile, so that it is at both positions.
        _ask(programmes, models, "second")
        assert programmes.frame(older, "second", Identity.AS_NOW).columns.next_offset == 100


def test_a_programme_in_which_nothing_was_recorded_is_empty(models: Models) -> None:
    frame = _ask(Programmes(), models, "nobody")
    assert frame.columns.next_offset == models.end
    assert list(balances(frame, Question(programme_id="nobody")).rows) == []
    assert models.asked == []


def test_programmes_are_kept_by_recency_within_the_budget(models: Models) -> None:
    programmes = Programmes()
    _ask(programmes, models, "first")
    one = programmes.size_bytes
    programmes = Programmes(2 * one)
    for name in ("first", "second", "first", "third", "first", "second"):
        assert _given(_ask(programmes, models, name)) == EXCHANGES
    assert [name for name, _ in models.asked] == ["first", "first", "second", "third", "second"]
    assert programmes.size_bytes == 2 * one


def test_a_programme_beyond_the_budget_is_loaded_once_and_kept_alone(models: Models) -> None:
    programmes = Programmes()
    _ask(programmes, models, "first")
    one = programmes.size_bytes
    programmes = Programmes(one - 1)
    for name in ("first", "first", "second", "second", "first"):
        assert _given(_ask(programmes, models, name)) == EXCHANGES
        assert programmes.size_bytes == one
    assert [name for name, _ in models.asked] == ["first", "first", "second", "first"]


def test_the_room_of_a_programme_beyond_the_budget_is_free_before_another_is_loaded() -> None:
    programmes = Programmes(0)

    @dataclass(slots=True)
    class Watched(Models):
        sizes: list[int] = field(default_factory=list)

        def loading(self) -> None:
            self.sizes.append(programmes.size_bytes)

    models = Watched()
    for name in ("first", "second"):
        _ask(programmes, models, name)
    assert models.sizes == [0, 0]


def test_worn_columns_are_loaded_again(models: Models) -> None:
    programmes = Programmes()
    frame = _ask(programmes, models, "first")
    frame.columns.alive[: EXCHANGES // 2] = False  # as if half of it had been restated
    models.end += 1
    assert _given(_ask(programmes, models, "first")) == models.end
    assert models.asked == [("first", 0), ("first", 0)]


def _ask(
    programmes: Programmes, models: Models, name: str, identity: Identity = Identity.AS_NOW
) -> Frame:
    with models.snapshot(0) as snapshot:
        return programmes.frame(snapshot, name, identity)


def _given(frame: Frame) -> int:
    return frame.coverage(Question(programme_id="any"), frame.columns.alive).exchange_count
