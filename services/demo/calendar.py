"""Calendar of the generated programme, whose days are counted from its first."""

from datetime import date, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    Date,
    OccurPrecision,
)

FIRST_DATE: Final = date(2018, 7, 2)  # a Monday
LAST_DATE: Final = date(2019, 12, 20)
AS_OF: Final = date(2020, 1, 6)
"""The date of observation: every exchange lies before it."""

DAY_COUNT: Final = (LAST_DATE - FIRST_DATE).days + 1
AS_OF_DAY: Final = (AS_OF - FIRST_DATE).days
LONGEST_PERIOD_DAYS: Final = 92
EVENING: Final = 18 * 60
"""A minute of the day after its last exchange."""

_PERIOD_MONTHS: Final = {OCCUR_PRECISION_MONTH: 1, OCCUR_PRECISION_QUARTER: 3}


def find_period(day: int, precision: OccurPrecision.ValueType) -> tuple[int, int]:
    """The first and last day of the period that contains a day, at this precision."""
    months = _PERIOD_MONTHS.get(precision)
    if months is None:
        return day, day
    containing_date = FIRST_DATE + timedelta(day)
    first = containing_date.replace(month=(containing_date.month - 1) // months * months + 1, day=1)
    next_first = (first + timedelta(31 * months)).replace(day=1)
    return (first - FIRST_DATE).days, (next_first - FIRST_DATE).days - 1


def to_timestamp(day: int, minute: int = 0) -> Timestamp:
    days = FIRST_DATE.toordinal() + day - date(1970, 1, 1).toordinal()
    return Timestamp(seconds=(days * 24 * 60 + minute) * 60)


def to_date(day: int) -> Date:
    civil = FIRST_DATE + timedelta(day)
    return Date(year=civil.year, month=civil.month, day=civil.day)
