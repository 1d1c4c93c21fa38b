"""The four parts of a flow: returned directly, circulating, relayed, and one-way."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from services.measures.flow_graph import Floats, FlowGraph, Ints


class FlowSplit(NamedTuple):
    """Shares of the whole flow W, which add up to 1.

    `direct` is returned between the same two organizations and equals r_w. `circulating` comes back
    through others: the maximum circulation in the graph of net flows. `one_way` is the sum of what
    organizations gave more than they received. `relayed` is the rest: flow that passes through.
    """

    direct: float
    circulating: float
    relayed: float
    one_way: float


class NetGraph(NamedTuple):
    """What remains of each pair when the smaller flow is taken from the larger one."""

    giver: Ints
    receiver: Ints
    weight: Ints
    """Positive."""

    @classmethod
    def of(cls, graph: FlowGraph) -> "NetGraph":
        """The net flows of a graph."""
        pairs = graph.pairs
        uneven = np.flatnonzero(pairs.net)
        is_forth = pairs.net[uneven] > 0
        low, high = pairs.low[uneven], pairs.high[uneven]
        return cls(
            np.where(is_forth, low, high), np.where(is_forth, high, low), abs(pairs.net[uneven])
        )


def split_flow(graph: FlowGraph) -> FlowSplit | None:
    """The four parts of a graph's flow; None without flow."""
    total = graph.total
    if not total:
        return None
    direct = 2 * int(graph.pairs.smaller.sum())
    one_way = int(np.maximum(graph.given - graph.received, 0).sum())
    circulating = _maximize_circulation(NetGraph.of(graph), graph.size)
    relayed = total - direct - one_way - circulating
    return FlowSplit(direct / total, circulating / total, relayed / total, one_way / total)


def _maximize_circulation(net: NetGraph, size: int) -> int:
    """The largest sum of flows in which every organization receives what it gives.

    A linear program over the ties that lie on a cycle. Its optimum is whole, because its amounts
    are, so rounding removes only the solver's error.
    """
    giver, receiver, weight = net
    if not len(giver):
        return 0
    matrix = coo_array((np.ones(len(giver)), (giver, receiver)), shape=(size, size))
    _, component = connected_components(matrix, directed=True, connection="strong")
    on_cycle = component[giver] == component[receiver]
    giver, receiver, weight = giver[on_cycle], receiver[on_cycle], weight[on_cycle]
    if not len(giver):
        return 0
    scale = float(weight.max())
    tie = np.arange(len(giver))
    conservation = coo_array(
        (
            np.concatenate([np.ones(len(tie)), -np.ones(len(tie))]),
            (np.concatenate([giver, receiver]), np.concatenate([tie, tie])),
        ),
        shape=(size, len(tie)),
    ).tocsr()
    solution = linprog(
        -np.ones(len(tie)),
        A_eq=conservation,
        b_eq=np.zeros(size),
        bounds=np.stack([np.zeros(len(tie)), weight / scale], axis=1),
        method="highs",
    )
    flows: Floats = solution.x * scale
    return round(float(flows.sum()))
