"""How organizations stand between others: Burt's constraint, brokerage roles, betweenness.

All of them look at direct ties. Constraint and betweenness read weights, so they leave out ties of
weight 0: these have no share of anything, and infinite length.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from services.measures.flow_graph import Floats, FlowGraph, Ints
from services.measures.lift import UNKNOWN_GROUP
from services.measures.sparse_product import multiply_where

_SAME_LENGTH: Final = 1e-12
"""Relative difference up to which two paths are equally long, because sums of 1 / w are rounded."""
_SHORTEST: Final = 1e-12
"""Ties are at least this long, next to the longest one, so that no sum of lengths loses them."""


class BrokerageRoles(NamedTuple):
    """How often each organization stands between two others, by group (Gould and Fernandez).

    It does for i and k when i gave to it, it gave to k, and i gave nothing to k.
    """

    coordinator: Ints
    """All three are of one group."""
    itinerant: Ints
    """The two others are of one group, and it is of another."""
    gatekeeper: Ints
    """It and the receiver are of one group, and the giver is of another."""
    representative: Ints
    """It and the giver are of one group, and the receiver is of another."""
    liaison: Ints
    """All three are of different groups."""


def measure_constraint(graph: FlowGraph) -> list[float | None]:
    """Burt's constraint of each organization; None without a contact.

    c_i = sum over contacts j of (p_ij + sum over q of p_iq p_qj)^2, where p_ij is the part of what
    i gave and received that it exchanged with j. It is 1 with a single contact and low with many
    that have nothing to do with each other; above 1 is possible (Burt, Structural Holes, 1992).
    """
    matrix = _weigh(graph)
    both = (matrix + matrix.T).tocsr()
    sums = np.asarray(both.sum(axis=1)).ravel()
    shares = both.multiply(1 / np.where(sums > 0, sums, 1)[:, None]).tocsr()
    invested = shares + multiply_where(shares, shares, both > 0)
    constraint = np.asarray(invested.multiply(invested).sum(axis=1)).ravel()
    return [
        value if has_contact else None
        for value, has_contact in zip(constraint.tolist(), (sums > 0).tolist(), strict=True)
    ]


def count_brokerage_roles(graph: FlowGraph, groups: Ints) -> BrokerageRoles:
    """Brokerage by the group of each organization (Gould and Fernandez, 1989).

    Organizations of UNKNOWN_GROUP have no role, and nobody has one between them and others.
    """
    known = groups != UNKNOWN_GROUP
    kept = known[graph.giver] & known[graph.receiver]
    giver, receiver = graph.giver[kept], graph.receiver[kept]
    is_same = groups[giver] == groups[receiver]
    same = _mark(giver[is_same], receiver[is_same], graph.size)
    other = _mark(giver[~is_same], receiver[~is_same], graph.size)
    every = same + other
    across = _count_open(other, other, every)
    membership = _mark(np.flatnonzero(known), groups[known], graph.size, groups.max(initial=0) + 1)
    ends = (other.T @ membership).multiply(other @ membership)
    returned = _sum_rows(other.T.multiply(other))
    itinerant = _sum_rows(ends) - returned - _count_closed(other, other, same)
    return BrokerageRoles(
        coordinator=_count_open(same, same, every),
        itinerant=itinerant,
        gatekeeper=_count_open(other, same, every),
        representative=_count_open(same, other, every),
        liaison=across - itinerant,
    )


def measure_betweenness(graph: FlowGraph, checkpoint: Callable[[], None] = lambda: None) -> Floats:
    """How many shortest paths between two others lead through each organization.

    A tie of weight w has the length 1 / w, so much flow makes a short way. Of several shortest
    paths between the same two, each counts an equal part (Freeman, 1977; Brandes, 2001).
    `checkpoint` is called often, and may raise.
    """
    matrix = _weigh(graph)
    matrix.data = 1 / matrix.data
    matrix.data = np.maximum(matrix.data, _SHORTEST * matrix.data.max(initial=0))
    ends = matrix.tocoo()
    betweenness = np.zeros(graph.size)
    for source in np.unique(ends.row):
        checkpoint()
        distance = dijkstra(matrix, indices=source)
        order = np.argsort(distance, kind="stable")[: np.count_nonzero(np.isfinite(distance))]
        place = np.full(graph.size, -1)
        place[order] = np.arange(len(order))
        betweenness[order[1:]] += _depend(distance, ends, place, len(order))[1:]
    return betweenness


def _depend(distance: Floats, ends: coo_array, place: Ints, size: int) -> Floats:
    """For each organization in order of distance, the paths from the source that need it.

    With T the ties that lie on shortest paths, the numbers of paths are s = e + T' s. What the
    paths through v carry, x = (1 + dependency) / s, is x = 1 / s + T x (Brandes). Both are solved
    exactly, because T leads away from the source only.
    """
    giver, receiver = ends.row, ends.col
    way = distance[giver] + ends.data
    is_shortest = np.isfinite(way) & (place[giver] < place[receiver])
    is_shortest &= way <= distance[receiver] * (1 + _SAME_LENGTH)
    ties = _mark(place[giver[is_shortest]], place[receiver[is_shortest]], size)
    system = splu((eye_array(size) - ties).tocsc(), permc_spec="NATURAL")
    path_counts = system.solve(np.eye(1, size)[0], trans="T")
    carried = system.solve(1 / path_counts)
    dependencies: Floats = path_counts * carried - 1
    return dependencies


def _weigh(graph: FlowGraph) -> csr_array:
    """The weights above 0."""
    kept = graph.weight > 0
    entries = (graph.weight[kept] * 1.0, (graph.giver[kept], graph.receiver[kept]))
    return coo_array(entries, shape=(graph.size, graph.size)).tocsr()


def _mark(row: Ints, column: Ints, height: int, width: int | None = None) -> csr_array:
    """The matrix that has 1 in these places."""
    ones = np.ones(len(row), dtype=np.int64)
    shape = (height, height if width is None else width)
    return coo_array((ones, (row, column)), shape=shape).tocsr()


def _count_open(into: csr_array, out_of: csr_array, ties: csr_array) -> Ints:
    """Paths through each organization whose ends differ and have no tie from first to last."""
    given = np.asarray(into.sum(axis=0)).ravel() * np.asarray(out_of.sum(axis=1)).ravel()
    returned = _sum_rows(into.T.multiply(out_of))
    open_count: Ints = given - returned - _count_closed(into, out_of, ties)
    return open_count


def _count_closed(into: csr_array, out_of: csr_array, ties: csr_array) -> Ints:
    """Paths through each organization whose first end has a tie to the last."""
    return _sum_rows(multiply_where(into.T.tocsr(), ties, out_of))


def _sum_rows(matrix: csr_array) -> Ints:
    sums: Ints = np.asarray(matrix.sum(axis=1)).ravel()
    return sums
