"""The triad census: triples of organizations by the ties among them."""

from collections.abc import Mapping
from itertools import permutations, product
from typing import Final

import numpy as np
from scipy.sparse import coo_array, csr_array

from services.measures.flow_graph import FlowGraph
from services.measures.sparse_product import multiply_where

TRIAD_NAMES: Final = (
    *("003", "012", "102", "021D", "021U", "021C", "111D", "111U"),
    *("030T", "030C", "201", "120D", "120U", "120C", "210", "300"),
)
"""In the usual order: numbers of mutual, asymmetric and null pairs, and the direction."""
_NULL, _FORTH, _BACK, _MUTUAL = range(4)
"""What is between two organizations, seen from the first."""
_CONNECTED: Final = (_FORTH, _BACK, _MUTUAL)
_REVERSED: Final = {_NULL: _NULL, _FORTH: _BACK, _BACK: _FORTH, _MUTUAL: _MUTUAL}
_EXAMPLES: Final = {
    (_NULL, _NULL, _NULL): "003",
    (_FORTH, _NULL, _NULL): "012",
    (_MUTUAL, _NULL, _NULL): "102",
    (_BACK, _FORTH, _NULL): "021D",
    (_FORTH, _BACK, _NULL): "021U",
    (_FORTH, _FORTH, _NULL): "021C",
    (_MUTUAL, _BACK, _NULL): "111D",
    (_MUTUAL, _FORTH, _NULL): "111U",
    (_FORTH, _FORTH, _BACK): "030T",
    (_FORTH, _FORTH, _FORTH): "030C",
    (_MUTUAL, _MUTUAL, _NULL): "201",
    (_BACK, _FORTH, _MUTUAL): "120D",
    (_FORTH, _BACK, _MUTUAL): "120U",
    (_FORTH, _FORTH, _MUTUAL): "120C",
    (_FORTH, _MUTUAL, _MUTUAL): "210",
    (_MUTUAL, _MUTUAL, _MUTUAL): "300",
}
"""For organizations 1, 2 and 3: what is from 1 to 2, from 2 to 3, and from 3 to 1."""


def _name_all() -> dict[tuple[int, int, int], str]:
    """The name of each of the 64 triads of named organizations."""
    names: dict[tuple[int, int, int], str] = {}
    for (forth, onward, home), name in _EXAMPLES.items():
        between = {(0, 1): forth, (1, 2): onward, (2, 0): home}
        between |= {(j, i): _REVERSED[state] for (i, j), state in between.items()}
        for one, two, three in permutations(range(3)):
            names[between[one, two], between[two, three], between[three, one]] = name
    return names


_NAMES: Final = _name_all()


def count_triads(graph: FlowGraph) -> Mapping[str, int]:
    """Number of triples of each kind, by name in the usual order.

    Triples with a null pair follow from the number of neighbours, so that only ties are looked at.
    """
    size = graph.size
    matrices = _split_by_state(graph)
    connected = matrices[_FORTH] + matrices[_BACK] + matrices[_MUTUAL]
    ordered = dict.fromkeys(TRIAD_NAMES, 0)  # every triple counts once for each order of its three
    for first, second in product(_CONNECTED, repeat=2):
        paths = multiply_where(matrices[first], matrices[second], connected)
        open_count = _count_paths(matrices[first], matrices[second])
        for third in _CONNECTED:
            closed = int(paths.multiply(matrices[third].T).sum())
            ordered[_NAMES[first, second, third]] += closed
            open_count -= closed
        # The null pair of an open triple may be any of the three.
        ordered[_NAMES[first, second, _NULL]] += 3 * open_count
    census = {name: count // 6 for name, count in ordered.items()}
    mutual, asymmetric = matrices[_MUTUAL].nnz // 2, matrices[_FORTH].nnz
    # Each pair is in size - 2 triples, of which the others have one or two more connected pairs.
    for name, pair_count, letter in (("102", mutual, 0), ("012", asymmetric, 1)):
        elsewhere = sum(int(other[letter]) * count for other, count in census.items())
        census[name] = pair_count * (size - 2) - elsewhere
    census["003"] = size * (size - 1) * (size - 2) // 6 - sum(census.values())
    return census


def _split_by_state(graph: FlowGraph) -> dict[int, csr_array]:
    """For each state but null, the matrix of the ordered pairs in it."""
    pairs, shape = graph.pairs, (graph.size, graph.size)

    def make(giver: np.ndarray, receiver: np.ndarray) -> csr_array:
        return coo_array((np.ones(len(giver), np.int64), (giver, receiver)), shape=shape).tocsr()

    low, high = pairs.low, pairs.high
    forth, back = pairs.has_forth & ~pairs.has_back, pairs.has_back & ~pairs.has_forth
    one_way = make(
        np.concatenate([low[forth], high[back]]), np.concatenate([high[forth], low[back]])
    )
    mutual = make(low[pairs.is_mutual], high[pairs.is_mutual])
    return {_FORTH: one_way, _BACK: one_way.T.tocsr(), _MUTUAL: (mutual + mutual.T).tocsr()}


def _count_paths(first: csr_array, second: csr_array) -> int:
    """Number of paths along a tie of the first and one of the second, between distinct ends."""
    through = int(np.asarray(first.sum(axis=0)).ravel() @ np.asarray(second.sum(axis=1)).ravel())
    return through - int(first.multiply(second.T).sum())
