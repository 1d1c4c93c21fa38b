"""Each time that an organization had nothing to report is a row, however the log is cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1.event_pb2 import Event
from tests.ledger.folded_ledger import make_records
from tests.oracle.fold import fold
from tests.oracle.recorded_history import RecordedHistory, load_histories
from tests.projector.slab_projection import open_empty_store, project, read_tables
from tests.strategies import histories, slab_cuts


def _said(events: Sequence[Event], where: Sequence[int] = ()) -> list[tuple[str, str, str]]:
    """Organization, month, and who said so, of every row."""
    with open_empty_store() as store:
        if events:
            project(store, make_records(events), where)
        rows = read_tables(store)["nothing_to_report"]
    return sorted((row[1], f"{row[2] // 12:04}-{row[2] % 12 + 1:02}", row[4]) for row in rows)


class TestNothingToReportRows:
    @pytest.mark.parametrize("history", load_histories(), ids=str)
    def test_rows_equal_the_history(self, history: RecordedHistory) -> None:
        assert _said(history.events) == history.nothing_to_report

    @settings(max_examples=40, deadline=None)
    @given(st.data(), histories())
    def test_rows_equal_the_oracle(self, data: st.DataObject, events: list[Event]) -> None:
        found = _said(events, data.draw(slab_cuts(len(events))))
        assert found == sorted(fold(events).nothing_to_report)
