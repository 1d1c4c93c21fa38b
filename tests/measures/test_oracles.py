"""Measures against independent code: other libraries, simulation, and brute force."""

from __future__ import annotations

import contextlib
import io
from itertools import permutations
from typing import Final

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from NEMtropy import DirectedGraph
from scipy.stats import beta, binomtest, false_discovery_control

from services.measures.families import BERNOULLI, EXPONENTIAL, GEOMETRIC
from services.measures.flow_graph import FlowGraph
from services.measures.flow_split import split_flow
from services.measures.maximum_entropy import TOLERANCE, Family, solve
from services.measures.paid_back import PaybackNetwork
from services.measures.pair_evidence import MIN_DAYS, adjust_p_values, weigh_evidence
from services.measures.reciprocation_time import HORIZONS, Turns, measure_reciprocation_time
from services.measures.shuffle_null import Blocks, compute_shuffle_null
from services.measures.spread_null import compute_spread_null
from services.measures.structure import count_components
from services.measures.tie_reciprocity import measure_tie_reciprocity
from services.measures.triad_census import count_triads
from tests.measures.graphs import CORNER_CASES, graphs, make_random_graph, to_networkx

RANDOM: Final = [
    make_random_graph(size, 4 * size, seed) for seed, size in enumerate((6, 12, 30, 60))
]
LARGE: Final = st.integers(1, 2**45)


class TestTieReciprocity:
    @given(graphs())
    def test_equals_networkx(self, graph: FlowGraph) -> None:
        measured = measure_tie_reciprocity(graph).reciprocity
        if len(graph.giver):
            assert measured == pytest.approx(nx.overall_reciprocity(to_networkx(graph)))
        else:
            assert measured is None

    @pytest.mark.filterwarnings("ignore")  # numba's, which compiles NEMtropy
    @pytest.mark.parametrize("graph", RANDOM)
    def test_configuration_model_equals_nemtropy(self, graph: FlowGraph) -> None:
        """NEMtropy 4.0.0 returns unsolved models without a word, so its error is looked at."""
        other = DirectedGraph(adjacency=nx.to_numpy_array(to_networkx(graph), weight=None))
        with contextlib.redirect_stdout(io.StringIO()):
            other.solve_tool(model="dcm_exp", method="newton", initial_guess="random", tol=1e-10)
        assert other.error < 1e-6
        odds = np.outer(other.x, other.y)
        chance = odds / (1 + odds)
        np.fill_diagonal(chance, 0)
        both = (chance * chance.T)[np.triu_indices(graph.size, 1)]
        measured = measure_tie_reciprocity(graph)
        count = len(graph.giver)
        assert measured.expected == pytest.approx(2 * both.sum() / count, abs=1e-6)
        deviation = 2 * np.sqrt((both * (1 - both)).sum()) / count
        assert measured.deviation == pytest.approx(deviation, abs=1e-6)

    def test_organization_that_gives_to_all_others_is_solved(self) -> None:
        """Its chances are 1, which no finite solution has; NEMtropy's dcm stops short of them."""
        ties = {(0, other): 1 for other in range(1, 12)} | {
            (1, 0): 1,
            (2, 0): 1,
            (1, 2): 1,
            (3, 4): 1,
        }
        graph = FlowGraph.of(12, ties)
        degrees = [np.bincount(end, minlength=12) * 1.0 for end in (graph.giver, graph.receiver)]
        model = solve(BERNOULLI, *degrees)
        chances = model.mean[np.ix_(model.class_of, model.class_of)][0, 1:]
        assert chances == pytest.approx(np.ones(11), abs=1e-7)


class TestMaximumEntropy:
    @pytest.mark.parametrize("graph", [*RANDOM, *CORNER_CASES.values()])
    @pytest.mark.parametrize("family", [GEOMETRIC, EXPONENTIAL])
    def test_sums_are_kept(self, graph: FlowGraph, family: Family) -> None:
        scale = max(1, graph.total / 50)
        given, received = graph.given / scale, graph.received / scale
        model = solve(family, given, received)
        mean = model.mean[np.ix_(model.class_of, model.class_of)]
        np.fill_diagonal(mean, 0)
        limit = 2 * TOLERANCE
        assert (abs(mean.sum(axis=1) - given) <= limit * np.maximum(1, given)).all()
        assert (abs(mean.sum(axis=0) - received) <= limit * np.maximum(1, received)).all()
        assert (mean >= 0).all()

    @pytest.mark.parametrize("graph", RANDOM[:3])
    def test_geometric_model_has_the_largest_entropy(self, graph: FlowGraph) -> None:
        """Any shift of means that keeps all sums lowers the entropy: the definition itself."""
        model = solve(GEOMETRIC, graph.given * 1.0, graph.received * 1.0)
        mean = model.mean[np.ix_(model.class_of, model.class_of)]
        np.fill_diagonal(mean, 0)

        def entropy(means: np.ndarray) -> float:
            positive = means[means > 0]
            return float(((1 + positive) * np.log1p(positive) - positive * np.log(positive)).sum())

        rng = np.random.default_rng(7)
        for _ in range(50):
            rows, columns = rng.permutation(graph.size)[:4].reshape(2, 2)
            block = np.ix_(rows, columns)
            if (mean[block] > 0).all():
                shift = 0.1 * mean[block].min() * np.array([[1, -1], [-1, 1]])
                shifted = mean.copy()
                shifted[block] += shift
                assert entropy(shifted) < entropy(mean)


