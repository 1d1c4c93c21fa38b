"""What depends on one organization, and how graph tools count the same structure."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from services.measures.flow_graph import FlowGraph
from services.measures.structure import count_components, find_fan_out, measure_loss
from services.measures.triad_census import TRIAD_NAMES, count_triads
from tests.measures.graphs import CORNER_CASES, graphs, make_random_graph, to_networkx


class TestLoss:
    @given(graphs())
    def test_equals_networkx_without_the_organization(self, graph: FlowGraph) -> None:
        for organization in range(graph.size):
            whole, rest = to_networkx(graph), to_networkx(graph)
            rest.remove_node(organization)
            loss = measure_loss(graph, organization)
            assert loss.components == count_components(graph)
            assert loss.components_without.weak_count == nx.number_weakly_connected_components(rest)
            strong_count = nx.number_strongly_connected_components(rest)
            assert loss.components_without.strong_count == strong_count
            assert loss.given == whole.out_degree(organization, weight="weight")
            assert loss.received == whole.in_degree(organization, weight="weight")
            assert loss.receivers_without_source.tolist() == [
                receiver
                for receiver in range(graph.size)
                if list(whole.predecessors(receiver)) == [organization]
            ]
            together = nx.node_connected_component(whole.to_undirected(), organization)
            parts = sorted(
                nx.connected_components(
                    rest.to_undirected().subgraph(together - {organization}).copy()
                ),
                key=lambda part: (-len(part), min(part)),
            )
            assert loss.separated.tolist() == sorted(set().union(*parts[1:]))

    @pytest.mark.parametrize("name", CORNER_CASES)
    def test_of_corner_cases(self, name: str) -> None:
        graph = CORNER_CASES[name]
        losses = [measure_loss(graph, organization) for organization in range(graph.size)]
        assert sum(loss.given for loss in losses) == graph.total
        assert sum(loss.received for loss in losses) == graph.total

    def test_of_the_middle_of_a_chain_separates_the_smaller_part(self) -> None:
        loss = measure_loss(FlowGraph.of(5, {(0, 1): 1, (1, 2): 1, (2, 3): 1, (3, 4): 1}), 1)
        assert loss.separated.tolist() == [0]
        assert (loss.components.weak_count, loss.components_without.weak_count) == (1, 2)

    def test_of_the_only_organization_leaves_nothing(self) -> None:
        loss = measure_loss(FlowGraph.of(1, {}), 0)
        assert loss.components_without == (0, 0, 0, 0)
        assert loss.separated.tolist() == []


class TestOfGraphTools:
    def test_triads_have_the_names_and_order_of_networkx(self) -> None:
        """G15: every triple counts once, and ties to oneself are ignored."""
        graph = make_random_graph(12, 40, 2)
        other = to_networkx(graph)
        other.add_edge(3, 3)
        assert [*count_triads(graph).items()] == [*nx.triadic_census(other).items()]
        assert list(TRIAD_NAMES) == list(nx.triadic_census(nx.empty_graph(3, nx.DiGraph)))
        assert sum(count_triads(graph).values()) == 12 * 11 * 10 / 6

    def test_several_exchanges_are_one_tie(self) -> None:
        """N11: igraph takes parallel ties from A to B for a mutual pair, networkx does not."""
        parallel = nx.MultiDiGraph([(0, 1), (0, 1)])
        parallel.add_node(2)
        census = count_triads(FlowGraph.of(3, {(0, 1): 2}))
        assert census == nx.triadic_census(parallel)
        assert {name for name, count in census.items() if count} == {"012"}

    def test_reciprocity_of_a_node_drops_parallel_ties(self) -> None:
        """N16: networkx keeps them in the whole, so an export has one tie a pair."""
        parallel = nx.MultiDiGraph([(0, 1), (0, 1), (1, 0), (2, 0)])
        single = nx.DiGraph(parallel)
        assert nx.reciprocity(parallel, 0) == nx.reciprocity(single, 0) == pytest.approx(2 / 3)
        assert nx.overall_reciprocity(single) == pytest.approx(2 / 3)
        assert nx.overall_reciprocity(parallel) != pytest.approx(2 / 3)

    def test_ties_of_weight_zero_are_ties_here_and_lost_in_an_array(self) -> None:
        """N16: networkx drops them on the way through an array."""
        graph = FlowGraph.of(3, {(0, 1): 0, (1, 0): 0, (1, 2): 3})
        fan_out, sources = find_fan_out(graph)
        assert (fan_out.tolist(), sources.tolist()) == ([1, 2, 0], [1, 1, 1])
        assert count_triads(graph)["111U"] + count_triads(graph)["111D"] == 1
        array = nx.to_numpy_array(to_networkx(graph))
        back = nx.from_numpy_array(array, create_using=nx.DiGraph)
        assert back.number_of_edges() == 1
        assert np.count_nonzero(array) == 1
