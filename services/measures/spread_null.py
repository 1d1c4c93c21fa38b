"""The spread yardstick: weighted reciprocity when strengths are kept and all else is spread.

Counts are geometric and minutes exponential, independent for each ordered pair, with the sums that
organizations really gave and received (see `maximum_entropy`). Source: Squartini et al., Scientific
Reports 3:2729 (2013).
"""

from typing import Final, NamedTuple

import numpy as np

from services.measures.families import EXPONENTIAL, GEOMETRIC
from services.measures.flow_graph import Floats, FlowGraph, Ints
from services.measures.maximum_entropy import EntropyModel, UnsolvedModelError, solve

DRAW_COUNT: Final = 200
"""Draws of all weights, for percentiles."""


class SpreadNull(NamedTuple):
    """What the spread yardstick expects of weighted reciprocity.

    `expected` is the sum of expected minima over the expected flow. `draws` has the weighted
    reciprocity of each draw of all weights, with its own flow.
    """

    expected: float
    draws: Floats


def compute_spread_null(
    graph: FlowGraph, *, unit: int = 0, seed: int = 0, draw_count: int = DRAW_COUNT
) -> SpreadNull | None:
    """The spread yardstick; None without flow, or where no model has these sums.

    `unit` is the weight of one exchange for counts, and 0 for minutes.
    """
    if not graph.total:
        return None
    scale = unit or max(1, graph.total // max(1, len(graph.weight)))
    given, received = graph.given / scale, graph.received / scale
    try:
        model = solve(GEOMETRIC if unit else EXPONENTIAL, given, received)
    except UnsolvedModelError:
        return None
    draw = _draw_counts if unit else _draw_amounts
    expected = 2 * _sum_minima(model, is_count=bool(unit)) / float(given.sum())
    return SpreadNull(expected, draw(model, np.random.default_rng(seed), draw_count))


def _sum_minima(model: EntropyModel, *, is_count: bool) -> float:
    """The expected sum of min(w_ij, w_ji) over unordered pairs."""
    there, back = model.mean, model.mean.T
    if is_count:
        both = there / (1 + there) * (back / (1 + back))
        return model.sum_over_pairs(both / (1 - both)) / 2
    both = there + back
    minima = np.divide(there * back, both, out=np.zeros_like(both), where=both > 0)
    return model.sum_over_pairs(minima) / 2


class _PairClasses(NamedTuple):
    """Unordered pairs of organizations by their classes, with the mean of either direction."""

    there: Floats
    back: Floats
    counts: Ints
    """Number of pairs of these classes."""

    @classmethod
    def of(cls, model: EntropyModel) -> "_PairClasses":
        row, column = np.triu_indices(len(model.mean))
        counts = model.pair_counts[row, column] / np.where(row == column, 2, 1)
        is_used = (counts > 0) & (model.mean[row, column] + model.mean[column, row] > 0)
        row, column = row[is_used], column[is_used]
        return cls(
            model.mean[row, column], model.mean[column, row], counts[is_used].astype(np.int64)
        )


def _draw_counts(model: EntropyModel, rng: np.random.Generator, draw_count: int) -> Floats:
    """Weighted reciprocity of draws of geometric counts.

    The minimum of a pair's counts and their difference are independent: the minimum is geometric
    with the chance q_ij q_ji, and the difference is 0 or, in one direction, geometric from 1. Most
    of both are 0, so only the others are drawn.
    """
    pairs = _PairClasses.of(model)
    there, back = pairs.there / (1 + pairs.there), pairs.back / (1 + pairs.back)
    draw, pair = _draw_nonzero(rng, draw_count, pairs.counts, there * back)
    minima = np.bincount(draw, rng.geometric(1 - (there * back)[pair]), draw_count)
    is_uneven = 1 - (1 - there) * (1 - back) / (1 - there * back)
    draw, pair = _draw_nonzero(rng, draw_count, pairs.counts, is_uneven)
    is_there = rng.random(len(pair)) * (pairs.there + pairs.back)[pair] < pairs.there[pair]
    chance = np.where(is_there, there[pair], back[pair])
    differences = np.bincount(draw, rng.geometric(1 - chance), draw_count)
    return _divide(2.0 * minima, 2.0 * minima + differences)


def _draw_nonzero(
    rng: np.random.Generator, draw_count: int, counts: Ints, chances: Floats
) -> tuple[Ints, Ints]:
    """For every draw, which pairs have a value that is not 0: numbers of draws and of classes.

    The points of a Poisson process with the rate -log(1 - chance) hit a pair with that chance. A
    pair that is hit again counts once.
    """
    rates = -np.log1p(-chances) * counts
    hits = rng.poisson(rates * draw_count)
    pair = np.repeat(np.arange(len(counts)), hits)
    member = (rng.random(len(pair)) * counts[pair]).astype(np.int64)
    first = np.cumsum(counts) - counts
    keys = (first[pair] + member) * draw_count + rng.integers(draw_count, size=len(pair))
    keys.sort()  # within pairs, whose order is that of the keys
    is_first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    return keys[is_first] % draw_count, pair[is_first]


def _draw_amounts(model: EntropyModel, rng: np.random.Generator, draw_count: int) -> Floats:
    """Weighted reciprocity of draws of exponential amounts."""
    pairs = _PairClasses.of(model)
    there, back = (
        np.repeat(means, pairs.counts).astype(np.float32) for means in (pairs.there, pairs.back)
    )
    minima, totals = np.zeros(draw_count), np.zeros(draw_count)
    for draw in range(draw_count):
        given = there * rng.standard_exponential(len(there), dtype=np.float32)
        returned = back * rng.standard_exponential(len(back), dtype=np.float32)
        minima[draw] = np.minimum(given, returned).sum(dtype=np.float64)
        totals[draw] = (given + returned).sum(dtype=np.float64)
    return _divide(2 * minima, totals)


def _divide(part: Floats, whole: Floats) -> Floats:
    """The quotient, 0 where nothing flows."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
