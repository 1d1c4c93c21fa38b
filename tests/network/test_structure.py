"""Structure from columns: against the reference answers, and on data that is thin or odd."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import networkx as nx
import pytest
from hypothesis import given, settings

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Identity
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.question import TOPICS_OVERLAP, Question
from services.ledger.state import Ledger
from services.ledger.times import Day, date_to_day, month_of
from services.network import topic_parts
from services.network.identity_view import IdentityView
from services.network.structure import (
    NO_WINDOW_START,
    LossRow,
    StructureRow,
    compute_structure,
    compute_what_if,
    select_rows,
)
from tests import dpdk
from tests.ledger.folded_ledger import fold_events
from tests.network.column_history import advance_by_slabs
from tests.network.test_concentration import make_alias, make_registration
from tests.network.test_real_data import EVERYTHING, select_year, view_dpdk
from tests.reports import report
from tests.strategies import PROGRAMME, histories, questions

QUESTION = Question(programme_id=PROGRAMME)
MARCH = date_to_day(date(2024, 3, 1))
rich_histories = histories(exchanges=6, max_facts=14)


def make_view(events: list[Event], identity: Identity = Identity.AS_NOW) -> IdentityView:
    *_, (columns, _) = advance_by_slabs(events, [])
    return IdentityView(columns, identity)


def measure(events: list[Event], question: Question = QUESTION) -> StructureRow:
    [row] = compute_structure(make_view(events), question).rows
    return row


def give(number: int, giver: str, receiver: str, *topics: str, day: date) -> Event:
    event = report(number, giver, receiver, day=day)
    event.exchange_recorded.exchange.topics.extend(topics)
    return event


def make_network(ledger: Ledger, question: Question) -> nx.DiGraph:
    """The ties of the population, from the reference answers."""
    exchanges = list(reference_answers.select_exchanges(ledger, question))
    network = nx.DiGraph()
    network.add_nodes_from(reference_answers.find_population(ledger, question, exchanges))
    for edge in reference_answers.compute_network(ledger, question).rows:
        if edge.giver_id in network and edge.receiver_id in network:
            network.add_edge(edge.giver_id, edge.receiver_id, weight=edge.weight)
    return network


def find_days(ledger: Ledger, question: Question) -> dict[str, list[Day]]:
    """The days of each party's exchanges, from the reference answers."""
    days: dict[str, list[Day]] = {}
    for exchange in reference_answers.select_exchanges(ledger, question):
        for party in exchange.parties:
            days.setdefault(party, []).append(exchange.day)
    return days


