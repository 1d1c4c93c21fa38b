"""The three families of maximum-entropy models: ties, whole counts, and amounts."""

from typing import Final

import numpy as np

from services.measures.flow_graph import Floats
from services.measures.maximum_entropy import Family


def _sigmoid(t: Floats) -> Floats:
    return 0.5 * (1 - np.tanh(t / 2))


def _geometric_potential(t: Floats) -> Floats:
    return np.where(t > 0, -np.log(-np.expm1(-np.maximum(t, 1e-300))), np.inf)


def _exponential_potential(t: Floats) -> Floats:
    return np.where(t > 0, -np.log(np.maximum(t, 1e-300)), np.inf)


BERNOULLI: Final = Family(
    potential=lambda t: np.logaddexp(0, -t),
    mean=_sigmoid,
    variance=lambda mean: mean * (1 - mean),
    start=lambda sums, total: 0.5 * np.log(total) - np.log(sums),
)
"""Ties present or absent: p = x y / (1 + x y), x = exp(-a), y = exp(-b)."""

GEOMETRIC: Final = Family(
    potential=_geometric_potential,
    mean=lambda t: 1 / np.expm1(t),
    variance=lambda mean: mean * (1 + mean),
    start=lambda sums, total: np.log1p(np.sqrt(total) / sums),
)
"""Whole counts: P(w >= k) = q^k, q = x y, with the mean q / (1 - q)."""

EXPONENTIAL: Final = Family(
    potential=_exponential_potential,
    mean=lambda t: 1 / t,
    variance=lambda mean: mean * mean,
    start=lambda sums, total: np.sqrt(total) / sums,
)
"""Amounts: exponentially distributed with the mean 1 / (a + b)."""
