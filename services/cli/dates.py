"""Dates as people type them, read by `services.notation.dates`."""

from datetime import UTC, date, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.query_service_pb2 import Question
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_EXACT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    Date,
    OccurPrecision,
)
from services.notation.dates import Moment, TimeReader
from services.notation.errors import DateOrderError, NotationError
from services.notation.exchange_cells import format_time_cell

_READER: Final = TimeReader()


def parse_moment(typed: str) -> Moment:
    """Reads a time, a day, a month or a quarter. Raises ValueError with what to type instead."""
    try:
        return _READER.read_time(typed.strip())
    except NotationError as error:
        raise ValueError(f"{typed!r} {error}.") from error
    except DateOrderError as error:
        raise ValueError(
            f"{typed!r} may be day/month or month/day: type the year first, as in 2026-03-14."
        ) from error


def parse_period(typed: str) -> Moment:
    """Reads a day, a month or a quarter. Raises ValueError with what to type instead."""
    moment = parse_moment(typed)
    if moment.precision == OCCUR_PRECISION_EXACT:
        raise ValueError(f"{typed!r} has a time of day: type 2026-03-14, 2026-03 or 2026-Q1.")
    return moment


def parse_date(typed: str) -> Date:
    """The first day of what `parse_period` reads."""
    return parse_period(typed).date


def to_date(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def to_timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def is_partly_outside(
    question: Question, at: Timestamp, precision: OccurPrecision.ValueType
) -> bool:
    """Whether an occurrence in the window of a question may also have been outside of it."""
    first = at.ToDatetime(UTC).date()
    months = {OCCUR_PRECISION_MONTH: 1, OCCUR_PRECISION_QUARTER: 3}.get(precision, 0)
    number = first.year * 12 + first.month - 1 + months
    if not months or not question.HasField("to_date") or number // 12 > date.max.year:
        return False
    end, to_date = date(number // 12, number % 12 + 1, 1), question.to_date
    return end > date(to_date.year, to_date.month, to_date.day)


def format_occurrence(at: Timestamp, precision: OccurPrecision.ValueType) -> str:
    """An occurrence as precisely as it is known: 2026-03-14 09:30 UTC, a day, month or quarter."""
    if precision in (OCCUR_PRECISION_DAY, OCCUR_PRECISION_MONTH, OCCUR_PRECISION_QUARTER):
        return format_time_cell(at, precision)
    return f"{at.ToDatetime(UTC):%Y-%m-%d %H:%M} UTC"