class TestStructure:
    @settings(max_examples=50, deadline=None)
    @given(rich_histories, questions())
    def test_equals_the_reference_network(self, events: list[Event], asked: pb.Question) -> None:
        question = replace(to_question(asked, today=0), organization_ids=())
        question = replace(question, allocation=Allocation.SPLIT)
        view, ledger = make_view(events, question.identity), fold_events(events).ledger
        [row] = compute_structure(view, question).rows
        network = make_network(ledger, question)
        assert row.organization_count == len(network)
        assert row.tie_count == network.number_of_edges()
        assert [*row.triads.items()] == [*nx.triadic_census(network).items()]
        assert row.components.weak_count == nx.number_weakly_connected_components(network)
        assert row.components.strong_count == nx.number_strongly_connected_components(network)
        only_source = {
            receiver: next(network.predecessors(receiver))
            for receiver, count in network.in_degree
            if count == 1
        }
        assert [
            (each.organization_id, each.fan_out, each.source_count, each.sole_receiver_count)
            for each in row.reaches
        ] == [
            (
                name,
                network.out_degree(name),
                network.in_degree(name),
                list(only_source.values()).count(name),
            )
            for name in sorted(network)
            if network.degree(name)
        ]
        assert {
            each.organization_id: each.only_source_id
            for each in row.reaches
            if each.only_source_id is not None
        } == only_source
        balances = reference_answers.compute_balances(ledger, question).rows
        assert row.isolates == tuple(each.organization_id for each in balances if each.isolate)

    @settings(max_examples=50, deadline=None)
    @given(rich_histories, questions())
    def test_movement_equals_that_of_reference_exchanges(
        self, events: list[Event], asked: pb.Question
    ) -> None:
        question = replace(to_question(asked, today=0), allocation=Allocation.SPLIT)
        view, ledger = make_view(events, question.identity), fold_events(events).ledger
        [row] = compute_structure(view, question).rows
        if question.from_day is None:
            assert (row.movement, row.reasons) == (None, (NO_WINDOW_START,))
            return
        assert row.movement is not None
        earlier = replace(question, from_day=None, to_day=question.from_day)
        before, during = (find_days(ledger, each) for each in (earlier, question))
        everything = replace(question, from_day=None)
        counted = list(reference_answers.select_exchanges(ledger, everything))
        population = reference_answers.find_population(ledger, question, counted)
        assert row.movement.newcomers == {
            name: min(days)
            for name, days in sorted(during.items())
            if name not in before and name in population
        }
        assert row.movement.stopped == {
            name: max(days)
            for name, days in sorted(before.items())
            if name not in during and name in population
        }

    @settings(max_examples=30, deadline=None)
    @given(rich_histories, questions())
    def test_of_a_topic_is_that_of_the_same_question_about_it(
        self, events: list[Event], asked: pb.Question
    ) -> None:
        question = replace(to_question(asked, today=0), allocation=Allocation.SPLIT)
        view = make_view(events, question.identity)
        whole, *topics = compute_structure(view, question, by_topic=True).rows
        assert [whole] == list(compute_structure(view, question).rows)
        for row in topics:
            [alone] = compute_structure(view, replace(question, topics=(row.topic,))).rows
            assert replace(alone, topic=row.topic) == row

    def test_of_nothing(self) -> None:
        row = measure([])
        assert (row.organization_count, row.tie_count, row.reaches) == (0, 0, ())
        assert row.components == (0, 0, 0, 0)
        assert set(row.triads.values()) == {0}

    def test_of_one_organization(self) -> None:
        row = measure([make_registration(0, "alder")])
        assert (row.organization_count, row.isolates) == (1, ("alder",))
        assert row.components == (1, 1, 1, 1)

    def test_of_an_empty_window_lists_all_who_stopped(self) -> None:
        events = [report(0, "alder", "birch"), report(1, "cedar;dogwood")]
        row = measure(events, replace(QUESTION, from_day=MARCH + 100))
        assert row.movement is not None
        assert row.movement.newcomers == {}
        assert [*row.movement.stopped] == ["alder", "birch", "cedar", "dogwood"]

    def test_repeated_exchanges_are_one_tie(self) -> None:
        """N11: exported as parallel ties, igraph would count a mutual pair."""
        row = measure([report(number, "alder", "birch") for number in range(2)])
        assert row.tie_count == 1
        network = [*(report(number, "alder", "birch") for number in range(2)), report(2, "x;y")]
        assert {name for name, count in measure(network).triads.items() if count} == {"003", "012"}

    def test_two_spellings_are_one_source(self) -> None:
        events = [
            report(0, "alder", "cedar"),
            report(1, "Alder Trust", "cedar"),
            make_alias(2, "Alder Trust", "alder"),
        ]
        assert [each.only_source_id for each in measure(events).reaches] == [None, "alder"]

    def test_topics_that_overlap_are_announced(self) -> None:
        view = make_view([give(0, "alder", "birch", "a", "b", day=date(2024, 3, 1))])
        assert TOPICS_OVERLAP in compute_structure(view, QUESTION, by_topic=True).warnings
        assert TOPICS_OVERLAP not in compute_structure(view, QUESTION).warnings

    def test_too_many_topics_are_refused(self) -> None:
        count = topic_parts.MAX_TOPICS + 1
        names = [f"topic-{number}" for number in range(count)]
        events = [
            give(number, "alder", "birch", *names[number::40], day=date(2024, 3, 1))
            for number in range(40)
        ]
        with pytest.raises(ImpossibleQuestionError, match="name the topics"):
            compute_structure(make_view(events), QUESTION, by_topic=True)

    def test_requested_organizations_select_entries_and_change_no_count(self) -> None:
        events = [
            report(0, "alder", "birch"),
            report(1, "alder", "cedar"),
            report(2, "cedar", "dogwood"),
        ]
        view, question = make_view(events), replace(QUESTION, organization_ids=("cedar",))
        [row] = compute_structure(view, question).rows
        [whole] = compute_structure(view, QUESTION).rows
        assert row == whole
        listed = select_rows(view, question, row)
        assert [each.organization_id for each in listed.reaches] == ["cedar", "dogwood"]
        assert select_rows(view, QUESTION, row) is row


