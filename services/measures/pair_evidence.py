"""Evidence that a pair is one-sided: exact test, false discovery rate and interval."""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import bdtrc, betaincinv

from services.measures.flow_graph import Floats, Ints

MIN_DAYS: Final = 6
"""Pairs with fewer contact days are not in the family that is tested."""
_TAIL: Final = 0.025


class PairEvidence(NamedTuple):
    """Evidence by pair; NaN where a pair is not in the family.

    A pair has n contact days, of which k are in its larger direction. `p_value` = min(1, 2 P(X >=
    k)) with X ~ Bin(n, 1/2), the chance of such a difference between equal givers. `q_value` is it
    after Benjamini and Hochberg over the family (Journal of the Royal Statistical Society B 57:289,
    1995). The interval is Jeffreys' 95 % for k/n, whose lower end is 0 at k = 0 and whose upper end
    is 1 at k = n.
    """

    p_value: Floats
    q_value: Floats
    interval_low: Floats
    interval_high: Floats


def weigh_evidence(larger_days: Ints, days: Ints) -> PairEvidence:
    """The evidence of every pair, the family being all pairs of at least MIN_DAYS days."""
    absent = np.full(len(days), np.nan)
    evidence = PairEvidence(absent, absent.copy(), absent.copy(), absent.copy())
    family = np.flatnonzero(days >= MIN_DAYS)
    k, n = larger_days[family], days[family]
    span = int(n.max(initial=0)) + 1
    # Most pairs share their counts with others, and the functions take long.
    counts, place = np.unique(k * span + n, return_inverse=True)
    k, n = np.divmod(counts, span)
    p_values = np.minimum(1.0, 2 * bdtrc(k - 1, n, 0.5))
    p_values[k == 0] = 1.0
    low, high = (betaincinv(k + 0.5, n - k + 0.5, tail) for tail in (_TAIL, 1 - _TAIL))
    evidence.p_value[family] = p_values[place]
    evidence.q_value[family] = adjust_p_values(p_values[place])
    evidence.interval_low[family] = np.where(k == 0, 0, low)[place]
    evidence.interval_high[family] = np.where(k == n, 1, high)[place]
    return evidence


def adjust_p_values(p_values: Floats) -> Floats:
    """Benjamini-Hochberg q: the lowest false discovery rate at which each would be reported."""
    order = np.argsort(p_values, kind="stable")[::-1]
    count = len(p_values)
    ranked = p_values[order] * count / np.arange(count, 0, -1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(ranked))
    return adjusted
