"""Reciprocity from columns: the flow that is measured, subsets, series, and no verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import OCCUR_PRECISION_QUARTER
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Identity, Lens
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.periods import MAX_PERIODS, Period, Span, split_into_periods
from services.ledger.question import Question
from services.ledger.times import date_to_day
from services.network.identity_view import IdentityView
from services.network.member_flows import MemberFlows, find_blocks
from services.network.reciprocity import NO_VERDICT, ReciprocityRow, compute_reciprocity
from services.network.series import SeriesAnswer
from tests.ledger.folded_ledger import fold_events
from tests.network.column_history import advance_by_slabs
from tests.reports import report
from tests.strategies import PROGRAMME, event_id, histories, questions

QUESTION = Question(programme_id=PROGRAMME)
rich_histories = histories(exchanges=6, max_facts=14)


def make_view(events: list[Event]) -> IdentityView:
    *_, (columns, _) = advance_by_slabs(events, [])
    return IdentityView(columns, Identity.AS_NOW)


def make_region(number: int, organization_id: str, region: str) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    organization = event.organization_registered.organization
    organization.organization_id, organization.region = organization_id, region
    return event


def measure(events: list[Event], question: Question = QUESTION) -> SeriesAnswer[ReciprocityRow]:
    return compute_reciprocity(make_view(events), question)


class TestMemberFlows:
    @settings(max_examples=40, deadline=None)
    @given(rich_histories, questions())
    def test_equals_the_reference_network_of_the_population(
        self, events: list[Event], asked: pb.Question
    ) -> None:
        question = replace(to_question(asked, today=0), organization_ids=())
        if question.allocation is not Allocation.SPLIT:
            return
        *_, (columns, _) = advance_by_slabs(events, [])
        view = IdentityView(columns, question.identity)
        mask = view.select_exchanges(question)
        flows = MemberFlows.of(view, question, mask)
        ledger = fold_events(events).ledger
        exchanges = list(reference_answers.select_exchanges(ledger, question))
        members = reference_answers.find_population(ledger, question, exchanges)
        network = reference_answers.compute_network(ledger, question)
        assert flows.ids == tuple(sorted(members))
        edges = {
            (flows.ids[giver], flows.ids[receiver]): weight
            for giver, receiver, weight in zip(
                *(
                    each.tolist()
                    for each in (flows.graph.giver, flows.graph.receiver, flows.graph.weight)
                ),
                strict=True,
            )
        }
        assert edges == {
            (edge.giver_id, edge.receiver_id): edge.weight
            for edge in network.rows
            if edge.giver_id in members and edge.receiver_id in members
        }
        spill = [
            edge.weight
            for edge in network.rows
            if edge.giver_id in members and edge.receiver_id not in members
        ]
        assert flows.spill_given == sum(spill)
        blocks, count = find_blocks(view, question, mask, flows)
        assert blocks.weight.sum() == flows.graph.total
        assert count <= len(exchanges)

    @pytest.mark.parametrize("allocation", [Allocation.FULL, Allocation.ONCE])
    def test_allocations_that_do_not_add_up_are_refused(self, allocation: Allocation) -> None:
        with pytest.raises(ImpossibleQuestionError, match="ask for split"):
            measure([report(0, "alder", "birch")], replace(QUESTION, allocation=allocation))


class TestSubset:
    def test_has_the_flow_among_its_organizations(self) -> None:
        events = [
            *(make_region(number, name, "North") for number, name in enumerate(("alder", "birch"))),
            make_region(2, "cedar", "South"),
            report(3, "alder", "birch"),
            report(4, "birch", "alder"),
            report(5, "alder", "cedar"),
            report(6, "cedar", "birch"),
        ]
        [row] = measure(events, replace(QUESTION, where=(("region", "North"),))).rows
        assert row.flows.ids == ("alder", "birch")
        assert row.flows.graph.total == 2 * MILLION
        assert (row.flows.spill_given, row.flows.spill_received) == (MILLION, MILLION)
        assert row.exchange_count == 2

    def test_values_of_an_attribute_are_alternatives_and_attributes_all_apply(self) -> None:
        events = [
            make_region(0, "alder", "North"),
            make_region(1, "birch", "South"),
            make_region(2, "cedar", "East"),
        ]
        both = replace(QUESTION, where=(("region", "North"), ("region", "South")))
        assert measure(events, both).rows[0].flows.ids == ("alder", "birch")
        none = replace(QUESTION, where=(("region", "North"), ("sector", "acute")))
        assert measure(events, none).rows[0].flows.ids == ()


class TestSeries:
    def test_has_a_row_for_each_calendar_year(self) -> None:
        events = [
            report(number, "alder", "birch", day=date(year, 5, 1))
            for number, year in enumerate((2022, 2024, 2024))
        ]
        answer = compute_reciprocity(make_view(events), QUESTION, period=Period.YEAR)
        years = [(row.span.first, row.exchange_count) for row in answer.rows if row.span]
        assert years == [
            (date_to_day(date(2022, 5, 1)), 1),
            (date_to_day(date(2023, 1, 1)), 0),
            (date_to_day(date(2024, 1, 1)), 2),
        ]

    def test_leaves_out_what_is_known_less_exactly(self) -> None:
        events = [report(number, "alder", "birch", day=date(2024, 1, 1)) for number in range(2)]
        events[1].occur_precision = OCCUR_PRECISION_QUARTER
        view = make_view(events)
        by_month = compute_reciprocity(view, QUESTION, period=Period.MONTH)
        assert (by_month.unplaced_count, by_month.rows[0].exchange_count) == (1, 1)
        by_quarter = compute_reciprocity(view, QUESTION, period=Period.QUARTER)
        assert (by_quarter.unplaced_count, by_quarter.rows[0].exchange_count) == (0, 2)

    def test_of_nothing_has_no_rows(self) -> None:
        assert compute_reciprocity(make_view([]), QUESTION, period=Period.MONTH).rows == []

    def test_with_too_many_parts_is_refused(self) -> None:
        question = replace(QUESTION, from_day=0, to_day=40 * MAX_PERIODS)
        view = make_view([report(0, "alder", "birch")])
        with pytest.raises(ImpossibleQuestionError, match="longer periods"):
            compute_reciprocity(view, question, period=Period.MONTH)

    def test_periods_cover_a_span_without_overlap(self) -> None:
        span = Span(date_to_day(date(2023, 11, 15)), date_to_day(date(2024, 3, 2)))
        parts = list(split_into_periods(span, Period.QUARTER))
        assert [part.first for part in parts[1:]] == [part.end for part in parts[:-1]]
        assert (parts[0].first, parts[-1].end) == span
        assert len(parts) == 2


class TestVerdict:
    def test_is_absent_for_few_exchanges_and_organizations(self) -> None:
        answer = measure([report(0, "alder", "birch"), report(1, "birch", "alder")])
        [row] = answer.rows
        assert row.measures.verdict is None
        assert row.measures.reasons == ("TOO_FEW_ORGANIZATIONS", "TOO_FEW_EXCHANGES")
        assert NO_VERDICT in answer.warnings
        assert row.measures.weights is not None
        assert row.measures.weights.reciprocity == 1

    def test_is_absent_where_many_minutes_are_unknown(self) -> None:
        events = make_ring(8, rounds=10)
        for event in events[::2]:
            event.exchange_recorded.exchange.giver_minutes = 10
        answer = measure(events, replace(QUESTION, lens=Lens.BURDEN))
        assert answer.rows[0].measures.reasons[0] == "MANY_UNKNOWN"
        assert answer.rows[0].measures.verdict is None

    def test_of_a_ring_that_returns_nothing_is_not_above_chance(self) -> None:
        [row] = measure(make_ring(8, rounds=10)).rows
        assert row.measures.weights is not None
        assert row.measures.weights.reciprocity == 0
        assert row.measures.split is not None
        assert row.measures.split.circulating == 1
        assert row.measures.verdict is not None

    def test_does_not_depend_on_the_order_of_the_log(self) -> None:
        """Nor do the draws: stores may number organizations and pairs differently."""
        events = [
            *make_ring(8, rounds=6),
            *(report(900 + n, "trust-3", "trust-1") for n in range(5)),
        ]
        one, other = (
            compute_reciprocity(make_view(each), QUESTION, seed=3).rows[0]
            for each in (events, events[::-1])
        )
        assert one.measures == other.measures

    def test_same_seed_gives_the_same_answer(self) -> None:
        view = make_view(make_ring(8, rounds=10))
        one, same, other = (
            compute_reciprocity(view, QUESTION, seed=seed).rows[0].measures for seed in (1, 1, 2)
        )
        assert one == same
        assert one.spread != other.spread


def make_ring(size: int, *, rounds: int) -> list[Event]:
    """Each organization gives to the next one, every day."""
    names = [f"trust-{place}" for place in range(size)]
    return [
        report(
            day * size + place,
            names[place],
            names[(place + 1) % size],
            day=date.fromordinal(date(2024, 1, 1).toordinal() + day),
        )
        for day in range(rounds)
        for place in range(size)
    ]


def test_nothing_recorded_is_an_answer() -> None:
    [row] = measure([]).rows
    assert (row.flows.graph.size, row.exchange_count) == (0, 0)
    assert row.measures.weights is None
    assert np.all(row.flows.graph.weight == 0)