class TestConfirmedIsolates:
    YEAR_2024 = date_to_day(date(2024, 1, 1)), date_to_day(date(2025, 1, 1))
    JANUARY = month_of(YEAR_2024[0])

    def find(self, months: range, question: Question, *events: Event) -> tuple[str, ...]:
        """The confirmed isolates when alder had nothing to report for these months."""
        reports = [("alder", month) for month in months]
        view = make_view([make_registration(0, "alder"), make_registration(1, "birch"), *events])
        [row] = compute_structure(view, question, reports_of_nothing=reports).rows
        assert {*row.confirmed_isolates} <= {*row.isolates}
        return row.confirmed_isolates

    def ask(self, *, as_of: date = date(2026, 1, 1)) -> Question:
        first, end = self.YEAR_2024
        return replace(QUESTION, from_day=first, to_day=end, as_of_day=date_to_day(as_of))

    def test_reported_every_month(self) -> None:
        january = self.JANUARY
        assert self.find(range(january, january + 12), self.ask()) == ("alder",)
        assert self.find(range(january, january + 11), self.ask()) == ()

    def test_months_that_are_not_over_need_no_report(self) -> None:
        january = self.JANUARY
        question = self.ask(as_of=date(2024, 5, 20))
        assert self.find(range(january, january + 4), question) == ("alder",)
        assert self.find(range(january, january + 3), question) == ()
        assert self.find(range(january, january + 12), self.ask(as_of=date(2024, 1, 20))) == ()

    def test_months_before_an_organization_opened_need_no_report(self) -> None:
        opened = make_registration(2, "alder")
        organization = opened.organization_registered.organization
        organization.open_date.year, organization.open_date.month = 2024, 11
        organization.open_date.day = 1
        question, january = self.ask(), self.JANUARY
        view = make_view([opened])
        reports = [("alder", january + 10), ("alder", january + 11)]
        [row] = compute_structure(view, question, reports_of_nothing=reports).rows
        assert row.confirmed_isolates == ("alder",)

    def test_without_a_start_the_first_exchange_is_the_start(self) -> None:
        question = replace(self.ask(), from_day=None)
        first = report(5, "cedar", "dogwood", day=date(2024, 10, 5))
        january = self.JANUARY
        assert self.find(range(january + 9, january + 12), question, first) == ("alder",)
        assert self.find(range(january + 10, january + 12), question, first) == ()
        assert self.find(range(january, january + 12), question) == ()

    def test_organization_with_an_exchange_is_no_isolate(self) -> None:
        events = [report(5, "alder", "cedar", day=date(2024, 10, 5))]
        assert self.find(range(self.JANUARY, self.JANUARY + 12), self.ask(), *events) == ()


