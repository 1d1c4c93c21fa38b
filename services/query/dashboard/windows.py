"""Windows of a question: months, and the days that are compared with those before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from mutua.frames import to_day
from mutua.v1.query_service_pb2 import Organization, Question
from mutua.v1.types_pb2 import Date
from services.query.dashboard.filters import with_filters

MAX_MONTHS = 120
"""Months in a series. More make bars that nobody can tell apart."""
_QUIET_DAYS = 60


class Extent(NamedTuple):
    """The days of the first and the last exchange of a programme."""

    first: date
    last: date


def from_civil(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def find_extent(organizations: Iterable[Organization]) -> Extent | None:
    """None without an exchange."""
    dated = [each for each in organizations if each.HasField("first_exchange_date")]
    if not dated:
        return None
    return Extent(
        min(to_day(each.first_exchange_date) for each in dated),
        max(to_day(each.last_exchange_date) for each in dated),
    )


def with_window(question: Question, first: date | None, end: date | None) -> Question:
    """The same filters over the days [first, end)."""
    return with_filters(
        question,
        from_date=None if first is None else from_civil(first),
        to_date=None if end is None else from_civil(end),
    )


def find_window(question: Question) -> tuple[date, date]:
    """The first day of the window and the day after it; ends of the calendar where it is open."""
    first = to_day(question.from_date) if question.HasField("from_date") else date.min
    end = to_day(question.to_date) if question.HasField("to_date") else date.max
    return first, end


def next_month(day: date) -> date:
    """The first day of the month after a day."""
    return (day.replace(day=1) + timedelta(32)).replace(day=1)


def list_months(extent: Extent) -> list[date]:
    """The first days of the last MAX_MONTHS months of an extent."""
    months = [extent.first.replace(day=1)]
    while (following := next_month(months[-1])) <= extent.last:
        months.append(following)
    return months[-MAX_MONTHS:]


def list_month_questions(question: Question, extent: Extent | None) -> list[Question]:
    """The same filters for each month of an extent that shares days with the window."""
    questions = []
    first, end = find_window(question)
    for month in list_months(extent) if extent else ():
        start, stop = max(month, first), min(next_month(month), end)
        if start < stop:
            questions.append(with_window(question, start, stop))
    return questions


def find_end(question: Question, extent: Extent | None, today: date) -> date:
    """The day after the days that "recent" means.

    The end of the window, else today; but the last exchange if that is long before, because
    nothing is recent in a programme that is over.
    """
    end = to_day(question.to_date) if question.HasField("to_date") else today + timedelta(1)
    if extent and extent.last < end - timedelta(_QUIET_DAYS):
        return extent.last + timedelta(1)
    return end
