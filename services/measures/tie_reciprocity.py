"""Reciprocity of ties, whatever they weigh, next to what the degrees alone would give."""

from typing import NamedTuple

import numpy as np

from services.measures.families import BERNOULLI
from services.measures.flow_graph import FlowGraph
from services.measures.maximum_entropy import UnsolvedModelError, round_measure, solve


class DyadCensus(NamedTuple):
    """Unordered pairs of organizations, by the ties between them."""

    mutual: int
    asymmetric: int
    null: int


class TieReciprocity(NamedTuple):
    """Ties and their reciprocity; None is undefined.

    `reciprocity` r = 2M / (2M + A) in [0, 1], of the census. `expected` and `deviation` are its
    mean and standard deviation under the directed binary configuration model, which keeps every
    organization's numbers of ties. `rho` = (r - d) / (1 - d), d the density of ties, in
    [-d / (1 - d), 1]: Garlaschelli and Loffredo, Physical Review Letters 93:268701 (2004).
    """

    census: DyadCensus
    reciprocity: float | None = None
    expected: float | None = None
    deviation: float | None = None
    rho: float | None = None


def count_dyads(graph: FlowGraph) -> DyadCensus:
    """The dyad census of a graph."""
    mutual = int(np.count_nonzero(graph.pairs.is_mutual))
    connected = len(graph.pairs.low)
    pair_count = graph.size * (graph.size - 1) // 2
    return DyadCensus(mutual, connected - mutual, pair_count - connected)


def measure_tie_reciprocity(graph: FlowGraph) -> TieReciprocity:
    """The reciprocity of ties. All measures are None without ties."""
    census, tie_count = count_dyads(graph), len(graph.giver)
    if not tie_count:
        return TieReciprocity(census)
    reciprocity = 2 * census.mutual / tie_count
    density = tie_count / (graph.size * (graph.size - 1))
    expected, deviation = _expect(graph)
    return TieReciprocity(
        census,
        reciprocity,
        expected,
        deviation,
        None if density == 1 else (reciprocity - density) / (1 - density),
    )


def _expect(graph: FlowGraph) -> tuple[float | None, float | None]:
    """Mean and standard deviation of r when degrees are kept; None where there is no model."""
    degrees = [
        np.bincount(end, minlength=graph.size).astype(np.float64)
        for end in (graph.giver, graph.receiver)
    ]
    try:
        model = solve(BERNOULLI, *degrees)
    except UnsolvedModelError:
        return None, None
    both = model.mean * model.mean.T
    tie_count = len(graph.giver)
    expected = model.sum_over_pairs(both) / tie_count
    deviation = 2 * np.sqrt(model.sum_over_pairs(both * (1 - both)) / 2) / tie_count
    return round_measure(expected), round_measure(float(deviation))
