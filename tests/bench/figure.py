"""Figures: measured values with a limit that was measured in the same run."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is the median of `RUNS` runs, and `limit` the median of its bound.

    Higher is better for rates and worse for durations and sizes, as `unit` shows.
    """

    name: str
    value: float
    unit: str
    limit: float
    limit_name: str

    def format_row(self) -> str:
        ratio = self.value / self.limit if self.limit else float("nan")
        return (
            f"| {self.name} | {_number(self.value)} {self.unit} | "
            f"{_number(self.limit)} {self.unit} | {ratio:.2f} | {self.limit_name} |"
        )


def measure_median_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Returns the median seconds of `runs` calls."""
    return statistics.median(measure_seconds(work) for _ in range(runs))


def measure_seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
