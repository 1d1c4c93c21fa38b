"""What the network pays back: how much of a one-sided pair returns through others."""

from collections import deque
from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from services.measures.flow_graph import FlowGraph, Ints

_CAPACITY_BITS: Final = 30
"""SciPy's maximum flow takes capacities of 32 bits."""


class PaidBack(NamedTuple):
    """What the network pays back to the organization of a pair that gave more.

    `amount` = min(net, maximum flow from receiver to giver in the graph of net flows): the most
    that can have come back. It is unique, and does not add up over pairs, because pairs share ties.
    `path` is a shortest path of such a flow, from the receiver to the giver; () without one.
    """

    net: int
    amount: int
    path: tuple[int, ...]


class PaybackNetwork:
    """The net flows of a graph, prepared for many pairs."""

    def __init__(self, graph: FlowGraph) -> None:
        self._size = graph.size
        net = graph.net
        ties = (each.tolist() for each in (net.giver, net.receiver, net.weight))
        self._net = {(i, j): w for i, j, w in zip(*ties, strict=True)}
        self._divisor = int(np.gcd.reduce(net.weight)) if len(net.weight) else 1
        weight = net.weight // self._divisor
        # Each tie has its reverse with capacity 0, which takes what a flow gives back.
        ends = np.concatenate([net.giver, net.receiver]), np.concatenate([net.receiver, net.giver])
        self._capacity = csr_array(
            (np.concatenate([weight, np.zeros_like(weight)]), ends), shape=(self._size, self._size)
        )
        self._capacity.sort_indices()

    def find(self, giver: int, receiver: int) -> PaidBack:
        """What came back to a giver that gave the receiver more than it received.

        Raises ValueError when it did not give more.
        """
        net = self._net.get((giver, receiver), 0)
        if net <= 0:
            raise ValueError(f"organization {giver} did not give {receiver} more than it received")
        flow, amount = self._maximize(receiver, giver)
        path = _find_shortest_path(flow, receiver, giver)
        return PaidBack(net, min(net, amount * self._divisor), path)

    def _maximize(self, source: int, sink: int) -> tuple[csr_array, int]:
        """A maximum flow, by scaling: the high bits of the capacities first.

        What the lower bits can add is at most one unit of the higher ones on each tie, so that
        every step works with small numbers and the sum is exact.
        """
        residual, total = self._capacity.copy(), 0
        flow = csr_array(residual.shape, dtype=np.int64)
        bits = max(0, int(residual.data.max(initial=0)).bit_length() - _CAPACITY_BITS)
        step_bits = _CAPACITY_BITS - max(1, residual.nnz).bit_length()
        while True:
            limit = (1 << _CAPACITY_BITS) - 1
            scaled = residual.copy()
            scaled.data = np.minimum(residual.data >> bits, limit).astype(np.int32)
            step = maximum_flow(scaled, source, sink)
            addition = csr_array(step.flow).astype(np.int64) * (1 << bits)
            flow = flow + addition
            residual = _subtract(residual, addition)
            total += int(step.flow_value) << bits
            if bits == 0:
                return flow, total
            bits = max(0, bits - step_bits)


def _subtract(capacity: csr_array, flow: csr_array) -> csr_array:
    """What remains of capacities under a flow, which is antisymmetric: reverse ties gain."""
    rows = np.repeat(np.arange(capacity.shape[0]), np.diff(capacity.indptr))
    remaining = capacity.copy()
    remaining.data = capacity.data - np.asarray(flow[rows, capacity.indices]).ravel()
    return remaining


def _find_shortest_path(flow: csr_array, source: int, sink: int) -> tuple[int, ...]:
    """A path of fewest ties along positive flow, by breadth-first search; () without one."""
    previous: dict[int, int] = {source: source}
    queue = deque([source])
    while queue and sink not in previous:
        node = queue.popleft()
        row: Ints = flow.indices[flow.indptr[node] : flow.indptr[node + 1]]
        amounts: Ints = flow.data[flow.indptr[node] : flow.indptr[node + 1]]
        for neighbour in sorted(row[amounts > 0].tolist()):
            if neighbour not in previous:
                previous[neighbour] = node
                queue.append(neighbour)
    if sink not in previous:
        return ()
    path = [sink]
    while path[-1] != source:
        path.append(previous[path[-1]])
    return tuple(reversed(path))
