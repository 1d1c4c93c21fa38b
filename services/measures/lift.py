"""Lift: whether organizations of one group exchange more among themselves than their totals say."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.measures.flow_graph import FlowGraph, Ints

PERMUTATION_COUNT: Final = 999
MIN_GROUPS: Final = 3
MIN_GROUP_SIZE: Final = 2
UNKNOWN_GROUP: Final = -1


class Lift(NamedTuple):
    """How the flow keeps to groups; None is undefined.

    `lift` = `share` / `expected_share`: the part of W within groups over the same part of E, where
    E_ij = given_i received_j (i != j). Over 1, groups exchange more among themselves than totals
    suggest. `p_value` = (1 + number of permutations with at least this lift) / (B + 1), B = 999.
    """

    share: float | None = None
    expected_share: float | None = None
    lift: float | None = None
    p_value: float | None = None
    organization_count: int = 0
    """Organizations whose group is known."""
    left_out: int = 0
    """Flow to and from organizations whose group is unknown, which measures leave out."""


def measure_lift(
    graph: FlowGraph, groups: Ints, *, strata: Ints | None = None, seed: int = 0
) -> Lift:
    """The lift of groups, numbered from 0; UNKNOWN_GROUP leaves with its flow.

    Permutations exchange the groups of organizations of one stratum; None is one stratum of all.
    Measures are None without flow, and where fewer than MIN_GROUPS groups have two organizations.
    """
    known = groups != UNKNOWN_GROUP
    is_kept = known[graph.giver] & known[graph.receiver]
    giver, receiver = graph.giver[is_kept], graph.receiver[is_kept]
    weight = graph.weight[is_kept].astype(np.float64)
    counts = Lift(
        organization_count=int(np.count_nonzero(known)),
        left_out=graph.total - int(graph.weight[is_kept].sum()),
    )
    sizes = np.bincount(groups[known])
    if not weight.sum() or np.count_nonzero(sizes >= MIN_GROUP_SIZE) < MIN_GROUPS:
        return counts
    given = np.bincount(giver, weight, graph.size)
    received = np.bincount(receiver, weight, graph.size)
    own = given * received
    expected_total = given.sum() * received.sum() - own.sum()

    def measure(labels: NDArray[np.int64]) -> tuple[float, float]:
        share = weight[labels[giver] == labels[receiver]].sum() / weight.sum()
        group_count = len(sizes)
        by_group = np.bincount(labels[known], given[known], group_count) @ np.bincount(
            labels[known], received[known], group_count
        )
        return float(share), float((by_group - own.sum()) / expected_total)

    share, expected = measure(groups)
    if expected <= 0:
        return counts._replace(share=share, expected_share=expected)
    lift = share / expected
    members = _list_strata(known, strata)
    rng = np.random.default_rng(seed)
    draws = [measure(_permute(groups, members, rng)) for _ in range(PERMUTATION_COUNT)]
    as_large = sum(one >= lift * other * (1 - 1e-12) for one, other in draws)
    p_value = (1 + as_large) / (PERMUTATION_COUNT + 1)
    return counts._replace(share=share, expected_share=expected, lift=lift, p_value=p_value)


def _list_strata(known: NDArray[np.bool_], strata: Ints | None) -> list[Ints]:
    """The organizations of each stratum whose group is known."""
    members = np.flatnonzero(known)
    if strata is None:
        return [members]
    return [members[strata[members] == stratum] for stratum in np.unique(strata[members])]


def _permute(groups: Ints, members: list[Ints], rng: np.random.Generator) -> Ints:
    labels = groups.copy()
    for stratum in members:
        labels[stratum] = rng.permutation(groups[stratum])
    return labels


def count_mixing(graph: FlowGraph, groups: Ints, group_count: int) -> Ints:
    """The flow from each group (row) to each group (column); unknown groups are left out."""
    known = (groups[graph.giver] != UNKNOWN_GROUP) & (groups[graph.receiver] != UNKNOWN_GROUP)
    table = np.zeros((group_count, group_count), dtype=np.int64)
    np.add.at(
        table,
        (groups[graph.giver[known]], groups[graph.receiver[known]]),
        graph.weight[known],
    )
    return table
