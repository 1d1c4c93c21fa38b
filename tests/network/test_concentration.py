"""Concentration: its minimum of exchanges, unknown minutes, and flow out of the population."""

from __future__ import annotations

import pytest

from mutua.v1.event_pb2 import Event
from services.ledger import concentration as obvious
from services.ledger.allocation import MILLION
from services.ledger.concentration import Concentration
from services.ledger.enums import Allocation, Identity, Lens
from services.ledger.question import Answer, Question
from services.network import concentration
from services.network.identity_view import IdentityView
from tests.ledger.folded_ledger import fold_events
from tests.network.column_history import advance_by_slabs
from tests.reports import report
from tests.strategies import PROGRAMME, event_id

QUESTION = Question(programme_id=PROGRAMME)
BURDEN = Question(programme_id=PROGRAMME, lens=Lens.BURDEN)


def compute_both_ways(events: list[Event], question: Question) -> Answer[Concentration]:
    """The answer of the columns, after asserting that the reference answer is equal."""
    *_, (columns, _) = advance_by_slabs(events, [])
    answer = concentration.compute_concentration(IdentityView(columns, Identity.AS_NOW), question)
    expected = obvious.compute_concentration(fold_events(events).ledger, question)
    assert (answer.rows, answer.coverage) == (expected.rows, expected.coverage)
    return answer


def make_calls(count: int, *, unknown_count: int = 0) -> list[Event]:
    """Calls from alder to birch, the first ones without minutes, the others with 10 each."""
    events = [report(number, "alder", "birch") for number in range(count)]
    for event in events[unknown_count:]:
        event.exchange_recorded.exchange.giver_minutes = 10
    return events


def make_alias(number: int, name: str, organization_id: str) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    event.alias_added.alias, event.alias_added.organization_id = name, organization_id
    return event


def make_registration(number: int, organization_id: str) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    event.organization_registered.organization.organization_id = organization_id
    return event


class TestMinimum:
    def test_five_directed_exchanges_are_enough(self) -> None:
        giving, receiving = compute_both_ways(make_calls(5), QUESTION).rows
        assert (giving.reasons, receiving.reasons) == ((), ())
        assert giving.gini == pytest.approx(0.5)

    def test_internal_and_joint_exchanges_do_not_count(self) -> None:
        events = [
            *make_calls(4),
            report(4, "alder", "Alder Trust"),
            report(5, "alder;birch"),
            make_alias(6, "Alder Trust", "alder"),
        ]
        answer = compute_both_ways(events, QUESTION)
        assert {row.reasons for row in answer.rows} == {("TOO_FEW_EXCHANGES",)}
        coverage = answer.coverage
        assert (coverage.exchange_count, coverage.joint_count, coverage.internal_count) == (6, 1, 1)


class TestManyUnknown:
    def test_a_fifth_without_minutes_is_measured(self) -> None:
        assert compute_both_ways(make_calls(5, unknown_count=1), BURDEN).rows[0].reasons == ()

    def test_more_than_a_fifth_leaves_only_the_total(self) -> None:
        answer = compute_both_ways(make_calls(6, unknown_count=2), BURDEN)
        assert answer.warnings == ("MANY_UNKNOWN",)
        for row in answer.rows:
            assert (row.reasons, row.total) == (("MANY_UNKNOWN",), 40 * MILLION)
            assert (row.gini, row.top_three_share, row.lorenz) == (None, None, ())


class TestSpillOver:
    EVENTS = (
        *(report(number, "alder", "birch") for number in range(3)),
        *(report(number, "alder", "elsewhere;birch") for number in (3, 4)),
        report(5, "elsewhere", "birch"),
        make_registration(6, "alder"),
        make_registration(7, "birch"),
    )

    def test_flow_across_the_edge_of_the_population_is_named(self) -> None:
        giving, receiving = compute_both_ways([*self.EVENTS], QUESTION).rows
        assert (giving.total, giving.spill_over) == (7 * MILLION, 2 * MILLION)
        assert (receiving.total, receiving.spill_over) == (6 * MILLION, 1 * MILLION)

    def test_without_edges_there_is_none(self) -> None:
        once = Question(programme_id=PROGRAMME, allocation=Allocation.ONCE)
        assert {row.spill_over for row in compute_both_ways([*self.EVENTS], once).rows} == {None}
