"""Reciprocity of weights: how much of the flow is returned, and how far that depends on few."""

from typing import Final, NamedTuple

import numpy as np

from services.measures.flow_graph import FlowGraph

_NORMAL_QUANTILE: Final = 1.96


class WithoutOrganization(NamedTuple):
    """The weighted reciprocity of a graph without one organization."""

    organization: int
    reciprocity: float


class WeightedReciprocity(NamedTuple):
    """Weighted reciprocity and its parts, each in [0, 1].

    `reciprocity` r_w = sum of min(w_ij, w_ji) / W over ordered pairs: Squartini et al., Scientific
    Reports 3:2729 (2013). It is `two_way_share`, the part of W in pairs where both gave, times
    `evenness` within these. `ceiling` = sum of min(given, received) / W is the most that the totals
    of organizations allow. `evenness` is None where no pair is two-way.
    """

    reciprocity: float
    two_way_share: float
    evenness: float | None
    ceiling: float
    interval: tuple[float, float] | None
    """r_w +- 1.96 standard errors over pairs, within [0, 1]: how far r_w depends on few pairs. None
    with fewer than two pairs."""
    lowest: WithoutOrganization | None
    """The organization without which r_w is lowest; None where none can be left out."""
    highest: WithoutOrganization | None


def compute_weighted_reciprocity(graph: FlowGraph) -> float | None:
    """r_w alone; None without flow."""
    return 2 * int(graph.pairs.smaller.sum()) / graph.total if graph.total else None


def measure_weighted_reciprocity(graph: FlowGraph) -> WeightedReciprocity | None:
    """The reciprocity of weights; None without flow."""
    pairs, total = graph.pairs, graph.total
    if not total:
        return None
    returned = 2 * int(pairs.smaller.sum())
    two_way = int(pairs.total[pairs.smaller > 0].sum())
    lowest, highest = _leave_each_out(graph)
    return WeightedReciprocity(
        reciprocity=returned / total,
        two_way_share=two_way / total,
        evenness=returned / two_way if two_way else None,
        ceiling=int(np.minimum(graph.given, graph.received).sum()) / total,
        interval=_find_interval(graph),
        lowest=lowest,
        highest=highest,
    )


def _find_interval(graph: FlowGraph) -> tuple[float, float] | None:
    pairs = graph.pairs
    flows = pairs.total[pairs.total > 0].astype(np.float64)
    if len(flows) < 2:
        return None
    returned = 2.0 * pairs.smaller[pairs.total > 0]
    reciprocity = returned.sum() / flows.sum()
    squares = float(((returned - reciprocity * flows) ** 2).sum())
    error = np.sqrt(len(flows) / (len(flows) - 1) * squares) / flows.sum()
    margin = _NORMAL_QUANTILE * error
    return float(max(0.0, reciprocity - margin)), float(min(1.0, reciprocity + margin))


def _leave_each_out(
    graph: FlowGraph,
) -> tuple[WithoutOrganization | None, WithoutOrganization | None]:
    """The organizations without which r_w is lowest and highest; the first of equals."""
    pairs = graph.pairs
    returned_with = np.zeros(graph.size, dtype=np.int64)
    for end in (pairs.low, pairs.high):
        np.add.at(returned_with, end, 2 * pairs.smaller)
    rest = graph.total - graph.given - graph.received
    candidates = np.flatnonzero((rest > 0) & (rest < graph.total))
    if not len(candidates):
        return None, None
    returned = 2 * int(pairs.smaller.sum()) - returned_with[candidates]
    reciprocity = returned / rest[candidates]
    lowest, highest = int(np.argmin(reciprocity)), int(np.argmax(reciprocity))
    return (
        WithoutOrganization(int(candidates[lowest]), float(reciprocity[lowest])),
        WithoutOrganization(int(candidates[highest]), float(reciprocity[highest])),
    )
