"""Reciprocation time: how long it takes until the other side gives."""

from typing import Final, NamedTuple

import numpy as np

from services.ledger.times import DAY
from services.measures.flow_graph import Flags, Floats, Ints
from services.measures.reciprocity import Checkpoint

METRIC_VERSION: Final = 1
"""Version of these definitions; numbers of different versions are not comparable."""
RESAMPLE_COUNT: Final = 200
HORIZONS: Final = (30, 90, 365)
"""Days at which the chance of no answer is reported."""
MIN_PAIRS: Final = 5
"""Minimum number of pairs for intervals: resamples of fewer are nearly alike."""
_PERCENTILES: Final = (2.5, 97.5)
_HALF: Final = 0.5 + 1e-12
"""A half, with room for the rounding of a long product."""


class Turns(NamedTuple):
    """Turns: each opens with the first exchange of a run by one side of a pair.

    It ends with the first exchange of the other side, or is censored where observation ends.
    """

    pair: Ints
    start: Ints
    """When it opened, in microseconds."""
    days: Floats
    is_answered: Flags


class Survival(NamedTuple):
    """The Kaplan-Meier estimate of the chance that a turn is not answered yet.

    Source: Kaplan and Meier, Journal of the American Statistical Association 53:457 (1958).
    """

    unanswered: tuple[float | None, ...]
    """After each of the HORIZONS; None beyond the longest turn."""
    median: float | None
    """Days until half of the turns are answered; None when that is not reached."""


class ReciprocationTime(NamedTuple):
    """Estimates over turns, with intervals from resampled pairs (percentiles 2.5 and 97.5)."""

    turn_count: int
    answered_count: int
    survival: Survival
    unanswered_intervals: tuple[tuple[float, float] | None, ...]
    """None for fewer than MIN_PAIRS, and where a resample has no turn that long."""
    median_interval: tuple[float | None, float | None]
    """None stands for an end that is not reached, and for both with fewer than MIN_PAIRS."""

    @property
    def censored_count(self) -> int:
        """Turns that were not answered while they were observed."""
        return self.turn_count - self.answered_count


def find_turns(pair: Ints, is_forth: Flags, instant: Ints, pair_end: Ints) -> Turns:
    """The turns of exchanges that are sorted by pair, first instant and place on the log.

    `instant` is the first instant in microseconds. `pair_end` has, for each exchange, the instant
    at which the observation of its pair ends; turns that are still open are censored there.
    """
    opens = np.ones(len(pair), dtype=np.bool_)
    opens[1:] = (pair[1:] != pair[:-1]) | (is_forth[1:] != is_forth[:-1])
    start = np.flatnonzero(opens)
    is_answered = np.zeros(len(start), dtype=np.bool_)
    is_answered[:-1] = pair[start[1:]] == pair[start[:-1]]
    end = pair_end[start]
    end[:-1][is_answered[:-1]] = instant[start[1:]][is_answered[:-1]]
    length = np.maximum(end - instant[start], 0)
    return Turns(pair[start], instant[start], length / DAY, is_answered)


def measure_reciprocation_time(
    turns: Turns, *, seed: int = 0, checkpoint: Checkpoint = lambda: None
) -> ReciprocationTime | None:
    """The estimates of turns; None without any."""
    if not len(turns.pair):
        return None
    order = np.lexsort((~turns.is_answered, turns.days))  # answers come before censoring
    days, is_answered = turns.days[order], turns.is_answered[order]
    _, pair = np.unique(turns.pair[order], return_inverse=True)
    survival = _estimate(days, is_answered, np.ones(len(days)))
    rng, pair_count = np.random.default_rng(seed), int(pair.max()) + 1
    resamples = []
    for _ in range(RESAMPLE_COUNT if pair_count >= MIN_PAIRS else 0):
        checkpoint()
        draws = np.bincount(rng.integers(pair_count, size=pair_count), minlength=pair_count)
        resamples.append(_estimate(days, is_answered, draws[pair].astype(np.float64)))
    return ReciprocationTime(
        turn_count=len(days),
        answered_count=int(np.count_nonzero(is_answered)),
        survival=survival,
        unanswered_intervals=tuple(
            _find_interval([resample.unanswered[place] for resample in resamples])
            for place in range(len(HORIZONS))
        ),
        median_interval=_find_median_interval([resample.median for resample in resamples]),
    )


def _estimate(days: Floats, is_answered: Flags, weights: Floats) -> Survival:
    """The estimate from turns that ascend by days, each of which counts `weights` times.

    Turns of equal length need no care: with answers first, their factors multiply to the factor of
    all of them.
    """
    at_risk = np.cumsum(weights[::-1])[::-1]
    answered = weights * is_answered
    unanswered = np.cumprod(1 - np.divide(answered, at_risk, out=answered, where=at_risk > 0))
    place = np.searchsorted(days, HORIZONS, "right")
    longest = days[weights > 0].max(initial=0.0)
    chances = np.append(1.0, unanswered)[place]
    half = np.flatnonzero(unanswered <= _HALF)
    return Survival(
        tuple(
            float(chance) if horizon <= longest or chance == 0 else None
            for horizon, chance in zip(HORIZONS, chances, strict=True)
        ),
        float(days[half[0]]) if len(half) else None,
    )


def _find_interval(chances: list[float | None]) -> tuple[float, float] | None:
    """The percentiles of resamples; None without any and where one of them is undefined."""
    defined = [chance for chance in chances if chance is not None]
    if not defined or len(defined) < len(chances):
        return None
    low, high = np.percentile(defined, _PERCENTILES)
    return float(low), float(high)


def _find_median_interval(medians: list[float | None]) -> tuple[float | None, float | None]:
    """The percentiles of medians, where one that is not reached is longer than all others."""
    if not medians:
        return None, None
    days = sorted(np.inf if median is None else median for median in medians)
    ends = (days[round(percentile / 100 * (len(days) - 1))] for percentile in _PERCENTILES)
    low, high = (None if np.isinf(end) else float(end) for end in ends)
    return low, high
