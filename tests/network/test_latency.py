"""Reciprocation time from columns: which turns there are, where they end, and what is absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn as Draw

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT, OCCUR_PRECISION_QUARTER
from services.adapters.wire.question import to_question
from services.ledger.enums import Allocation, Identity
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.periods import Period
from services.ledger.question import Question
from services.ledger.times import DAY, date_to_day
from services.measures.reciprocation_time import HORIZONS
from services.network.identity_view import IdentityView
from services.network.latency import (
    LatencyRow,
    compute_latency,
    find_member_turns,
    find_observation_end,
)
from services.network.member_flows import find_members
from tests.network.column_history import advance_by_slabs
from tests.oracle import fold, latency
from tests.oracle.selection import Selection
from tests.reports import report
from tests.strategies import PROGRAMME, as_date, event_id, histories, questions

QUESTION = Question(programme_id=PROGRAMME)
START = date(2024, 1, 1)
NAMES = ("alder", "birch", "Alder Trust")
DAYS = (START, date(2024, 2, 1), date(2024, 2, 2), date(2024, 5, 1))


@st.composite
def dense_histories(draw: Draw) -> list[Event]:
    """Many exchanges of three organizations on few days, with closures and corrections."""
    return [_draw_fact(draw, number) for number in range(draw(st.integers(4, 14)))]


def windows() -> st.SearchStrategy[pb.Question]:
    """Questions about all organizations, whether they are registered or not."""
    return st.builds(
        pb.Question,
        programme_id=st.just(PROGRAMME),
        population=st.just(pb.POPULATION_ACTIVE),
        to_date=st.none() | st.sampled_from((*DAYS[1:], date(2025, 1, 1))).map(as_date),
    )


def _draw_fact(draw: Draw, number: int) -> Event:
    giver, receiver, third = draw(st.permutations(NAMES))
    match draw(st.integers(0, 11)):
        case 0 | 1:
            return register(number, giver, draw(st.sampled_from((None, *DAYS[1:]))))
        case 2:
            event = Event(event_id=event_id(number), programme_id=PROGRAMME)
            event.alias_added.alias, event.alias_added.organization_id = "Alder Trust", "alder"
            return event
    givers = giver if draw(st.integers(0, 3)) else f"{giver};{third}"
    event = report(number, givers, receiver, day=draw(st.sampled_from(DAYS)))
    if number and draw(st.integers(0, 4)) == 0:
        content = event.exchange_recorded.exchange
        event.exchange_corrected.exchange_id = event_id(draw(st.integers(0, number - 1)))
        event.exchange_corrected.exchange.CopyFrom(content)
    return event


def make_view(events: list[Event]) -> IdentityView:
    *_, (columns, _) = advance_by_slabs(events, [])
    return IdentityView(columns, Identity.AS_NOW)


def measure(events: list[Event], question: Question = QUESTION) -> LatencyRow:
    [row] = compute_latency(make_view(events), question).rows
    return row


def give(number: int, giver: str, receiver: str, after_days: int) -> Event:
    return report(number, giver, receiver, day=START + timedelta(days=after_days))


def take_turns(count: int) -> list[Event]:
    """Two organizations give to each other, a day after the other one did."""
    sides = ("alder", "birch"), ("birch", "alder")
    return [give(number, *sides[number % 2], after_days=number) for number in range(count)]


def register(number: int, organization_id: str, close: date | None = None) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    organization = event.organization_registered.organization
    organization.organization_id = organization_id
    if close is not None:
        organization.close_date.CopyFrom(as_date(close))
    return event


def list_turns(view: IdentityView, question: Question) -> Iterator[latency.OracleTurn]:
    """The turns out of columns, in the form of the oracle."""
    mask = view.select_exchanges(question)
    members = find_members(view, question, mask)
    ids = view.index.ids[members.numbers].tolist()
    turns = find_member_turns(view, members, mask, find_observation_end(view, question))
    for pair, start, days, is_answered in zip(*(each.tolist() for each in turns), strict=True):
        low, high = divmod(pair, len(ids))
        length = round(days * DAY)
        yield latency.OracleTurn((ids[low], ids[high]), start, length, is_answered)


class TestTurns:
    @settings(max_examples=100, deadline=None)
    @given(st.one_of(histories(exchanges=8), dense_histories()), windows() | questions())
    def test_equal_the_turns_of_the_oracle(self, events: list[Event], asked: pb.Question) -> None:
        asked.allocation = pb.ALLOCATION_SPLIT
        question = to_question(asked, today=0)
        *_, (_, views) = advance_by_slabs(events, [len(events) // 2])
        view = views[question.identity]
        expected = latency.list_turns(Selection(fold.fold(events), asked))
        assert sorted(list_turns(view, question)) == sorted(expected)
        [row] = compute_latency(view, question).rows
        counts = row.pair_count, row.turn_count, row.answered_count
        assert counts == (
            len({each.pair for each in expected}),
            len(expected),
            sum(each.is_answered for each in expected),
        )
        if row.time is None:
            assert len(expected) < 5
            return
        for days, unanswered in zip(HORIZONS, row.time.survival.unanswered, strict=True):
            if unanswered is not None:
                assert unanswered == pytest.approx(latency.survive(expected, days), abs=1e-12)
        median = row.time.survival.median
        lengths = sorted(each.length / DAY for each in expected)
        halves = [each for each in lengths if latency.survive(expected, each + 1e-9) <= 0.5 + 1e-12]
        assert median == (halves[0] if halves else None)

    def test_open_with_a_run_and_end_with_the_other_side(self) -> None:
        events = [
            give(0, "alder", "birch", 0),
            give(1, "alder", "birch", 3),
            give(2, "birch", "alder", 10),
            give(3, "birch", "alder", 50),
        ]
        assert [(each.length // DAY, each.is_answered) for each in turns_of(events)] == [
            (10, True),
            (40, False),
        ]

    def test_log_decides_between_equal_instants_also_after_a_correction(self) -> None:
        events = [
            give(0, "alder", "birch", 5),
            give(1, "birch", "alder", 5),
            give(2, "alder", "birch", 5),
        ]
        correction = give(3, "alder", "birch", 5)
        content = correction.exchange_recorded.exchange
        correction.exchange_corrected.exchange_id = event_id(0)
        correction.exchange_corrected.exchange.CopyFrom(content)
        for log in (events, [*events, correction]):
            assert [each.is_answered for each in turns_of(log)] == [False, True, True]

    def test_use_the_instant_and_not_the_day(self) -> None:
        events = [give(0, "alder", "birch", 0), give(1, "birch", "alder", 0)]
        for event, hour in zip(events, (18, 6), strict=True):
            event.occur_precision = OCCUR_PRECISION_EXACT
            event.occur_time.FromDatetime(datetime(2024, 1, 1, hour, tzinfo=UTC))
        [answered] = [each for each in turns_of(events) if each.is_answered]
        assert answered.length == DAY // 2

    def test_quarter_counts_at_its_first_instant(self) -> None:
        events = [give(0, "alder", "birch", 0), give(1, "birch", "alder", 91)]
        events[1].occur_precision = OCCUR_PRECISION_QUARTER
        assert turns_of(events)[0].length == 91 * DAY

    def test_exchange_of_several_counts_in_each_of_their_pairs(self) -> None:
        events = [report(0, "alder;birch", "cedar"), report(1, "cedar", "alder;birch")]
        row = measure(events)
        assert (row.pair_count, row.turn_count, row.answered_count) == (2, 4, 2)

    def test_joint_exchanges_are_in_no_turn(self) -> None:
        events = [give(0, "alder", "birch", 0), report(1, "alder;birch", day=date(2024, 2, 1))]
        [turn] = turns_of(events)
        assert (turn.is_answered, turn.length // DAY) == (False, 31)


class TestEndOfObservation:
    EVENTS = (give(0, "alder", "birch", 0), give(1, "cedar", "birch", 100))

    def test_is_the_last_exchange_of_the_programme(self) -> None:
        assert turns_of(list(self.EVENTS))[0].length == 100 * DAY

    @pytest.mark.parametrize(("to", "days"), [(date(2024, 1, 31), 30), (date(2030, 1, 1), 100)])
    def test_is_the_end_of_the_window_if_that_is_earlier(self, to: date, days: int) -> None:
        question = replace(QUESTION, to_day=date_to_day(to))
        assert turns_of(list(self.EVENTS), question)[0].length == days * DAY

    def test_is_the_closure_of_an_organization(self) -> None:
        closure = date(2024, 1, 21)
        events = [
            *self.EVENTS,
            give(2, "birch", "alder", 90),
            register(3, "alder", closure),
            *(register(4 + place, name) for place, name in enumerate(("birch", "cedar"))),
        ]
        first, *_ = turns_of(events)
        assert (first.pair, first.length, first.is_answered) == (
            ("alder", "birch"),
            20 * DAY,
            False,
        )


class TestSeries:
    def test_turns_belong_to_the_period_in_which_they_open(self) -> None:
        events = [
            give(0, "alder", "birch", 350),
            give(1, "birch", "alder", 380),
            give(2, "alder", "birch", 400),
        ]
        answer = compute_latency(make_view(events), QUESTION, period=Period.YEAR)
        assert [(row.turn_count, row.answered_count) for row in answer.rows] == [(1, 1), (2, 1)]
        assert {row.end for row in answer.rows} == {(date_to_day(START) + 400) * DAY}

    def test_leaves_out_what_is_known_less_exactly(self) -> None:
        events = [give(0, "alder", "birch", 0), give(1, "birch", "alder", 0)]
        events[1].occur_precision = OCCUR_PRECISION_QUARTER
        answer = compute_latency(make_view(events), QUESTION, period=Period.MONTH)
        assert (answer.unplaced_count, answer.rows[0].turn_count) == (1, 1)


class TestAbsentMeasures:
    def test_few_turns_have_counts_only(self) -> None:
        row = measure(take_turns(4))
        assert (row.turn_count, row.time, row.reasons) == (4, None, ("TOO_FEW",))
        assert row.censored_count == 1

    def test_few_pairs_have_no_intervals(self) -> None:
        row = measure(take_turns(6))
        assert row.reasons == ("TOO_FEW_PAIRS",)
        assert row.time is not None
        assert row.time.survival.median == 1
        assert row.time.median_interval == (None, None)

    def test_unanswered_turns_have_no_median(self) -> None:
        names = [f"o{place}" for place in range(8)]
        events = [give(place, "hub", name, 0) for place, name in enumerate(names)]
        row = measure([*events, give(8, "x", "y", 400)])
        assert row.reasons == ("NOT_REACHED",)
        assert row.time is not None
        assert row.time.survival.unanswered == (1.0, 1.0, 1.0)

    def test_horizons_beyond_the_longest_turn_have_no_share(self) -> None:
        names = [f"o{place}" for place in range(8)]
        events = [give(place, "hub", name, 0) for place, name in enumerate(names)]
        row = measure([*events, give(8, "x", "y", 40)])
        assert row.reasons == ("NOT_REACHED", "NOT_OBSERVED")
        assert row.time is not None
        assert row.time.survival.unanswered == (1.0, None, None)

    def test_nothing_recorded_is_an_answer(self) -> None:
        row = measure([])
        assert (row.turn_count, row.pair_count, row.end, row.time) == (0, 0, None, None)


class TestQuestion:
    @pytest.mark.parametrize("allocation", [Allocation.FULL, Allocation.ONCE])
    def test_allocations_that_do_not_add_up_are_refused(self, allocation: Allocation) -> None:
        with pytest.raises(ImpossibleQuestionError, match="ask for split"):
            measure([give(0, "alder", "birch", 0)], replace(QUESTION, allocation=allocation))

    def test_same_seed_gives_the_same_answer_in_any_order_of_the_log(self) -> None:
        names = [f"o{place}" for place in range(8)]
        events = [
            give(8 * step + place, names[place], names[(place + step) % 8], 7 * place + 40 * step)
            for step in (1, 7, 3, 5)
            for place in range(8)
        ]
        one, other = (
            [compute_latency(make_view(log), QUESTION, seed=seed).rows[0].time for seed in (1, 2)]
            for log in (events, events[::-1])
        )
        assert one == other
        assert one[0] != one[1]

    def test_checks_between_resamples_whether_anybody_waits(self) -> None:
        names = [f"o{place}" for place in range(6)]
        view = make_view([give(place, "hub", name, place) for place, name in enumerate(names)])
        calls: list[None] = []
        compute_latency(view, QUESTION, checkpoint=lambda: calls.append(None))
        assert len(calls) > 200


def turns_of(events: list[Event], question: Question = QUESTION) -> list[latency.OracleTurn]:
    return sorted(list_turns(make_view(events), question))
