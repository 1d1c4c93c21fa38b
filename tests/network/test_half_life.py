"""Balances whose amounts decay by a half-life: columns, reference, and numbers by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Identity
from services.ledger.question import Balance, Question
from services.ledger.times import date_to_day
from services.network.balances import compute_balances
from services.network.identity_view import IdentityView
from tests import dpdk
from tests.ledger.folded_ledger import fold_events
from tests.network.column_history import advance_by_slabs
from tests.network.test_real_data import EVERYTHING, view_dpdk
from tests.reports import report
from tests.strategies import DAYS, PROGRAMME, histories, questions

rich_histories = histories(exchanges=6, max_facts=14)
END = date(2024, 3, 1)
QUESTION = Question(programme_id=PROGRAMME, to_day=date_to_day(END), half_life_days=30, as_of_day=0)


def make_view(events: list[Event], identity: Identity = Identity.AS_NOW) -> IdentityView:
    *_, (columns, _) = advance_by_slabs(events, [])
    return IdentityView(columns, identity)


def list_balances(events: list[Event], question: Question) -> dict[str, Balance]:
    rows = compute_balances(make_view(events), question).rows
    return {row.organization_id: row for row in rows}


@settings(max_examples=60, deadline=None)
@given(rich_histories, questions(), st.sampled_from((1, 30, 36_500)), st.sampled_from(DAYS))
def test_columns_equal_reference(
    events: list[Event], asked: pb.Question, half_life_days: int, as_of: date
) -> None:
    question = replace(to_question(asked, today=date_to_day(as_of)), half_life_days=half_life_days)
    if question.allocation is Allocation.FULL:
        return
    answer = compute_balances(make_view(events, question.identity), question)
    expected = reference_answers.compute_balances(fold_events(events).ledger, question)
    for row, reference in zip(answer.rows, expected.rows, strict=True):
        same = row._replace(given=reference.given, received=reference.received)
        assert same == reference
        # The last bit of a power may differ, and with it the last millionth.
        assert row.given == pytest.approx(reference.given, abs=1)
        assert row.received == pytest.approx(reference.received, abs=1)
    if question.allocation is Allocation.SPLIT and not question.organization_ids:
        assert sum(row.given or 0 for row in answer.rows) == sum(
            row.received or 0 for row in answer.rows
        )


def test_amounts_halve_for_every_half_life_before_the_end() -> None:
    events = [
        report(0, "a", "b", day=date(2024, 1, 31)),
        report(1, "a", "b", day=date(2024, 1, 1)),
    ]
    balance = list_balances(events, QUESTION)["a"]
    assert (balance.given, balance.received) == (MILLION // 2 + MILLION // 4, 0)
    assert balance.given_count == 2


def test_end_without_window_is_that_of_as_of() -> None:
    question = replace(QUESTION, to_day=None, as_of_day=date_to_day(END) - 1)
    events = [report(0, "a", "b", day=date(2024, 1, 31))]
    assert list_balances(events, question) == list_balances(events, QUESTION)


def test_later_exchanges_count_whole() -> None:
    question = replace(QUESTION, to_day=None)
    assert list_balances([report(0, "a", "b", day=END)], question)["a"].given == MILLION


def test_allocation_once_decays_each_party() -> None:
    events = [report(0, "a", "b;c", day=date(2024, 1, 31))]
    balances = list_balances(events, replace(QUESTION, allocation=Allocation.ONCE))
    assert balances["a"].given == balances["b"].received == balances["c"].received == MILLION // 2


@dpdk.needs_real_data
def test_golden_numbers() -> None:
    question = replace(EVERYTHING, to_day=date_to_day(date(2026, 1, 1)), half_life_days=365)
    rows = compute_balances(view_dpdk(), question).rows
    [intel] = [row for row in rows if row.organization_id == "intel.com"]
    assert intel.given is not None
    assert intel.received is not None
    assert intel.given / MILLION == pytest.approx(369.0623, abs=1e-4)
    assert intel.received / MILLION == pytest.approx(300.3326, abs=1e-4)
    assert sum(row.given or 0 for row in rows) / MILLION == pytest.approx(1919.6125, abs=1e-4)
