"""Evidence of one-sided pairs, by counting outcomes and by SciPy's distributions."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import pytest
from scipy.stats import beta

MIN_DAYS = 6


def weigh_evidence(rows: list[Any]) -> None:
    """Adds p_value, q_value and interval to the rows of pairs, among all of which it is weighed."""
    family = [row for row in rows if row["given_days"] + row["received_days"] >= MIN_DAYS]
    p_values = {id(row): _count_extremes(*_days(row)) for row in family}
    for row in family:
        k, n = _days(row)
        row["p_value"] = pytest.approx(float(p_values[id(row)]))
        row["q_value"] = pytest.approx(float(_adjust(p_values[id(row)], list(p_values.values()))))
        low, high = beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5)
        row["interval_low"] = pytest.approx(low)
        row["interval_high"] = 1 if k == n else pytest.approx(high)


def _days(row: Any) -> tuple[int, int]:
    given, received = row["given_days"], row["received_days"]
    return max(given, received), given + received


def _count_extremes(larger: int, total: int) -> Fraction:
    """Of all ways in which the days can point, the part that is as uneven, at most all of them."""
    tail = sum(comb(total, days) for days in range(larger, total + 1))
    return min(Fraction(1), Fraction(2 * tail, 2**total))


def _adjust(p_value: Fraction, family: list[Fraction]) -> Fraction:
    """The lowest rate of false discoveries of any list that has this p-value and all smaller."""
    return min(
        [
            Fraction(len(family), sum(other <= limit for other in family)) * limit
            for limit in family
            if limit >= p_value
        ]
    )
