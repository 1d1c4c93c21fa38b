"""Instants are microseconds and days are whole days since 1970-01-01, both UTC."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from services.ledger.enums import Precision

Instant = int
Day = int
Month = int
"""Months since January of the year 0."""

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
EPOCH: Final = date(1970, 1, 1).toordinal()


def datetime_to_instant(moment: datetime) -> Instant:
    """Returns a zoned datetime as an instant."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def instant_to_datetime(at: Instant) -> datetime:
    """Returns an instant as a datetime in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def date_to_day(civil: date) -> Day:
    return civil.toordinal() - EPOCH


def day_to_date(day: Day) -> date:
    return date.fromordinal(day + EPOCH)


def day_of(at: Instant) -> Day:
    return at // DAY


@lru_cache(maxsize=100_000)
def month_of(day: Day) -> Month:
    civil = day_to_date(day)
    return civil.year * 12 + civil.month - 1


def first_day_of(month: Month) -> Day:
    return date_to_day(date(month // 12, month % 12 + 1, 1))


def find_period(at: Instant, precision: Precision) -> tuple[Day, Day]:
    """Returns the first day of an occurrence's period, and the first day after the period."""
    first = day_of(at)
    match precision:
        case Precision.MONTH:
            return first, first_day_of(month_of(first) + 1)
        case Precision.QUARTER:
            return first, first_day_of(month_of(first) + 3)
        case _:
            return first, first + 1


def is_period_start(at: Instant, precision: Precision) -> bool:
    """Whether an occurrence is the first instant of its period, as coarse ones must be."""
    if precision is Precision.EXACT:
        return True
    civil = day_to_date(day_of(at))
    if at % DAY:
        return False
    match precision:
        case Precision.MONTH:
            return civil.day == 1
        case Precision.QUARTER:
            return civil.day == 1 and civil.month % 3 == 1
        case _:
            return True
