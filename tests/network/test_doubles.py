"""Columns, reference answers and oracle find the same possible double reports."""

from __future__ import annotations

import csv
import os
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn as Draw

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import IDENTITY_AS_NOW, IDENTITY_RECORDED, Question
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_CALL,
    EXCHANGE_KIND_MESSAGE,
    OCCUR_PRECISION_MONTH,
)
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.doubles import find_possible_doubles
from services.ledger.enums import Identity
from services.network.identity_view import IdentityView
from tests.ledger.folded_ledger import fold_events
from tests.network.column_history import advance_by_slabs
from tests.oracle import fold
from tests.oracle.answers import compute_coverage
from tests.reports import DAYS, GIVER, RECEIVER, THIRD, report, report_histories
from tests.strategies import PROGRAMME, as_date, slab_cuts


@st.composite
def drawn_questions(draw: Draw) -> Question:
    identity = draw(st.sampled_from((IDENTITY_RECORDED, IDENTITY_AS_NOW)))
    question = Question(programme_id=PROGRAMME, identity=identity)
    if draw(st.booleans()):
        question.from_date.CopyFrom(as_date(DAYS[1]))
    if draw(st.booleans()):
        question.kinds.append(EXCHANGE_KIND_CALL)
    return question


@settings(max_examples=60, deadline=None)
@given(st.data(), report_histories(), st.lists(drawn_questions(), min_size=1, max_size=4))
def test_columns_reference_and_oracle_find_same_doubles(
    data: st.DataObject, events: list[Event], questions: list[Question]
) -> None:
    ledger, expected = fold_events(events).ledger, fold.fold(events)
    numbers = {each.current.event_id: each.number for each in ledger.histories.values()}
    *_, (whole, frames) = advance_by_slabs(events, data.draw(slab_cuts(len(events))))
    for question in questions:
        ours = to_question(question, today=0)
        count = reference_answers.compute_balances(ledger, ours).coverage.possible_double_count
        assert count == compute_coverage(expected, question)["possible_double_count"]
        groups = {
            frozenset(numbers[each.event_id] for each in group)
            for group in find_possible_doubles(reference_answers.select_exchanges(ledger, ours))
        }
        for view in (IdentityView(whole, ours.identity), frames[ours.identity]):
            inside = view.select_exchanges(ours)
            assert view.doubles.count_doubles(inside) == count
            rows_by_act = list(zip(*map(list, view.find_possible_doubles(inside)), strict=True))
            assert rows_by_act == sorted(rows_by_act)
            acts = groupby(rows_by_act, lambda row: row[0])
            members = {act: frozenset(number for _, number in rows) for act, rows in acts}
            assert {*members.values()} == groups
            assert all(act == min(act_numbers) for act, act_numbers in members.items())


@pytest.mark.parametrize(
    ("count", "reports"),
    [
        pytest.param(1, [report(1, "a", "b", by="a"), report(2, "a", "b", by="b")], id="both"),
        pytest.param(0, [report(1, "a", "b", by="a"), report(2, "a", "b", by="a")], id="one twice"),
        pytest.param(0, [report(1, "a", "b", by="a"), report(2, "b", "a", by="b")], id="back"),
        pytest.param(1, [report(1, "a", "b", by="a"), report(2, "a", "b", by="x")], id="outsider"),
        pytest.param(0, [report(1, "a", "b", by="x"), report(2, "a", "b", by="y")], id="outsiders"),
        pytest.param(
            1, [report(1, "a", "b", by="a"), report(2, "a", "b", by="a", side=RECEIVER)], id="named"
        ),
        pytest.param(1, [report(1, "a;b", by="a"), report(2, "a;b", by="b")], id="joint"),
        pytest.param(0, [report(1, "a;b", by="a"), report(2, "a;b", by="a")], id="joint, one"),
        pytest.param(0, [report(1, "a;b", by="a"), report(2, "a", "b", by="b")], id="other form"),
        pytest.param(
            0, [report(1, "a;b", by="a", side=THIRD), report(2, "a;b")], id="joint, outsiders"
        ),
        pytest.param(0, [report(1, "a;b", "c"), report(2, "a", "b;c", by="a")], id="other sides"),
        pytest.param(
            0,
            [report(1, "a", "b", by="a"), report(2, "a", "b", by="b", kind=EXCHANGE_KIND_MESSAGE)],
            id="other kind",
        ),
        pytest.param(
            0,
            [report(1, "a", "b", by="a"), report(2, "a", "b", by="b", day=DAYS[3])],
            id="later",
        ),
        pytest.param(
            0,
            [
                report(1, "a", "b", by="a", precision=OCCUR_PRECISION_MONTH),
                report(2, "a", "b", by="b", precision=OCCUR_PRECISION_MONTH),
            ],
            id="no day",
        ),
        pytest.param(
            2,
            [report(each, "a", "b", side=GIVER) for each in (1, 2, 3)]
            + [report(each, "a", "b", side=RECEIVER) for each in (4, 5)],
            id="three and two",
        ),
    ],
)
def test_possible_double_count(count: int, reports: list[Event]) -> None:
    question = Question(programme_id=PROGRAMME)
    ours = to_question(question, today=0)
    *_, (columns, _) = advance_by_slabs(reports, [])
    assert IdentityView(columns, ours.identity).doubles.count_doubles(columns.is_standing) == count
    assert compute_coverage(fold.fold(reports), question)["possible_double_count"] == count
    core = reference_answers.compute_balances(fold_events(reports).ledger, ours)
    assert core.coverage.possible_double_count == count
    assert ("POSSIBLE_DOUBLE_REPORTS" in core.warnings) == (count > 0)


REAL_DATA = os.environ.get("MUTUA_REAL_DATA")


@pytest.mark.skipif(REAL_DATA is None, reason="MUTUA_REAL_DATA names no folder of real data")
def test_chemnet_has_63_possible_doubles() -> None:
    with Path(REAL_DATA or "", "chemnet-reports.csv").open(encoding="utf-8") as lines:
        reports = [
            report(number, row["giver"], row["receiver"], by=row["reported_by"])
            for number, row in enumerate(csv.DictReader(lines))
        ]
    *_, (columns, _) = advance_by_slabs(reports, [100, 200])
    view = IdentityView(columns, Identity.AS_NOW)
    assert view.doubles.count_doubles(columns.is_standing) == 63
    acts, numbers = view.find_possible_doubles(columns.is_standing)
    assert (len({*acts.tolist()}), len(numbers)) == (63, 126)
    coverage = compute_coverage(fold.fold(reports), Question(programme_id=PROGRAMME))
    assert (coverage["exchange_count"], coverage["possible_double_count"]) == (374, 63)
