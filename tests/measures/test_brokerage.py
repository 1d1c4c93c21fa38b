"""Constraint, brokerage roles and betweenness against other code, and how that code surprises."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.measures.brokerage import (
    BrokerageRoles,
    count_brokerage_roles,
    measure_betweenness,
    measure_constraint,
)
from services.measures.flow_graph import FlowGraph
from services.measures.lift import UNKNOWN_GROUP
from tests.measures.graphs import CORNER_CASES, graphs, make_random_graph, to_networkx

RANDOM: Final = [make_random_graph(size, 4 * size, size) for size in (6, 15, 40)]
LIGHT_AND_HEAVY: Final = FlowGraph.of(3, {(0, 1): 1, (0, 2): 10, (2, 1): 10})


def to_lengths(graph: FlowGraph) -> nx.DiGraph:
    """The ties above 0 with the length 1 / w."""
    other = nx.DiGraph()
    other.add_nodes_from(range(graph.size))
    for giver, receiver, weight in to_networkx(graph).edges(data="weight"):
        if weight:
            other.add_edge(giver, receiver, length=1 / weight, weight=weight)
    return other


def list_roles(graph: FlowGraph, groups: list[int]) -> BrokerageRoles:
    return count_brokerage_roles(graph, np.array(groups, dtype=np.int64))


def find_role(first: int, middle: int, last: int) -> str:
    match first == middle, middle == last, first == last:
        case True, True, _:
            return "coordinator"
        case False, True, _:
            return "gatekeeper"
        case True, False, _:
            return "representative"
        case _, _, True:
            return "itinerant"
    return "liaison"


class TestConstraint:
    @given(graphs(min_weight=1))
    def test_equals_networkx(self, graph: FlowGraph) -> None:
        expected = nx.constraint(to_networkx(graph), weight="weight")
        measured = dict(enumerate(measure_constraint(graph)))
        for organization, value in measured.items():
            if value is None:
                assert np.isnan(expected[organization])
            else:
                assert value == pytest.approx(expected[organization], rel=1e-12)

    def test_counts_direct_contacts_only(self) -> None:
        """0 invests in 2 through 1 and has no tie with it: c = p_01^2 alone."""
        chain = FlowGraph.of(3, {(0, 1): 1, (1, 2): 1})
        assert measure_constraint(chain) == [1, pytest.approx(0.5), 1]

    def test_adds_both_directions(self) -> None:
        """A tie of 2 and back 4 is as much as 3 and 3 (G21)."""
        uneven = FlowGraph.of(3, {(0, 1): 2, (1, 0): 4, (0, 2): 6})
        even = FlowGraph.of(3, {(0, 1): 3, (1, 0): 3, (2, 0): 6})
        assert measure_constraint(uneven) == pytest.approx(measure_constraint(even))

    def test_of_networkx_counts_ties_to_oneself(self) -> None:
        """G21: a flow graph has none, so an export must not make any."""
        plain = to_networkx(RANDOM[0])
        looped = plain.copy()
        looped.add_edge(0, 0, weight=50)
        assert nx.constraint(looped, weight="weight")[0] != pytest.approx(
            nx.constraint(plain, weight="weight")[0]
        )

    @pytest.mark.parametrize("name", CORNER_CASES)
    def test_is_absent_or_positive(self, name: str) -> None:
        graph = CORNER_CASES[name]
        measured = measure_constraint(graph)
        has_contact = (graph.given + graph.received > 0).tolist()
        assert [value is not None for value in measured] == has_contact
        assert all(value > 0 for value in measured if value is not None)


class TestBrokerageRoles:
    @settings(max_examples=300)
    @given(graphs(), st.data())
    def test_equals_every_triple(self, graph: FlowGraph, data: st.DataObject) -> None:
        groups = data.draw(
            st.lists(st.integers(UNKNOWN_GROUP, 2), min_size=graph.size, max_size=graph.size)
        )
        other = to_networkx(graph)
        expected = {role: [0] * graph.size for role in BrokerageRoles._fields}
        for first, middle, last in permutations(range(graph.size), 3):
            is_path = other.has_edge(first, middle) and other.has_edge(middle, last)
            labels = groups[first], groups[middle], groups[last]
            if is_path and not other.has_edge(first, last) and UNKNOWN_GROUP not in labels:
                expected[find_role(*labels)][middle] += 1
        roles = list_roles(graph, groups)
        assert {role: counts.tolist() for role, counts in roles._asdict().items()} == expected

    @pytest.mark.parametrize(
        ("groups", "role"),
        [
            ([0, 0, 0], "coordinator"),
            ([0, 1, 0], "itinerant"),
            ([0, 1, 1], "gatekeeper"),
            ([0, 0, 1], "representative"),
            ([0, 1, 2], "liaison"),
        ],
    )
    def test_names(self, groups: list[int], role: str) -> None:
        roles = list_roles(FlowGraph.of(3, {(0, 1): 1, (1, 2): 1}), groups)
        assert {each for each, counts in roles._asdict().items() if counts.any()} == {role}

    def test_who_gives_directly_needs_nobody_between(self) -> None:
        graph = FlowGraph.of(3, {(0, 1): 1, (1, 2): 1, (0, 2): 1})
        assert not any(counts.any() for counts in list_roles(graph, [0, 0, 0]))

    @pytest.mark.parametrize("name", CORNER_CASES)
    def test_of_corner_cases(self, name: str) -> None:
        graph = CORNER_CASES[name]
        roles = list_roles(graph, [place % 2 for place in range(graph.size)])
        assert all(len(counts) == graph.size for counts in roles)


class TestBetweenness:
    @pytest.mark.parametrize("graph", RANDOM)
    def test_equals_networkx(self, graph: FlowGraph) -> None:
        """On lengths 1 / w with whole w, networkx ties as often as sums of floats are equal."""
        powers = FlowGraph(graph.size, graph.giver, graph.receiver, 2 ** (graph.weight % 5))
        expected = nx.betweenness_centrality(to_lengths(powers), weight="length", normalized=False)
        assert measure_betweenness(powers) == pytest.approx(list(expected.values()), rel=1e-10)

    @given(graphs(min_weight=1))
    def test_equals_paths_of_exact_length(self, graph: FlowGraph) -> None:
        """Lengths as whole multiples of 1 / (60!): ties are ties, whatever floats say."""
        other = nx.DiGraph()
        other.add_nodes_from(range(graph.size))
        multiple = int(np.lcm.reduce(np.arange(1, 42, dtype=object)))
        for giver, receiver, weight in to_networkx(graph).edges(data="weight"):
            other.add_edge(giver, receiver, length=multiple // (weight % 40 + 1))
        whole = FlowGraph(graph.size, graph.giver, graph.receiver, graph.weight % 40 + 1)
        expected = nx.betweenness_centrality(other, weight="length", normalized=False)
        assert measure_betweenness(whole) == pytest.approx(list(expected.values()), rel=1e-9)

    def test_much_flow_is_a_short_way(self) -> None:
        """G21: networkx reads a weight as a length, so that much flow would be a long way."""
        assert measure_betweenness(LIGHT_AND_HEAVY).tolist() == [0, 0, 1]
        by_weight = nx.betweenness_centrality(
            to_networkx(LIGHT_AND_HEAVY), weight="weight", normalized=False
        )
        assert by_weight[2] == 0

    def test_ties_without_weight_are_no_way(self) -> None:
        """N16: a tie of weight 0 would be infinitely long."""
        graph = FlowGraph.of(3, {(0, 1): 0, (1, 2): 0})
        assert measure_betweenness(graph).tolist() == [0, 0, 0]

    @pytest.mark.parametrize("name", CORNER_CASES)
    def test_of_corner_cases(self, name: str) -> None:
        graph = CORNER_CASES[name]
        expected = nx.betweenness_centrality(to_lengths(graph), weight="length", normalized=False)
        assert measure_betweenness(graph) == pytest.approx(list(expected.values()))