class TestWhatIf:
    @settings(max_examples=40, deadline=None)
    @given(rich_histories, questions())
    def test_equals_the_reference_network_without_it(
        self, events: list[Event], asked: pb.Question
    ) -> None:
        question = replace(to_question(asked, today=0), organization_ids=())
        question = replace(question, allocation=Allocation.SPLIT)
        view, ledger = make_view(events, question.identity), fold_events(events).ledger
        network = make_network(ledger, question)
        for name in network:
            [row] = compute_what_if(view, question, name).rows
            assert row.loss.given == network.out_degree(name, weight="weight")
            assert row.loss.received == network.in_degree(name, weight="weight")
            assert row.total == network.size(weight="weight")
            assert row.receivers_without_source == tuple(
                each for each in sorted(network) if list(network.predecessors(each)) == [name]
            )
            rest = network.subgraph(set(network) - {name})
            weak_count = nx.number_weakly_connected_components(rest)
            assert row.loss.components_without.weak_count == weak_count

    def test_by_topic_has_the_topics_of_the_organization(self) -> None:
        days = [date(2024, 3, 1)] * 3
        view = make_view(
            [
                give(0, "alder", "birch", "a", day=days[0]),
                give(1, "cedar", "birch", "a", day=days[1]),
                give(2, "cedar", "birch", "b", day=days[2]),
            ]
        )
        rows = compute_what_if(view, QUESTION, "alder", by_topic=True).rows
        assert [row.topic for row in rows] == ["", "a"]
        rows = compute_what_if(view, QUESTION, "cedar", by_topic=True).rows
        assert [(row.topic, row.receivers_without_source) for row in rows] == [
            ("", ()),
            ("a", ()),
            ("b", ("birch",)),
        ]

    def test_organization_outside_the_population_is_taken_into_it(self) -> None:
        events = [make_registration(0, "alder"), report(1, "vendor", "alder")]
        view = make_view(events)
        [row] = compute_what_if(view, QUESTION, "vendor").rows
        assert (row.loss.given, row.total, row.receivers_without_source) == (
            MILLION,
            MILLION,
            ("alder",),
        )
        assert compute_structure(view, QUESTION).rows[0].tie_count == 0

    def test_without_flow_has_no_share(self) -> None:
        [row] = compute_what_if(make_view([make_registration(0, "alder")]), QUESTION, "alder").rows
        assert (row.share, row.reasons) == (None, ("NO_KNOWN_AMOUNT",))
        assert row.loss.components_without == (0, 0, 0, 0)

    @pytest.mark.parametrize("allocation", [Allocation.FULL, Allocation.ONCE])
    def test_allocations_that_do_not_add_up_are_refused(self, allocation: Allocation) -> None:
        view = make_view([report(0, "alder", "birch")])
        with pytest.raises(ImpossibleQuestionError, match="ask for split"):
            compute_what_if(view, replace(QUESTION, allocation=allocation), "alder")


@dpdk.needs_real_data
class TestOfDpdk:
    def test_newcomers_by_year(self) -> None:
        counts = []
        for year in range(2013, 2027):
            [row] = compute_structure(view_dpdk(), select_year(year)).rows
            assert row.movement is not None
            counts.append(len(row.movement.newcomers))
        assert counts == [10, 36, 42, 40, 26, 28, 21, 32, 19, 23, 13, 11, 9, 11]

    @pytest.mark.parametrize(
        ("question", "receiver_count", "sources"),
        [
            (EVERYTHING, 272, {"intel.com": 62}),
            (select_year(2023), 50, {"intel.com": 9, "marvell.com": 2}),
        ],
    )
    def test_sole_sources(
        self, question: Question, receiver_count: int, sources: dict[str, int]
    ) -> None:
        [row] = compute_structure(view_dpdk(), question).rows
        receivers = {each.organization_id: each.sole_receiver_count for each in row.reaches}
        assert sum(each.source_count > 0 for each in row.reaches) == receiver_count
        assert {name: receivers[name] for name in sources} == sources

    def test_triads_of_2023(self) -> None:
        [row] = compute_structure(view_dpdk(), select_year(2023)).rows
        assert list(row.triads.values()) == [
            *(36064, 5380, 2324, 250, 182, 281, 370, 464),
            *(24, 0, 101, 83, 24, 26, 86, 101),
        ]

    def test_without_intel(self) -> None:
        [row] = compute_what_if(view_dpdk(), EVERYTHING, "intel.com").rows
        assert isinstance(row, LossRow)
        assert (row.loss.given, row.loss.received) == (5_934 * MILLION, 4_751 * MILLION)
        assert (row.fan_out, row.source_count) == (201, 102)
        assert len(row.receivers_without_source) == 62
        assert row.share == pytest.approx(10_685 / 20_850)
