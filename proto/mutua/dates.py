"""Dates and times as Python programs write them."""

import re
from datetime import UTC, date, datetime, time
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.types_pb2 import Date

DATE_REMEDY: Final = 'give a datetime.date, or text such as "2026-03-02", "2026-03" or "2026-Q1"'
TIME_REMEDY: Final = (
    'give a datetime with a time zone, a datetime.date, or text such as "2026-03-02T09:30:00Z" or '
    '"2026-03-02"'
)
_PERIOD: Final = re.compile(r"(\d{4})-(?:Q([1-4])|(\d\d)(?:-(\d\d))?)")


def to_date(value: object) -> Date:
    """A day; a month or quarter stands for its first day. Raises ValueError with the remedy.

    A datetime is refused, because its day depends on the time zone.
    """
    match value:
        case Date():
            return value
        case datetime():
            raise ValueError(f"{value!r} has a time of day: give its day, {value.date()!r}")
        case date():
            day = value
        case str():
            day = _first_day(value)
        case _:
            raise ValueError(f"{value!r} is not a date: {DATE_REMEDY}")
    return Date(year=day.year, month=day.month, day=day.day)


def to_timestamp(value: object) -> Timestamp:
    """An instant; a day stands for its last instant, UTC. Raises ValueError with the remedy."""
    match value:
        case Timestamp():
            return value
        case datetime():
            moment = value
        case date():
            moment = datetime.combine(value, time.max, UTC)
        case str():
            moment = _moment(value)
        case _:
            raise ValueError(f"{value!r} is not a time: {TIME_REMEDY}")
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: {TIME_REMEDY}")
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _first_day(text: str) -> date:
    period = _PERIOD.fullmatch(text.strip().upper())
    if period is None:
        raise ValueError(f"{text!r} is not a date: {DATE_REMEDY}")
    year, quarter, month, day = period.groups()
    try:
        return date(int(year), int(quarter) * 3 - 2 if quarter else int(month), int(day or 1))
    except ValueError as error:
        raise ValueError(f"{text!r} is not in the calendar ({error}): {DATE_REMEDY}") from error


def _moment(text: str) -> datetime:
    try:
        if _PERIOD.fullmatch(text.strip()):
            return datetime.combine(date.fromisoformat(text.strip()), time.max, UTC)
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time: {TIME_REMEDY}") from error
