"""The four parts of a flow: returned directly, circulating, relayed, and one-way."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from services.measures.flow_graph import Floats, FlowGraph
from services.measures.structure import label_components


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


def split_flow(graph: FlowGraph) -> FlowSplit | None:
    """The four parts of a graph's flow; None without flow."""
    total = graph.total
    if not total:
        return None
    direct = 2 * int(graph.pairs.smaller.sum())
    one_way = int(np.maximum(graph.given - graph.received, 0).sum())
    circulating = _maximize_circulation(graph.net)
    relayed = total - direct - one_way - circulating
    return FlowSplit(direct / total, circulating / total, relayed / total, one_way / total)


def _maximize_circulation(net: FlowGraph) -> int:
    """The largest sum of flows in which every organization receives what it gives.

    A linear program over the ties that lie on a cycle. Its optimum is whole, because its amounts
    are, so rounding removes only the solver's error.
    """
    giver, receiver, weight = net.giver, net.receiver, net.weight
    component = label_components(net, "strong")
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
        shape=(net.size, len(tie)),
    ).tocsr()
    solution = linprog(
        -np.ones(len(tie)),
        A_eq=conservation,
        b_eq=np.zeros(net.size),
        bounds=np.stack([np.zeros(len(tie)), weight / scale], axis=1),
        method="highs",
    )
    flows: Floats = solution.x * scale
    return round(float(flows.sum()))