class TestYardsticks:
    @pytest.mark.parametrize("graph", RANDOM[1:])
    @pytest.mark.parametrize("unit", [0, 1])
    def test_spread_equals_simulation(self, graph: FlowGraph, unit: int) -> None:
        model = solve(GEOMETRIC if unit else EXPONENTIAL, graph.given * 1.0, graph.received * 1.0)
        mean = model.mean[np.ix_(model.class_of, model.class_of)]
        rng, minima, reciprocities = np.random.default_rng(11), [], []
        for _ in range(1500):
            drawn = rng.geometric(1 / (1 + mean)) - 1 if unit else rng.exponential(mean)
            np.fill_diagonal(drawn, 0)
            minimum = np.minimum(drawn, drawn.T).sum()
            minima.append(minimum / graph.total)
            reciprocities.append(minimum / drawn.sum())
        null = compute_spread_null(graph, unit=unit, draw_count=1500)
        assert null is not None
        noise = np.std(minima) / np.sqrt(len(minima))
        assert null.expected == pytest.approx(np.mean(minima), abs=5 * noise)
        spread = np.std(reciprocities)
        assert null.draws.mean() == pytest.approx(np.mean(reciprocities), abs=0.2 * spread)
        assert null.draws.std() == pytest.approx(spread, rel=0.15)
        for percentile in (2.5, 97.5):
            expected = np.percentile(reciprocities, percentile)
            assert np.percentile(null.draws, percentile) == pytest.approx(
                expected, abs=0.5 * spread
            )

    def test_shuffle_equals_all_permutations(self) -> None:
        giver, receiver = np.array([0, 0, 1, 2, 3]), np.array([1, 2, 0, 0, 1])
        weight = np.array([3, 1, 2, 5, 1])
        reciprocities = []
        for order in permutations(range(5)):
            permuted = receiver[list(order)]
            if (permuted != giver).all():
                flows = np.zeros((4, 4))
                np.add.at(flows, (giver, permuted), weight)
                reciprocities.append(np.minimum(flows, flows.T).sum() / weight.sum())
        draws = compute_shuffle_null(Blocks(giver, receiver, weight), 4, draw_count=4000)
        assert draws is not None
        assert set(np.round(draws, 9)) == set(np.round(reciprocities, 9))
        assert draws.mean() == pytest.approx(np.mean(reciprocities), abs=0.05)

    def test_shuffle_is_absent_where_somebody_had_to_give_to_itself(self) -> None:
        star = Blocks(np.array([0, 0, 1]), np.array([1, 2, 0]), np.ones(3, dtype=np.int64))
        lone = Blocks(np.array([0]), np.array([1]), np.ones(1, dtype=np.int64))
        assert compute_shuffle_null(lone, 2) is not None
        crowded = Blocks(np.array([0, 0, 1]), np.array([1, 1, 0]), np.ones(3, dtype=np.int64))
        assert compute_shuffle_null(star, 3) is not None
        assert compute_shuffle_null(crowded, 2) is not None
        assert compute_shuffle_null(Blocks(*np.zeros((3, 0), dtype=np.int64)), 2) is None


class TestFlowSplit:
    @settings(max_examples=60)
    @given(graphs(max_size=6))
    def test_circulation_equals_network_simplex(self, graph: FlowGraph) -> None:
        split = split_flow(graph)
        if not graph.total:
            assert split is None
            return
        assert split is not None
        net = net_digraph(graph)
        for giver, receiver in net.edges:
            net.edges[giver, receiver]["cost"] = -1
        cost, _ = nx.network_simplex(net, capacity="weight", weight="cost")
        assert split.circulating * graph.total == pytest.approx(-cost)
        assert sum(split) == pytest.approx(1)
        assert min(split) >= -1e-12


