"""The structure of a flow: components, reach, and what depends on one organization."""

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

    given: int
    """What it gave."""
    received: int
    """What it received."""
    receivers_without_source: Ints
    """Organizations whose only source it is, ascending."""
    components: Components
    """Of all organizations."""
    components_without: Components
    """Of all others, without the ties of this one."""
    separated: Ints
    """Organizations connected with it, without those of the largest part that is left, ascending.

    Of parts of equal size, the one with the lowest organization goes for the largest.
    """


def count_components(graph: FlowGraph) -> Components:
    """The components of a graph; all 0 without organizations."""
    if not graph.size:
        return Components(0, 0, 0, 0)
    weak, strong = (np.bincount(label_components(graph, each)) for each in ("weak", "strong"))
    return Components(len(weak), int(weak.max()), len(strong), int(strong.max()))


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
    rest = _remove(graph, organization)
    part = label_components(rest, "weak")
    whole = label_components(graph, "weak")
    with_it = np.delete(whole == whole[organization], organization)
    others = np.delete(np.arange(graph.size), organization)
    sizes = np.bincount(part[with_it], minlength=1)
    is_largest = sizes[part[with_it]] == sizes.max()
    largest_part = part[with_it][is_largest][:1]
    return Loss(
        int(graph.given[organization]),
        int(graph.received[organization]),
        receiver[source == organization],
        count_components(graph),
        count_components(rest),
        others[with_it & ~np.isin(part, largest_part)],
    )


def _remove(graph: FlowGraph, organization: int) -> FlowGraph:
    """The graph without an organization; higher ones are numbered one lower."""
    kept = (graph.giver != organization) & (graph.receiver != organization)
    giver, receiver = graph.giver[kept], graph.receiver[kept]
    return FlowGraph(
        graph.size - 1,
        giver - (giver > organization),
        receiver - (receiver > organization),
        graph.weight[kept],
    )


def label_components(graph: FlowGraph, connection: str) -> Ints:
    """The number of each organization's component; `connection` is "weak" or "strong"."""
    shape = (graph.size, graph.size)
    if not graph.size:
        return np.zeros(0, dtype=np.int64)  # SciPy refuses an empty matrix
    matrix = coo_array((np.ones(len(graph.giver)), (graph.giver, graph.receiver)), shape=shape)
    labels: Ints = connected_components(matrix, directed=True, connection=connection)[1]
    return labels
