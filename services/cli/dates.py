"""Dates as people type them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.query_service_pb2 import Question
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    Date,
    OccurPrecision,
)

FORM: Final = re.compile(r"(?P<year>\d{4})-(Q(?P<quarter>[1-4])|(?P<month>\d\d)(-(?P<day>\d\d))?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A day, month or quarter, by its first day."""

    first: date
    precision: OccurPrecision.ValueType

    def to_timestamp(self) -> Timestamp:
        return to_timestamp(datetime.combine(self.first, time(), UTC))


def parse_period(typed: str) -> Period:
    """Reads 2026-03-14, 2026-03 or 2026-Q1. Raises ValueError with what to type instead."""
    found = FORM.fullmatch(typed.strip().upper())
    if found is None:
        raise ValueError(f"{typed!r} is no date: type 2026-03-14, 2026-03 or 2026-Q1.")
    if found["quarter"]:
        month, precision = int(found["quarter"]) * 3 - 2, OCCUR_PRECISION_QUARTER
    else:
        month = int(found["month"])
        precision = OCCUR_PRECISION_DAY if found["day"] else OCCUR_PRECISION_MONTH
    try:
        first = date(int(found["year"]), month, int(found["day"] or 1))
    except ValueError as error:
        raise ValueError(f"{typed!r} is not in the calendar: {error}.") from error
    return Period(first=first, precision=precision)


def parse_date(typed: str) -> Date:
    """The first day of what `parse_period` reads."""
    return to_date(parse_period(typed).first)


def parse_known_at(typed: str) -> Timestamp:
    """Reads a time with its zone, or a date, which stands for its last instant (UTC)."""
    if FORM.fullmatch(typed) and (period := parse_period(typed)).precision == OCCUR_PRECISION_DAY:
        return to_timestamp(datetime.combine(period.first, time.max, UTC))
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{typed!r} is no time: type 2026-03-14 or 2026-03-14T09:30:00Z.")
    return to_timestamp(moment)


def to_date(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def to_timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def leaves(question: Question, at: Timestamp, precision: OccurPrecision.ValueType) -> bool:
    """Whether an occurrence in the window of a question may also have been outside of it."""
    first = at.ToDatetime(UTC).date()
    months = {OCCUR_PRECISION_MONTH: 1, OCCUR_PRECISION_QUARTER: 3}.get(precision, 0)
    number = first.year * 12 + first.month - 1 + months
    if not months or not question.HasField("to_date") or number // 12 > date.max.year:
        return False
    end, to_date = date(number // 12, number % 12 + 1, 1), question.to_date
    return end > date(to_date.year, to_date.month, to_date.day)


def told(at: Timestamp, precision: OccurPrecision.ValueType) -> str:
    """An occurrence as precisely as it is known: 2026-03-14 09:30 UTC, a day, month or quarter."""
    moment = at.ToDatetime(UTC)
    match precision:
        case OccurPrecision.OCCUR_PRECISION_DAY:
            return f"{moment:%Y-%m-%d}"
        case OccurPrecision.OCCUR_PRECISION_MONTH:
            return f"{moment:%Y-%m}"
        case OccurPrecision.OCCUR_PRECISION_QUARTER:
            return f"{moment:%Y}-Q{(moment.month + 2) // 3}"
        case _:
            return f"{moment:%Y-%m-%d %H:%M} UTC"