class TestPaidBack:
    @settings(max_examples=60)
    @given(graphs(max_size=7, min_weight=1), st.lists(LARGE, min_size=30, max_size=30))
    def test_equals_maximum_flow(self, graph: FlowGraph, weights: list[int]) -> None:
        """Also for amounts of 45 bits, which SciPy's maximum flow does not take."""
        large = np.array(weights[: len(graph.giver)], dtype=np.int64)
        for weighed in (
            graph,
            FlowGraph(graph.size, graph.giver, graph.receiver, large),
        ):
            network, net = PaybackNetwork(weighed), net_digraph(weighed)
            for giver, receiver in list(net.edges)[:4]:
                amount = net.edges[giver, receiver]["weight"]
                flow = nx.maximum_flow_value(net, receiver, giver, capacity="weight")
                paid = network.find(giver, receiver)
                assert (paid.net, paid.amount) == (amount, min(amount, flow))
                assert bool(paid.path) == bool(flow)
                for place in zip(paid.path, paid.path[1:], strict=False):
                    assert net.has_edge(*place)
                assert paid.path[:: len(paid.path) - 1 or 1] == ((receiver, giver) if flow else ())

    def test_pair_that_gave_less_is_refused(self) -> None:
        network = PaybackNetwork(FlowGraph.of(2, {(0, 1): 1, (1, 0): 5}))
        with pytest.raises(ValueError, match="did not give 1 more"):
            network.find(0, 1)


class TestPairEvidence:
    @given(
        st.lists(
            st.integers(0, 80).flatmap(
                lambda n: st.tuples(st.integers((n + 1) // 2, n), st.just(n))
            )
        )
    )
    def test_equals_scipy(self, pairs: list[tuple[int, int]]) -> None:
        k, n = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        evidence = weigh_evidence(k, n)
        in_family = n >= MIN_DAYS
        assert (np.isnan(evidence.p_value) == ~in_family).all()
        family = [pair for pair in pairs if pair[1] >= MIN_DAYS]
        p_values = [binomtest(larger, total, 0.5).pvalue for larger, total in family]
        assert evidence.p_value[in_family] == pytest.approx(p_values)
        if family:
            q_values = false_discovery_control(p_values)
            assert evidence.q_value[in_family] == pytest.approx(q_values)
        for low, high, (larger, total) in zip(
            evidence.interval_low[in_family], evidence.interval_high[in_family], family, strict=True
        ):
            jeffreys = beta(larger + 0.5, total - larger + 0.5)
            assert low == pytest.approx(jeffreys.ppf(0.025))
            assert high == (1 if larger == total else pytest.approx(jeffreys.ppf(0.975)))

    def test_q_values_step_up(self) -> None:
        assert adjust_p_values(np.array([0.01, 0.04, 0.03, 0.5])) == pytest.approx(
            [0.04, 0.16 / 3, 0.16 / 3, 0.5]
        )


class TestStructure:
    @given(graphs())
    def test_triads_equal_networkx(self, graph: FlowGraph) -> None:
        assert count_triads(graph) == nx.triadic_census(to_networkx(graph))

    @pytest.mark.parametrize("graph", [*RANDOM, *CORNER_CASES.values()])
    def test_triads_of_all_sizes_equal_networkx(self, graph: FlowGraph) -> None:
        assert count_triads(graph) == nx.triadic_census(to_networkx(graph))

    @given(graphs())
    def test_components_equal_networkx(self, graph: FlowGraph) -> None:
        other = to_networkx(graph)
        weak = [len(members) for members in nx.weakly_connected_components(other)]
        strong = [len(members) for members in nx.strongly_connected_components(other)]
        assert count_components(graph) == (len(weak), max(weak), len(strong), max(strong))


class TestReciprocationTime:
    @given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=40))
    def test_survival_equals_the_textbook(self, turns: list[tuple[int, bool]]) -> None:
        days, is_answered = (np.array(column) for column in zip(*turns, strict=True))
        measured = measure_reciprocation_time(
            Turns(np.arange(len(turns)), np.zeros_like(days), days.astype(float), is_answered)
        )
        assert measured is not None

        def survive(day: float) -> float:
            chance = 1.0
            for event in sorted(
                {length for length, answered in turns if answered and length <= day}
            ):
                at_risk = sum(length >= event for length, _ in turns)
                events = sum(length == event and answered for length, answered in turns)
                chance *= 1 - events / at_risk
            return chance

        for horizon, unanswered in zip(HORIZONS, measured.survival.unanswered, strict=True):
            if unanswered is None:
                assert horizon > max(days)
                assert survive(horizon) > 0
            else:
                assert unanswered == pytest.approx(survive(horizon), abs=1e-12)
        halves = [length for length in sorted(set(days.tolist())) if survive(length) <= 0.5 + 1e-12]
        assert measured.survival.median == (halves[0] if halves else None)


def net_digraph(graph: FlowGraph) -> nx.DiGraph:
    """The graph of net flows, without using the pairs of the graph itself."""
    flows = to_networkx(graph)
    net = nx.DiGraph()
    net.add_nodes_from(flows, demand=0)
    for giver, receiver, weight in flows.edges(data="weight"):
        returned = flows.get_edge_data(receiver, giver, {"weight": 0})["weight"]
        if weight > returned:
            net.add_edge(giver, receiver, weight=weight - returned)
    return net
