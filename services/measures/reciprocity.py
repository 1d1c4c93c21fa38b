"""The reciprocity family: is exchange mutual, is that more than chance, and what is the most.

Everything here is computed from one graph of flows and the blocks that the shuffle permutes.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from services.ledger.concentration import compute_gini
from services.measures.flow_graph import Floats, FlowGraph
from services.measures.flow_split import FlowSplit, split_flow
from services.measures.maximum_entropy import round_measure
from services.measures.shuffle_null import Blocks, compute_shuffle_null
from services.measures.spread_null import compute_spread_null
from services.measures.tie_reciprocity import TieReciprocity, measure_tie_reciprocity
from services.measures.weighted_reciprocity import (
    WeightedReciprocity,
    measure_weighted_reciprocity,
)

METRIC_VERSION: Final = 1
"""Version of these definitions; numbers of different versions are not comparable."""
MIN_TWO_SIDED: Final = 5
"""Organizations that both gave and received, below which there is no verdict."""
MIN_EXCHANGES: Final = 30
"""Exchanges below which there is no verdict."""
TOO_FEW_ORGANIZATIONS: Final = "TOO_FEW_ORGANIZATIONS"
TOO_FEW_EXCHANGES: Final = "TOO_FEW_EXCHANGES"
NO_YARDSTICK: Final = "NO_YARDSTICK"
_BAND: Final = (2.5, 97.5)

Checkpoint = Callable[[], None]
"""Called between steps that take long; raises when nobody waits for the answer any more."""


class Verdict(IntEnum):
    """Weighted reciprocity next to both yardsticks."""

    ABOVE_CHANCE = 1
    """Above the 97.5th percentile of both."""
    BELOW_CHANCE = 2
    """Below the 2.5th percentile of both."""
    DEPENDS_ON_YARDSTICK = 3
    """Anything else."""


class Yardstick(NamedTuple):
    """What a yardstick expects of weighted reciprocity, and the band of 95 % of its draws."""

    expected: float
    low: float
    high: float

    @classmethod
    def of(cls, expected: float, draws: Floats) -> "Yardstick":
        """A yardstick with the percentiles 2.5 and 97.5 of these draws."""
        low, high = np.percentile(draws, _BAND)
        return cls(*(round_measure(float(value)) for value in (expected, low, high)))


class Reciprocity(NamedTuple):
    """The family of one graph; None is undefined, for the reasons given."""

    ties: TieReciprocity
    weights: WeightedReciprocity | None = None
    split: FlowSplit | None = None
    spread: Yardstick | None = None
    shuffle: Yardstick | None = None
    gini_given: float | None = None
    gini_received: float | None = None
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    """Why there is no verdict; () when there is."""

    @property
    def rho_weighted(self) -> float | None:
        """(r_w - <r_w>) / (1 - <r_w>) by the spread yardstick, at most 1."""
        if self.weights is None or self.spread is None or self.spread.expected >= 1:
            return None
        expected = self.spread.expected
        return (self.weights.reciprocity - expected) / (1 - expected)


def measure_reciprocity(
    graph: FlowGraph,
    blocks: Blocks,
    *,
    unit: int,
    exchange_count: int,
    seed: int,
    reasons: tuple[str, ...] = (),
    checkpoint: Checkpoint = lambda: None,
) -> Reciprocity:
    """The reciprocity family of a graph.

    `unit` is the weight of an exchange under the lens of counts, 0 under lenses of minutes.
    `exchange_count` and `reasons` decide whether there is a verdict; `reasons` of the caller come
    first. Equal arguments give equal numbers, because `seed` fixes the draws of both yardsticks.
    """
    ties = measure_tie_reciprocity(graph)
    checkpoint()
    weights = measure_weighted_reciprocity(graph)
    if weights is None:
        return Reciprocity(ties, reasons=(*reasons, *_find_reasons(graph, exchange_count)))
    split = split_flow(graph)
    checkpoint()
    spread_null = compute_spread_null(graph, unit=unit, seed=seed)
    checkpoint()
    draws = compute_shuffle_null(blocks, graph.size, seed=seed)
    spread = None if spread_null is None else Yardstick.of(spread_null.expected, spread_null.draws)
    shuffle = None if draws is None else Yardstick.of(float(draws.mean()), draws)
    reasons = (*reasons, *_find_reasons(graph, exchange_count))
    if spread is None or shuffle is None:
        reasons = (*reasons, NO_YARDSTICK)
    return Reciprocity(
        ties,
        weights,
        split,
        spread,
        shuffle,
        compute_gini(graph.given.tolist()),
        compute_gini(graph.received.tolist()),
        None
        if reasons or spread is None or shuffle is None
        else judge(weights.reciprocity, spread, shuffle),
        reasons,
    )


def judge(reciprocity: float, *yardsticks: Yardstick) -> Verdict:
    """The verdict on r_w: beyond every yardstick, or it depends on which one is taken."""
    reciprocity = round_measure(reciprocity)
    if all(reciprocity > yardstick.high for yardstick in yardsticks):
        return Verdict.ABOVE_CHANCE
    if all(reciprocity < yardstick.low for yardstick in yardsticks):
        return Verdict.BELOW_CHANCE
    return Verdict.DEPENDS_ON_YARDSTICK


def _find_reasons(graph: FlowGraph, exchange_count: int) -> tuple[str, ...]:
    two_sided = int(np.count_nonzero((graph.given > 0) & (graph.received > 0)))
    return (TOO_FEW_ORGANIZATIONS,) * (two_sided < MIN_TWO_SIDED) + (TOO_FEW_EXCHANGES,) * (
        exchange_count < MIN_EXCHANGES
    )
