"""The structure of a flow: components, reach, and what hangs on one organization."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from services.measures.flow_graph import FlowGraph, Ints


class Components(NamedTuple):
    """Numbers and sizes of components; an organization without ties is one of its own."""

    weak_count: int
    largest_weak: int
    """Organizations in the largest component, whatever the direction of ties."""
    strong_count: int
    largest_strong: int
    """Organizations in the largest component in which everybody reaches everybody."""


class SoleSources(NamedTuple):
    """Receivers that have only one source, with that source."""

    receiver: Ints
    source: Ints


class Loss(NamedTuple):
    """What ends when an organization stops exchanging."""

    flow_lost: int
    """What it gave and received."""
    receivers_without_source: Ints
    """Organizations whose only source it is."""


def count_components(graph: FlowGraph) -> Components:
    """The components of a graph; all 0 without organizations."""
    if not graph.size:
        return Components(0, 0, 0, 0)
    shape = (graph.size, graph.size)
    matrix = coo_array((np.ones(len(graph.giver)), (graph.giver, graph.receiver)), shape=shape)
    weak_count, weak = connected_components(matrix, directed=True, connection="weak")
    strong_count, strong = connected_components(matrix, directed=True, connection="strong")
    return Components(
        int(weak_count),
        int(np.bincount(weak).max()),
        int(strong_count),
        int(np.bincount(strong).max()),
    )


def find_fan_out(graph: FlowGraph) -> tuple[Ints, Ints]:
    """To how many each organization gave, and from how many it received."""
    return (
        np.bincount(graph.giver, minlength=graph.size),
        np.bincount(graph.receiver, minlength=graph.size),
    )


def find_sole_sources(graph: FlowGraph) -> SoleSources:
    """The receivers with a single source, ascending by receiver."""
    _, sources = find_fan_out(graph)
    alone = np.flatnonzero(sources[graph.receiver] == 1)
    alone = alone[np.argsort(graph.receiver[alone])]
    return SoleSources(graph.receiver[alone], graph.giver[alone])


def measure_loss(graph: FlowGraph, organization: int) -> Loss:
    """What ends when an organization stops exchanging."""
    receiver, source = find_sole_sources(graph)
    return Loss(
        int(graph.given[organization] + graph.received[organization]),
        receiver[source == organization],
    )
