"""Maximum-entropy models of directed graphs with given sums of rows and columns.

A model gives every ordered pair of organizations (i, j), i != j, an independent random entry with
the mean f(a_i + b_j), and chooses a and b so that the expected sums of rows and columns are the
given ones: degrees, or strengths. Finding them minimizes a convex function, so Newton's method with
backtracking finds the only answer. A solution is judged by its sums, never by the optimizer's word.

Organizations with equal sums share a and b, so the work depends on the number of distinct sums.

Sources: Squartini and Garlaschelli, New Journal of Physics 13:083001 (2011), for the models;
Squartini et al., Scientific Reports 3:2729 (2013), for the weighted ones.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from services.ledger.errors import MutuaError
from services.measures.flow_graph import Floats

TOLERANCE: Final = 1e-8
"""Maximum |sum - expected sum| / max(1, sum) of a solution."""
_MAX_STEPS: Final = 400
_MIN_STEP: Final = 2.0**-40
_SUFFICIENT_DECREASE: Final = 1e-4
_RIDGE: Final = 1e-14
_HUB_TOLERANCE: Final = 1e-12
_MEASURE_DECIMALS: Final = 9


class Family(NamedTuple):
    """A family of distributions of one entry, each a function of t = a_i + b_j."""

    potential: Callable[[Floats], Floats]
    """Minus its derivative is the mean; infinite where t is not allowed."""
    mean: Callable[[Floats], Floats]
    variance: Callable[[Floats], Floats]
    """Of the mean."""
    start: Callable[[Floats, float], Floats]
    """Values of a, or b, from which to start, for sums and their total."""


class UnsolvedModelError(MutuaError):
    """No model reached the given sums within `TOLERANCE`. The measure is absent then."""


def round_measure(value: float) -> float:
    """A measure of a model, without the digits that differ between machines.

    The last digits of a solution depend on the processor and on how many threads the linear algebra
    uses. A measure that is compared with a rounded one is rounded too.
    """
    return round(value, _MEASURE_DECIMALS)


class EntropyModel(NamedTuple):
    """A solved model, by class of organizations with equal sums."""

    class_of: NDArray[np.int64]
    """The class of each organization."""
    pair_counts: Floats
    """Number of ordered pairs of distinct organizations, by class of each."""
    mean: Floats
    """Mean of the entry from an organization of one class (row) to another one of a class."""

    def sum_over_pairs(self, values: Floats) -> float:
        """The sum of values, given by class, over all ordered pairs of distinct organizations."""
        return float((values * self.pair_counts).sum())


def solve(family: Family, out_sums: Floats, in_sums: Floats) -> EntropyModel:
    """The model of a family with these sums by organization. Raises UnsolvedModelError.

    Entries of an organization whose sum is 0 are exactly 0.
    """
    sums, class_of, counts = np.unique(
        np.stack([out_sums, in_sums], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    pair_counts = (np.outer(counts, counts) - np.diag(counts)).astype(np.float64)
    mean = np.zeros_like(pair_counts)
    used = np.ix_(sums[:, 0] > 0, sums[:, 1] > 0)
    hub = _find_hub(sums, counts)
    if hub is not None:
        mean[hub], mean[:, hub], mean[hub, hub] = sums[:, 1], sums[:, 0], 0
    elif mean[used].size:
        mean[used] = _solve_classes(
            family,
            pair_counts[used],
            _Side(sums[:, 0], counts).select(sums[:, 0] > 0),
            _Side(sums[:, 1], counts).select(sums[:, 1] > 0),
        )
    expected = mean * pair_counts
    error = max(
        _Side(sums[:, 0], counts).find_error(expected.sum(axis=1)),
        _Side(sums[:, 1], counts).find_error(expected.sum(axis=0)),
    )
    if not error < TOLERANCE:
        raise UnsolvedModelError(f"the model's sums differ by {error:.1e} from the given ones")
    return EntropyModel(class_of.ravel(), pair_counts, mean)


def _find_hub(sums: Floats, counts: NDArray[np.int64]) -> int | None:
    """The class of an organization that is part of the whole flow, if there is one.

    All others exchange with it alone, so the sums leave no choice, and no finite a and b have them.
    """
    total = float(sums[:, 0] @ counts)
    is_hub = (counts == 1) & np.isclose(sums.sum(axis=1), total, rtol=_HUB_TOLERANCE, atol=0)
    hubs = np.flatnonzero(is_hub & (total > 0))
    return int(hubs[0]) if len(hubs) else None


class _Side(NamedTuple):
    """The rows, or the columns: the sum of each class's organizations, and their number."""

    sums: Floats
    counts: NDArray[np.int64]

    @property
    def totals(self) -> Floats:
        return self.sums * self.counts

    def select(self, which: NDArray[np.bool_]) -> "_Side":
        return _Side(self.sums[which], self.counts[which])

    def find_error(self, expected_totals: Floats) -> float:
        """Maximum |sum - expected sum| / max(1, sum)."""
        difference = abs(expected_totals / self.counts - self.sums)
        return float(np.max(difference / np.maximum(1, self.sums), initial=0.0))


