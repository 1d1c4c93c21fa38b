"""Lift against its definition on dense matrices, and against every permutation of labels."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.measures.flow_graph import FlowGraph, Ints
from services.measures.lift import UNKNOWN_GROUP, Lift, measure_lift, measure_pair_lift
from tests.measures.graphs import graphs, make_random_graph


def make_flows(graph: FlowGraph, labels: list[int]) -> tuple[list[list[int]], list[int]]:
    """The dense flows and labels of the organizations whose label is known, in whole numbers."""
    known = [place for place, label in enumerate(labels) if label != UNKNOWN_GROUP]
    flows = np.zeros((graph.size, graph.size), dtype=object)
    flows[graph.giver, graph.receiver] = [int(each) for each in graph.weight]
    return flows[np.ix_(known, known)].tolist(), [labels[place] for place in known]


def sum_within(flows: list[list[int]], labels: list[int]) -> tuple[int, int, int, int]:
    """The flow within groups, all flow, and both of E: whole numbers, pair by pair."""
    places = range(len(labels))
    given = [sum(flows[i]) for i in places]
    received = [sum(flows[i][j] for i in places) for j in places]
    within = total = expected_within = expected = 0
    for i in places:
        for j in places:
            if i != j:
                same = labels[i] == labels[j]
                total += flows[i][j]
                within += flows[i][j] * same
                expected += given[i] * received[j]
                expected_within += given[i] * received[j] * same
    return within, total, expected_within, expected


@settings(max_examples=150, deadline=None)
@given(st.data(), graphs(max_size=9), st.sampled_from([1, 1_000_000, 333_333]))
def test_equals_its_definition_on_matrices(
    data: st.DataObject, graph: FlowGraph, unit: int
) -> None:
    labels = data.draw(
        st.lists(st.integers(UNKNOWN_GROUP, 3), min_size=graph.size, max_size=graph.size)
    )
    graph = FlowGraph(graph.size, graph.giver, graph.receiver, graph.weight * unit)
    measured = measure_lift(graph, np.array(labels, dtype=np.int64))
    within, total, expected_within, expected = sum_within(*make_flows(graph, labels))
    known = [label for label in labels if label != UNKNOWN_GROUP]
    assert measured.organization_count == len(known)
    assert measured.left_out == graph.total - total
    large = [label for label in set(known) if known.count(label) >= 2]
    reasons = ("NO_KNOWN_AMOUNT",) * (not total) + ("TOO_FEW_GROUPS",) * (len(large) < 3)
    if reasons:
        assert measured == Lift(
            organization_count=len(known), left_out=measured.left_out, reasons=reasons
        )
        return
    assert measured.share == pytest.approx(within / total)
    assert measured.expected_share == pytest.approx(expected_within / expected)
    if not expected_within:
        assert measured.expected_share == 0
        assert (measured.lift, measured.p_value) == (None, None)
        assert measured.reasons == ("NOTHING_EXPECTED",)
    else:
        lift = (within / total) / (expected_within / expected)
        assert measured.lift == pytest.approx(lift)
        assert measured.reasons == ()


@pytest.mark.parametrize("strata", [None, [0, 0, 0, 0, 1, 1, 1]], ids=["all", "strata"])
@pytest.mark.parametrize("graph_seed", range(4))
def test_p_value_equals_that_of_every_permutation(
    graph_seed: int, strata: list[int] | None
) -> None:
    graph, labels = make_random_graph(7, 18, graph_seed), [0, 1, 2, 0, 1, 2, 0]
    flows, _ = make_flows(graph, labels)
    within, _, expected_within, _ = sum_within(flows, labels)
    as_large = count = 0
    for order in permutations(range(7)):
        if strata is not None and any(strata[i] != strata[j] for i, j in enumerate(order)):
            continue
        drawn, _, expected, _ = sum_within(flows, [labels[place] for place in order])
        count += 1
        as_large += drawn * expected_within >= within * expected
    p_values = [
        measure_lift(
            graph,
            np.array(labels),
            strata=None if strata is None else np.array(strata),
            seed=seed,
        ).p_value
        for seed in range(8)
    ]
    assert np.mean(np.array(p_values, dtype=float)) == pytest.approx(as_large / count, abs=0.02)


def test_equal_seeds_draw_equal_permutations() -> None:
    graph, labels = make_random_graph(12, 40, 3), np.arange(12) % 4
    one, same, other = (measure_lift(graph, labels, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.p_value != other.p_value


def test_unknown_groups_alone_leave_nothing() -> None:
    graph = make_random_graph(6, 12, 0)
    nothing = measure_lift(graph, np.full(6, UNKNOWN_GROUP))
    assert nothing.reasons == ("NO_KNOWN_AMOUNT", "TOO_FEW_GROUPS")
    assert nothing.left_out == graph.total


def sum_within_pairs(
    flows: list[list[int]], pairs: set[frozenset[int]]
) -> tuple[int, int, int, int]:
    """The flow within pairs, all flow, and both of E."""
    places = range(len(flows))
    given = [sum(flows[i]) for i in places]
    received = [sum(flows[i][j] for i in places) for j in places]
    ends = [(i, j) for i in places for j in places if i != j]
    paired = [(i, j) for i, j in ends if frozenset((i, j)) in pairs]
    return (
        sum(flows[i][j] for i, j in paired),
        sum(flows[i][j] for i, j in ends),
        sum(given[i] * received[j] for i, j in paired),
        sum(given[i] * received[j] for i, j in ends),
    )


def to_arrays(pairs: set[frozenset[int]]) -> tuple[Ints, Ints]:
    low, high = np.array(sorted(map(sorted, pairs)), dtype=np.int64).reshape(-1, 2).T
    return low, high


class TestPairLift:
    @settings(max_examples=150, deadline=None)
    @given(st.data(), graphs(max_size=8))
    def test_equals_its_definition_on_matrices(self, data: st.DataObject, graph: FlowGraph) -> None:
        all_pairs = [frozenset((i, j)) for i in range(graph.size) for j in range(i)]
        pairs = data.draw(st.sets(st.sampled_from(all_pairs))) if all_pairs else set()
        measured = measure_pair_lift(graph, to_arrays(pairs))
        flows, _ = make_flows(graph, [0] * graph.size)
        within, total, expected_within, expected = sum_within_pairs(flows, pairs)
        reasons = ("NO_KNOWN_AMOUNT",) * (not total) + ("TOO_FEW_GROUPS",) * (len(pairs) < 3)
        if reasons:
            assert measured == Lift(organization_count=graph.size, reasons=reasons)
            return
        assert measured.share == pytest.approx(within / total)
        assert measured.expected_share == pytest.approx(expected_within / expected)
        if expected_within:
            lift = (within / total) / (expected_within / expected)
            assert measured.lift == pytest.approx(lift)
        else:
            assert measured.reasons == ("NOTHING_EXPECTED",)

    @pytest.mark.parametrize("graph_seed", range(4))
    def test_p_value_equals_that_of_every_permutation(self, graph_seed: int) -> None:
        graph = make_random_graph(7, 18, graph_seed)
        pairs = {frozenset(pair) for pair in ((0, 1), (2, 3), (4, 5), (0, 6))}
        flows, _ = make_flows(graph, [0] * 7)
        within, _, expected_within, _ = sum_within_pairs(flows, pairs)
        as_large = count = 0
        for order in permutations(range(7)):
            moved = {frozenset(order[place] for place in pair) for pair in pairs}
            drawn, _, expected, _ = sum_within_pairs(flows, moved)
            count += 1
            as_large += bool(expected) and drawn * expected_within >= within * expected
        p_values = [
            measure_pair_lift(graph, to_arrays(pairs), seed=seed).p_value for seed in range(8)
        ]
        assert np.mean(np.array(p_values, dtype=float)) == pytest.approx(as_large / count, abs=0.02)
