"""Weighted reciprocity by month, quarter or year, next to the bands of chance."""

from collections.abc import Sequence
from dataclasses import dataclass

from mutua.measures import ReciprocityMeasures
from services.report.mutuality import ReferenceBand, describe_reasons, list_bands
from services.report.text import format_period


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One period. `returned` is None without flow; without a verdict `note` says why."""

    label: str
    exchange_count: int
    returned: float | None
    bands: tuple[ReferenceBand, ...]
    verdict: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Trend:
    """The points of a series in the order of time, and the exchanges that it leaves out."""

    period: str
    points: tuple[TrendPoint, ...]
    unplaced_count: int

    @property
    def judged_points(self) -> list[TrendPoint]:
        """Those with a verdict."""
        return [each for each in self.points if each.verdict is not None]


def make_trend(rows: Sequence[ReciprocityMeasures], period: str, unplaced_count: int) -> Trend:
    points = tuple(
        TrendPoint(
            label=format_period(row.from_date, period) if row.from_date else "",
            exchange_count=row.exchange_count,
            returned=row.weighted_reciprocity,
            # Bands of fewer exchanges than a verdict needs are so wide that they say nothing.
            bands=tuple(list_bands(row)) if row.verdict is not None else (),
            verdict=row.verdict,
            note="" if row.verdict is not None else describe_reasons(row.reasons),
        )
        for row in rows
    )
    return Trend(period, points, unplaced_count)
