"""Calendar periods: a window as a series of months, quarters or years."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from services.ledger.times import Day, first_day_of, month_of

MAX_PERIODS: Final = 1_200
"""Maximum number of parts of a series: a century of months."""


class Period(IntEnum):
    """The length of the parts of a series; unspecified is one part, the whole window."""

    UNSPECIFIED = 0
    MONTH = 1
    QUARTER = 2
    YEAR = 3


_MONTHS: Final = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}


class Span(NamedTuple):
    """The days [first, end)."""

    first: Day
    end: Day


def split_into_periods(span: Span, period: Period) -> Iterator[Span]:
    """Yields the calendar periods that share a day with a span, cut to it, in order."""
    length = _MONTHS[period]
    month = month_of(span.first) // length * length
    while (first := first_day_of(month)) < span.end:
        month += length
        yield Span(max(first, span.first), min(first_day_of(month), span.end))
