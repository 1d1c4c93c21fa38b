"""What holds of measures on every graph, and that corner cases are absent rather than 0 or NaN."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.times import DAY
from services.measures.flow_graph import FlowGraph
from services.measures.flow_split import split_flow
from services.measures.lift import UNKNOWN_GROUP, Lift, count_mixing, measure_lift
from services.measures.paid_back import PaybackNetwork
from services.measures.reciprocation_time import Turns, find_turns, measure_reciprocation_time
from services.measures.shuffle_null import Blocks, compute_shuffle_null
from services.measures.spread_null import compute_spread_null
from services.measures.structure import (
    count_components,
    find_fan_out,
    find_sole_sources,
    measure_loss,
)
from services.measures.tie_reciprocity import measure_tie_reciprocity
from services.measures.triad_census import count_triads
from services.measures.weighted_reciprocity import measure_weighted_reciprocity
from tests.measures.graphs import CORNER_CASES, graphs, make_random_graph


def relabel(graph: FlowGraph, order: list[int]) -> FlowGraph:
    return FlowGraph(
        graph.size, np.array(order)[graph.giver], np.array(order)[graph.receiver], graph.weight
    )


def assert_same_ties(one: FlowGraph, another: FlowGraph) -> None:
    measured, expected = measure_tie_reciprocity(one), measure_tie_reciprocity(another)
    assert measured.census == expected.census
    assert measured[1:3] == pytest.approx(expected[1:3], abs=1e-7)
    assert measured.rho == pytest.approx(expected.rho)
    # A root makes much of the model's tolerance where the variance is near 0.
    variances = [each.deviation and each.deviation**2 for each in (measured, expected)]
    assert variances[0] == pytest.approx(variances[1], abs=1e-6)


@given(graphs(), st.randoms(use_true_random=False))
def test_names_do_not_matter(graph: FlowGraph, chance: Any) -> None:
    order = list(range(graph.size))
    chance.shuffle(order)
    other = relabel(graph, order)
    assert_same_ties(other, graph)
    assert split_flow(other) == pytest.approx(split_flow(graph))
    assert count_triads(other) == count_triads(graph)
    one, another = measure_weighted_reciprocity(graph), measure_weighted_reciprocity(other)
    assert (one is None) == (another is None)
    if one is not None and another is not None:
        assert another[:4] == pytest.approx(one[:4])
        assert another.interval == pytest.approx(one.interval)
    for unit in (0, 1):
        spread, spread_other = (compute_spread_null(each, unit=unit) for each in (graph, other))
        assert (spread is None) == (spread_other is None)
        if spread is not None and spread_other is not None:
            assert spread_other.expected == pytest.approx(spread.expected, abs=1e-7)


@given(graphs(), st.integers(2, 1000))
def test_scale_matters_to_the_geometric_yardstick_alone(graph: FlowGraph, factor: int) -> None:
    other = FlowGraph(graph.size, graph.giver, graph.receiver, graph.weight * factor)
    assert measure_tie_reciprocity(other) == measure_tie_reciprocity(graph)
    assert split_flow(other) == pytest.approx(split_flow(graph))
    spread, spread_other = compute_spread_null(graph), compute_spread_null(other)
    if spread is not None and spread_other is not None:
        assert spread_other.expected == pytest.approx(spread.expected, abs=1e-7)


@given(graphs())
def test_giving_and_receiving_swap(graph: FlowGraph) -> None:
    other = graph.transpose()
    assert (other.given == graph.received).all()
    assert_same_ties(other, graph)
    assert split_flow(other) == pytest.approx(split_flow(graph))


@given(graphs())
def test_parts_add_up(graph: FlowGraph) -> None:
    weighted, split = measure_weighted_reciprocity(graph), split_flow(graph)
    if weighted is None or split is None:
        assert graph.total == 0
        return
    assert weighted.reciprocity == pytest.approx(split.direct)
    assert weighted.ceiling == pytest.approx(1 - split.one_way)
    assert weighted.reciprocity <= weighted.ceiling
    assert weighted.reciprocity == pytest.approx(weighted.two_way_share * (weighted.evenness or 0))
    assert abs(graph.pairs.net).sum() == pytest.approx(graph.total * (1 - weighted.reciprocity))
    for extreme in (weighted.lowest, weighted.highest):
        if extreme is not None:
            kept = (graph.giver != extreme.organization) & (graph.receiver != extreme.organization)
            rest = FlowGraph(
                graph.size, graph.giver[kept], graph.receiver[kept], graph.weight[kept]
            )
            left = measure_weighted_reciprocity(rest)
            assert left is not None
            assert left.reciprocity == pytest.approx(extreme.reciprocity)


@given(graphs())
def test_loss_lists_every_sole_source(graph: FlowGraph) -> None:
    sole = find_sole_sources(graph)
    _, sources = find_fan_out(graph)
    assert len(sole.receiver) == np.count_nonzero(sources == 1)
    losses = [measure_loss(graph, organization) for organization in range(graph.size)]
    assert sum(loss.given + loss.received for loss in losses) == 2 * graph.total
    assert sum(len(loss.receivers_without_source) for loss in losses) == len(sole.receiver)


@pytest.mark.parametrize("name", CORNER_CASES)
def test_corner_cases_are_absent_or_numbers(name: str) -> None:
    graph = CORNER_CASES[name]
    blocks = Blocks(graph.giver, graph.receiver, graph.weight)
    answers: list[Any] = [
        measure_tie_reciprocity(graph),
        measure_weighted_reciprocity(graph),
        split_flow(graph),
        compute_spread_null(graph),
        compute_spread_null(graph, unit=1),
        compute_shuffle_null(blocks, graph.size),
        count_triads(graph),
        count_components(graph),
        measure_lift(graph, np.arange(graph.size) % 3),
    ]
    network, pairs = PaybackNetwork(graph), graph.pairs
    answers += [
        network.find(*((low, high) if net > 0 else (high, low)))
        for low, high, net in zip(
            *(each.tolist() for each in (pairs.low, pairs.high, pairs.net)), strict=True
        )
        if net
    ]
    assert all(math.isfinite(number) for answer in answers for number in list_numbers(answer))
    if not graph.total:
        assert answers[1:6] == [None] * 5
    if not len(graph.giver):
        assert answers[0][1:] == (None, None, None, None)


@pytest.mark.parametrize("name", ["one-way only", "one only gives", "fully mutual", "star"])
def test_known_reciprocity_of_corner_cases(name: str) -> None:
    weighted = measure_weighted_reciprocity(CORNER_CASES[name])
    assert weighted is not None
    expected = {"one-way only": 0, "one only gives": 2 / 32, "fully mutual": 1, "star": 4 / 14}
    assert weighted.reciprocity == pytest.approx(expected[name])
    assert (weighted.evenness is None) == (name == "one-way only")


class TestLift:
    def test_groups_that_keep_to_themselves(self) -> None:
        ties = {(i, j): 5 for i in range(12) for j in range(12) if i != j and i % 3 == j % 3}
        lift = measure_lift(FlowGraph.of(12, ties), np.arange(12) % 3)
        assert lift.share == 1
        assert lift.lift == pytest.approx(1 / (3 / 11))
        assert lift.p_value == pytest.approx(1 / 1000)

    def test_unknown_groups_leave_with_their_flow(self) -> None:
        graph = make_random_graph(9, 40, 3)
        groups = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
        groups[0] = UNKNOWN_GROUP
        lift = measure_lift(graph, groups)
        kept = (graph.giver != 0) & (graph.receiver != 0)
        rest = FlowGraph(9, graph.giver[kept], graph.receiver[kept], graph.weight[kept])
        without = measure_lift(rest, groups)
        assert lift[:4] == without[:4]
        assert lift.left_out == graph.total - rest.total
        assert lift.organization_count == 8

    def test_two_groups_are_too_few(self) -> None:
        lift = measure_lift(make_random_graph(8, 20, 1), np.arange(8) % 2)
        assert lift == Lift(organization_count=8, reasons=("TOO_FEW_GROUPS",))

    def test_strata_keep_their_groups(self) -> None:
        """Groups that equal strata cannot be permuted, so that every permutation has this lift."""
        groups = np.arange(12) % 3
        lift = measure_lift(make_random_graph(12, 40, 5), groups, strata=groups)
        assert lift.p_value == 1

    @given(graphs())
    def test_mixing_adds_up_to_the_flow(self, graph: FlowGraph) -> None:
        table = count_mixing(graph, np.arange(graph.size) % 3, 3)
        assert table.sum() == graph.total


class TestTurns:
    def test_runs_open_one_turn_each(self) -> None:
        pair, instant = np.array([4, 4, 4, 4, 7]), np.array([1, 2, 5, 9, 3]) * DAY
        is_forth = np.array([True, True, False, True, False])
        turns = find_turns(pair, is_forth, instant, np.full(5, 20 * DAY))
        assert turns.pair.tolist() == [4, 4, 4, 7]
        assert (turns.start // DAY).tolist() == [1, 5, 9, 3]
        assert turns.days.tolist() == [4, 4, 11, 17]
        assert turns.is_answered.tolist() == [True, True, False, False]

    def test_no_turns_have_no_measure(self) -> None:
        empty = np.zeros(0, dtype=np.int64)
        turns = find_turns(empty, empty.astype(bool), empty, empty)
        assert measure_reciprocation_time(turns) is None

    def test_no_answer_has_no_median(self) -> None:
        start, is_answered = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=bool)
        turns = Turns(np.arange(3), start, np.array([10.0, 40.0, 100.0]), is_answered)
        measured = measure_reciprocation_time(turns)
        assert measured is not None
        assert measured.survival.median is None
        assert measured.survival.unanswered == (1.0, 1.0, None)
        assert measured.median_interval == (None, None)


def list_numbers(answer: Any) -> Iterator[float]:
    """Every number of an answer, nested or not."""
    if isinstance(answer, int | float):
        yield answer
    elif isinstance(answer, np.ndarray):
        yield from answer.ravel().tolist()
    elif isinstance(answer, dict):
        yield from answer.values()
    elif isinstance(answer, tuple):
        for part in answer:
            yield from list_numbers(part)
