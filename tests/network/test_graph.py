"""The graph from columns: against the reference answers and networkx, and on data that is thin."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date

import networkx as nx
import pytest
from hypothesis import given, settings

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_VISIT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
)
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Kind, Population
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.question import Question
from services.ledger.state import Ledger
from services.ledger.times import Day, date_to_day, find_period
from services.network.graph import NO_CONTACT, NOT_A_MEMBER, NOT_ADDITIVE, Graph, compute_graph
from services.network.network import compute_network
from tests import dpdk
from tests.ledger.folded_ledger import fold_events
from tests.network.test_concentration import make_registration
from tests.network.test_real_data import EVERYTHING, view_dpdk
from tests.network.test_structure import MARCH, QUESTION, make_view, rich_histories
from tests.reports import report
from tests.strategies import questions


def find_days(ledger: Ledger, question: Question) -> dict[tuple[str, str], set[Day]]:
    """By tie, every day on which an exchange may have happened, from the reference answers."""
    events = {each.current.event_id: each.current for each in ledger.histories.values()}
    days = defaultdict[tuple[str, str], set[Day]](set)
    for exchange in reference_answers.select_exchanges(ledger, question):
        event = events[exchange.event_id].content_event
        first, end = find_period(event.occur_time or 0, event.occur_precision)
        for leg in exchange.legs:
            days[leg[:2]] |= {
                day for day in range(first, end) if question.to_day is None or day < question.to_day
            }
    return days


def register(number: int, organization_id: str, *, region: str = "") -> Event:
    event = make_registration(number, organization_id)
    event.organization_registered.organization.region = region
    return event


def ask(events: list[Event], question: Question = QUESTION, *, roles_by: str = "") -> Graph:
    return compute_graph(make_view(events), question, roles_by=roles_by)


class TestGraph:
    @settings(max_examples=25, deadline=None)
    @given(rich_histories, questions())
    def test_equals_the_network_and_the_reference_exchanges(
        self, events: list[Event], asked: pb.Question
    ) -> None:
        question = to_question(asked, today=0)
        if question.allocation is Allocation.ONCE:
            question = replace(question, allocation=Allocation.SPLIT)
        view, ledger = make_view(events, question.identity), fold_events(events).ledger
        graph, network = compute_graph(view, question), compute_network(view, question)
        assert [row.edge for row in graph.rows] == list(network.rows)
        assert [row.node for row in graph.nodes] == list(network.nodes)
        assert (graph.coverage, graph.warnings) == (network.coverage, network.warnings)
        days = find_days(ledger, question)
        for kind in {flow.kind for row in graph.rows for flow in row.kinds}:
            alone = compute_network(view, replace(question, kinds=(kind,))).rows
            assert [edge[:4] for edge in alone] == [
                (*row.edge[:2], flow.weight, flow.exchange_count)
                for row in graph.rows
                for flow in row.kinds
                if flow.kind is kind
            ]
        for row in graph.rows:
            assert sum(flow.weight for flow in row.kinds) == row.edge.weight
            assert sum(flow.exchange_count for flow in row.kinds) == row.edge.exchange_count
            spelled = [day for spell in row.spells for day in range(spell[0], spell[1] + 1)]
            assert spelled == sorted(days[row.giver_id, row.receiver_id])
            for earlier, later in zip(row.spells, row.spells[1:], strict=False):
                assert earlier.last_day + 1 < later.first_day

    def test_of_nothing(self) -> None:
        graph = ask([])
        assert (list(graph.rows), list(graph.nodes)) == ([], [])

    def test_empty_window_has_the_roster_and_no_edges(self) -> None:
        events = [register(0, "alder"), report(1, "alder", "birch")]
        graph = ask(events, replace(QUESTION, from_day=MARCH + 100))
        assert list(graph.rows) == []
        [node] = graph.nodes
        assert node.standing is not None
        assert (node.node.isolate, node.standing.constraint, node.standing.betweenness) == (
            True,
            None,
            0,
        )
        assert NO_CONTACT in node.reasons

    def test_where_leaves_ties_between_organizations_that_have_the_attributes(self) -> None:
        events = [
            register(0, "alder", region="North"),
            register(1, "birch", region="North"),
            register(2, "cedar", region="South"),
            report(3, "alder", "birch"),
            report(4, "birch", "cedar"),
        ]
        graph = ask(events, replace(QUESTION, where=(("region", "North"),)))
        assert [node.organization_id for node in graph.nodes] == ["alder", "birch"]
        assert [row.edge[:2] for row in graph.rows] == [("alder", "birch")]
        assert graph.nodes[1].node.given == MILLION  # to cedar

    def test_organizations_outside_the_population_have_no_measures(self) -> None:
        events = [register(0, "alder"), report(1, "alder", "elsewhere")]
        member, other = ask(events).nodes
        assert member.standing is not None
        assert (other.organization_id, other.standing) == ("elsewhere", None)
        assert other.reasons == (NOT_A_MEMBER,)

    def test_allocation_full_has_no_measures_of_amounts(self) -> None:
        full = replace(QUESTION, allocation=Allocation.FULL)
        graph = ask([report(0, "alder;birch", "cedar")], full, roles_by="region")
        assert [row.edge.weight for row in graph.rows] == [MILLION, MILLION]
        for node in graph.nodes:
            assert node.standing is not None
            assert node.standing[:3] == (None, None, None)
            assert NOT_ADDITIVE in node.reasons

    def test_allocation_once_is_refused(self) -> None:
        with pytest.raises(ImpossibleQuestionError):
            ask([], replace(QUESTION, allocation=Allocation.ONCE))

    def test_ends_when_nobody_waits(self) -> None:
        class CancelledError(Exception):
            pass

        def cancel() -> None:
            raise CancelledError

        with pytest.raises(CancelledError):
            compute_graph(make_view([report(0, "alder", "birch")]), QUESTION, checkpoint=cancel)

    def test_amounts_decay_by_a_half_life(self) -> None:
        aged = replace(QUESTION, half_life_days=30, to_day=MARCH + 30, from_day=MARCH - 1)
        events = [
            report(0, "alder", "birch"),
            report(1, "alder", "birch", kind=EXCHANGE_KIND_VISIT),
        ]
        [row] = ask(events, aged).rows
        assert row.edge.exchange_count == 2
        assert [flow.weight for flow in row.kinds] == [MILLION / 2] * 2

    def test_roles_count_ties_between_groups(self) -> None:
        events = [
            register(0, "alder", region="North"),
            register(1, "birch", region="South"),
            register(2, "cedar", region="West"),
            register(3, "dogwood"),
            report(4, "alder", "birch"),
            report(5, "birch", "cedar"),
        ]
        standings = {
            node.organization_id: node.standing for node in ask(events, roles_by="region").nodes
        }
        birch = standings["birch"]
        assert birch is not None
        assert birch.roles is not None
        assert birch.roles.liaison == sum(birch.roles) == 1
        dogwood = standings["dogwood"]
        assert dogwood is not None
        assert dogwood.roles is None
        assert "UNLABELLED" in dogwood.reasons


class TestSpells:
    def spells_of(
        self, events: list[Event], question: Question = QUESTION
    ) -> list[tuple[str, str]]:
        [row] = ask(events, question).rows
        epoch = date(1970, 1, 1).toordinal()
        return [
            (date.fromordinal(epoch + a).isoformat(), date.fromordinal(epoch + b).isoformat())
            for a, b in row.spells
        ]

    def test_days_that_touch_are_one_spell(self) -> None:
        days = [date(2024, 3, day) for day in (5, 6, 6, 9)]
        events = [report(number, "a", "b", day=day) for number, day in enumerate(days)]
        assert self.spells_of(events) == [
            ("2024-03-05", "2024-03-06"),
            ("2024-03-09", "2024-03-09"),
        ]

    def test_month_and_quarter_take_their_whole_period(self) -> None:
        events = [
            report(0, "a", "b", day=date(2024, 1, 1), precision=OCCUR_PRECISION_QUARTER),
            report(1, "a", "b", day=date(2024, 2, 9)),
            report(2, "a", "b", day=date(2024, 5, 1), precision=OCCUR_PRECISION_MONTH),
        ]
        assert self.spells_of(events) == [
            ("2024-01-01", "2024-03-31"),
            ("2024-05-01", "2024-05-31"),
        ]
        [row] = ask(events).rows
        assert row.undated_count == 2

    def test_spells_end_with_the_window(self) -> None:
        events = [report(0, "a", "b", day=date(2024, 1, 1), precision=OCCUR_PRECISION_QUARTER)]
        window = replace(QUESTION, to_day=date_to_day(date(2024, 2, 1)))
        assert self.spells_of(events, window) == [("2024-01-01", "2024-01-31")]

    def test_spells_of_other_ties_do_not_merge(self) -> None:
        events = [
            report(0, "a", "b", day=date(2024, 3, 1)),
            report(1, "b", "a", day=date(2024, 3, 2)),
        ]
        assert [len(row.spells) for row in ask(events).rows] == [1, 1]


@dpdk.needs_real_data
def test_dpdk_equals_networkx() -> None:
    graph = compute_graph(view_dpdk(), EVERYTHING)
    assert (len(graph.rows), len(graph.nodes)) == (1_426, 321)
    assert {flow.kind for row in graph.rows for flow in row.kinds} == {Kind.ADVICE}
    network = nx.DiGraph()
    network.add_weighted_edges_from(
        (row.giver_id, row.receiver_id, MILLION / row.edge.weight) for row in graph.rows
    )
    between = nx.betweenness_centrality(network, weight="weight", normalized=False)
    for node in graph.nodes:
        assert node.standing is not None
        assert node.standing.betweenness == pytest.approx(between[node.organization_id], abs=1e-6)
    assert sum(node.node.given or 0 for node in graph.nodes) == 20_850 * MILLION
    seen = compute_graph(view_dpdk(), replace(EVERYTHING, population=Population.SEEN))
    assert len(seen.nodes) == 321