def _solve_classes(family: Family, pairs: Floats, rows: _Side, columns: _Side) -> Floats:
    """The means by class, as near to the sums as Newton's method comes."""
    total = float(rows.totals.sum())
    a, b = family.start(rows.sums, total), family.start(columns.sums, total)

    def add(a: Floats, b: Floats) -> Floats:
        return np.where(pairs > 0, a[:, None] + b, 1.0)  # nobody has an entry of their own

    def objective(a: Floats, b: Floats) -> float:
        potential = family.potential(add(a, b))
        return float(rows.totals @ a + columns.totals @ b + (pairs * potential).sum())

    value, error = objective(a, b), np.inf
    for _ in range(_MAX_STEPS):
        mean = family.mean(add(a, b))
        expected = mean * pairs
        row_sums, column_sums = expected.sum(axis=1), expected.sum(axis=0)
        previous = error
        error = max(rows.find_error(row_sums), columns.find_error(column_sums))
        if error < TOLERANCE and error > previous / 2:
            break  # only rounding is left
        row_slope, column_slope = rows.totals - row_sums, columns.totals - column_sums
        da, db = _newton_step(family.variance(mean) * pairs, row_slope, column_slope)
        slope = float(row_slope @ da + column_slope @ db)
        step, rounding = 1.0, 1e-13 * abs(value)
        while step > _MIN_STEP:
            new_value = objective(a + step * da, b + step * db)
            if new_value <= value + _SUFFICIENT_DECREASE * step * slope + rounding:
                break
            step /= 2
        else:
            break
        a, b, value = a + step * da, b + step * db, new_value
    return mean


def _newton_step(
    curvature: Floats, row_slope: Floats, column_slope: Floats
) -> tuple[Floats, Floats]:
    """The step that solves the Newton equations, by elimination of the larger side's diagonal.

    The equations are singular: adding a constant to every a and taking it from every b changes
    nothing. A small ridge chooses one of the equal solutions.
    """
    if curvature.shape[0] < curvature.shape[1]:
        column_step, row_step = _newton_step(curvature.T, column_slope, row_slope)
        return row_step, column_step
    row_diagonal, column_diagonal = curvature.sum(axis=1), curvature.sum(axis=0)
    row_diagonal = np.maximum(row_diagonal, np.finfo(float).tiny)
    scaled = curvature / row_diagonal[:, None]
    reduced = np.diag(column_diagonal) - curvature.T @ scaled
    right = -(column_slope - scaled.T @ row_slope)
    ridge = _RIDGE * max(float(column_diagonal.max()), np.finfo(float).tiny)
    while True:
        try:
            factor = cho_factor(reduced + ridge * np.eye(len(right)), check_finite=False)
            break
        except LinAlgError:
            ridge *= 100
    column_step = cho_solve(factor, right)
    return -row_slope / row_diagonal - scaled @ column_step, column_step
