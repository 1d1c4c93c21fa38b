"""Lift: whether organizations of one group exchange more among themselves than their totals say."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.measures.flow_graph import Floats, FlowGraph, Ints

METRIC_VERSION: Final = 1
"""Version of these definitions; numbers of different versions are not comparable."""
PERMUTATION_COUNT: Final = 999
MIN_GROUPS: Final = 3
MIN_GROUP_SIZE: Final = 2
UNKNOWN_GROUP: Final = -1
ROUNDING: Final = 1e-12
"""Relative difference below which two products of sums are equal."""


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
    reasons: tuple[str, ...] = ()
    """NO_KNOWN_AMOUNT, TOO_FEW_GROUPS or NOTHING_EXPECTED, where measures are None."""


def measure_lift(
    graph: FlowGraph,
    groups: Ints,
    *,
    strata: Ints | None = None,
    seed: int = 0,
    checkpoint: Callable[[], None] = lambda: None,
) -> Lift:
    """The lift of groups, numbered from 0; UNKNOWN_GROUP leaves with its flow.

    Permutations exchange the groups of organizations of one stratum; None is one stratum of all.
    Measures are None without flow, and where fewer than MIN_GROUPS groups have two organizations;
    `lift` is None where totals allow no flow within groups.
    """
    known = groups != UNKNOWN_GROUP
    is_kept = known[graph.giver] & known[graph.receiver]
    giver, receiver, weight = (
        each[is_kept] for each in (graph.giver, graph.receiver, graph.weight)
    )
    sizes = np.bincount(groups[known])
    too_few = int(np.count_nonzero(sizes >= MIN_GROUP_SIZE)) < MIN_GROUPS
    counts = Lift(
        organization_count=int(np.count_nonzero(known)),
        left_out=graph.total - int(weight.sum()),
        reasons=("NO_KNOWN_AMOUNT",) * (not weight.sum()) + ("TOO_FEW_GROUPS",) * too_few,
    )
    if counts.reasons:
        return counts
    flow, given, received, own, expected_total = _sum_flow(giver, receiver, weight, graph.size)

    def measure(labels: Ints) -> tuple[float, float]:
        checkpoint()
        share = flow[labels[giver] == labels[receiver]].sum() / flow.sum()
        given_sums, received_sums = (
            np.bincount(labels[known], sums[known], len(sizes)) for sums in (given, received)
        )
        products = given_sums @ received_sums
        within = products - own
        return float(share), float(within / expected_total) if within > ROUNDING * products else 0.0

    return _complete(counts, measure, groups, _list_strata(known, strata), seed)


def measure_pair_lift(
    graph: FlowGraph,
    pairs: tuple[Ints, Ints],
    *,
    strata: Ints | None = None,
    seed: int = 0,
    checkpoint: Callable[[], None] = lambda: None,
) -> Lift:
    """The lift of pairs: the flow within them, next to what totals suggest of them.

    `pairs` has the lower and the higher number of each unordered pair, each pair once. Permutations
    exchange organizations of one stratum together with all their pairs. Measures are None without
    flow and below MIN_GROUPS pairs.
    """
    low, high = pairs
    counts = Lift(
        organization_count=graph.size,
        reasons=("NO_KNOWN_AMOUNT",) * (not graph.total)
        + ("TOO_FEW_GROUPS",) * (len(low) < MIN_GROUPS),
    )
    if counts.reasons:
        return counts
    flow, given, received, _, expected_total = _sum_flow(
        graph.giver, graph.receiver, graph.weight, graph.size
    )
    keys = graph.giver * graph.size + graph.receiver
    order = np.argsort(keys)
    keys, flow = np.append(keys[order], -1), np.append(flow[order], 0.0)

    def measure(places: Ints) -> tuple[float, float]:
        checkpoint()
        one, other = places[low], places[high]
        within = 0.0
        for giver, receiver in ((one, other), (other, one)):
            sought = giver * graph.size + receiver
            row = np.searchsorted(keys[:-1], sought)
            within += flow[row][keys[row] == sought].sum()
        suggested = given[one] @ received[other] + given[other] @ received[one]
        return float(within / flow.sum()), float(suggested / expected_total)

    places = np.arange(graph.size)
    everyone = np.ones(graph.size, dtype=np.bool_)
    return _complete(counts, measure, places, _list_strata(everyone, strata), seed)


class _FlowSums(NamedTuple):
    """Flow without the common factor of its weights, so that products of counts are exact."""

    flow: Floats
    given: Floats
    received: Floats
    own: float
    """The sum of given times received, of each organization."""
    expected_total: float
    """The same over all ordered pairs of distinct organizations."""


def _sum_flow(giver: Ints, receiver: Ints, weight: Ints, size: int) -> _FlowSums:
    flow = (weight // int(np.gcd.reduce(weight))).astype(np.float64)
    given, received = (np.bincount(end, flow, size).astype(np.float64) for end in (giver, receiver))
    own = float(given @ received)
    return _FlowSums(flow, given, received, own, float(given.sum() * received.sum()) - own)


def _complete(
    counts: Lift,
    measure: Callable[[Ints], tuple[float, float]],
    labels: Ints,
    members: list[Ints],
    seed: int,
) -> Lift:
    """Compares the share and expected share of labels with those of their permutations."""
    share, expected = measure(labels)
    if not expected:
        return counts._replace(share=share, expected_share=expected, reasons=("NOTHING_EXPECTED",))
    lift = share / expected
    rng = np.random.default_rng(seed)
    draws = [measure(_permute(labels, members, rng)) for _ in range(PERMUTATION_COUNT)]
    as_large = sum(one >= lift * other * (1 - ROUNDING) for one, other in draws if other)
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
