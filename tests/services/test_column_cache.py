"""ColumnCache loads columns once, advances them, and evicts them beyond its budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.ledger.enums import Identity
from services.ledger.flow_rows import ColumnWatermark, FlowRows
from services.ledger.question import Question
from services.network.balances import compute_balances
from services.network.identity_view import IdentityView
from services.query.column_cache import ColumnCache
from tests.network.column_history import make_flow_rows

EXCHANGES = 100


@dataclass(slots=True)
class CountingReadModels:
    """Read models of equal programmes; every fact is an exchange of the first programme."""

    end: int = EXCHANGES
    reads: list[tuple[str, int]] = field(default_factory=list)
    """The programme and the start offset of every read."""

    def loading(self) -> None:
        """Called before rows are read."""

    @contextmanager
    def open_snapshot(self, partition: int) -> Iterator[Any]:
        yield _Snapshot(self, self.end)


@dataclass(slots=True)
class _Snapshot:
    models: CountingReadModels
    end: int

    def read_next_offset(self) -> int:
        return self.end

    def read_last_offset(self, programme_id: str) -> int:
        offsets = {"first": self.end - 1, "nobody": -1}
        return offsets.get(programme_id, EXCHANGES - 1)

    def read_flow_rows(self, programme_id: str, watermark: ColumnWatermark) -> FlowRows:
        self.models.loading()
        self.models.reads.append((programme_id, watermark.next_offset))
        return make_flow_rows(range(watermark.next_offset, self.read_last_offset(programme_id) + 1))


@pytest.fixture
def models() -> CountingReadModels:
    return CountingReadModels()


def test_columns_are_loaded_once_and_then_advanced(models: CountingReadModels) -> None:
    programmes = ColumnCache()
    for end in (100, 100, 103, 104):
        models.end = end
        for identity in (Identity.AS_NOW, Identity.RECORDED):
            assert _given(_ask(programmes, models, "first", identity)) == end
    assert models.reads == [("first", 0), ("first", 100), ("first", 103)]


def test_facts_of_others_move_position_without_reading(
    models: CountingReadModels,
) -> None:
    programmes = ColumnCache()
    frames = []
    for models.end in (100, 105):
        frames.append(_ask(programmes, models, "second"))
    assert [view.columns.next_offset for view in frames] == [100, 105]
    assert [_given(view) for view in frames] == [100, 100]
    assert models.reads == [("second", 0)]


def test_older_snapshot_gets_view_at_later_position(
    models: CountingReadModels,
) -> None:
    programmes = ColumnCache()
    with models.open_snapshot(0) as older:
        models.end = 103
        _ask(programmes, models, "first")
        view = programmes.get_view(older, "first", Identity.AS_NOW)
        assert view.columns.next_offset == 103
        # The other programme did not change, so its columns are valid at both positions.
        _ask(programmes, models, "second")
        assert programmes.get_view(older, "second", Identity.AS_NOW).columns.next_offset == 100


def test_programme_without_facts_is_empty(models: CountingReadModels) -> None:
    view = _ask(ColumnCache(), models, "nobody")
    assert view.columns.next_offset == models.end
    assert list(compute_balances(view, Question(programme_id="nobody")).rows) == []
    assert models.reads == []


def test_least_recently_used_programme_is_evicted(models: CountingReadModels) -> None:
    programmes = ColumnCache()
    _ask(programmes, models, "first")
    one = programmes.size_bytes
    programmes = ColumnCache(2 * one)
    for name in ("first", "second", "first", "third", "first", "second"):
        assert _given(_ask(programmes, models, name)) == EXCHANGES
    assert [name for name, _ in models.reads] == ["first", "first", "second", "third", "second"]
    assert programmes.size_bytes == 2 * one


def test_programme_beyond_budget_is_loaded_once_and_stays_alone(
    models: CountingReadModels,
) -> None:
    programmes = ColumnCache()
    _ask(programmes, models, "first")
    one = programmes.size_bytes
    programmes = ColumnCache(one - 1)
    for name in ("first", "first", "second", "second", "first"):
        assert _given(_ask(programmes, models, name)) == EXCHANGES
        assert programmes.size_bytes == one
    assert [name for name, _ in models.reads] == ["first", "first", "second", "first"]


def test_programme_beyond_budget_is_evicted_before_another_loads() -> None:
    programmes = ColumnCache(0)

    @dataclass(slots=True)
    class Watched(CountingReadModels):
        sizes: list[int] = field(default_factory=list)

        def loading(self) -> None:
            self.sizes.append(programmes.size_bytes)

    models = Watched()
    for name in ("first", "second"):
        _ask(programmes, models, name)
    assert models.sizes == [0, 0]


def test_fragmented_columns_are_loaded_again(models: CountingReadModels) -> None:
    programmes = ColumnCache()
    view = _ask(programmes, models, "first")
    view.columns.is_standing[: EXCHANGES // 2] = (
        False  # as if half of the exchanges had been restated
    )
    models.end += 1
    assert _given(_ask(programmes, models, "first")) == models.end
    assert models.reads == [("first", 0), ("first", 0)]


def _ask(
    programmes: ColumnCache,
    models: CountingReadModels,
    name: str,
    identity: Identity = Identity.AS_NOW,
) -> IdentityView:
    with models.open_snapshot(0) as snapshot:
        return programmes.get_view(snapshot, name, identity)


def _given(view: IdentityView) -> int:
    return view.compute_coverage(
        Question(programme_id="any"), view.columns.is_standing
    ).exchange_count
