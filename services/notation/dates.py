"""Reads times as people write them: an instant, a day, a month or a quarter.

There is one pattern for each way to write a day or longer period, and one for the time after a day.
"""

import re
from calendar import month_name, monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import Final, Literal, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_EXACT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    Date,
    OccurPrecision,
)
from services.adapters.wire.values import from_day, from_instant
from services.ledger.times import Instant, datetime_to_instant, day_of
from services.notation.calendar_names import find_month
from services.notation.errors import TIME_FORMS, DateOrderError, NotationError
from services.notation.time_of_day import TIME_OF_DAY, read_time_of_day

DateOrder = Literal["day-first", "month-first"]
DAY_FIRST: Final = "day-first"
MONTH_FIRST: Final = "month-first"

_LAST_OF_CENTURY: Final = 68
"""Two-digit years up to this one are of this century, as in POSIX."""
# A file has few different days; a time of day is seldom read twice.
_MAX_CACHED_TIMES: Final = 10_000
_MARKS: Final = str.maketrans("", "", "\u200e\u200f\ufeff")
"""Invisible marks that spreadsheets put next to dates."""


class Moment(NamedTuple):
    """A time and its precision; a coarse time is the first instant of its period."""

    instant: Instant
    precision: OccurPrecision.ValueType

    @property
    def timestamp(self) -> Timestamp:
        return from_instant(self.instant)

    @property
    def date(self) -> Date:
        return from_day(day_of(self.instant))


class ProvenOrder(NamedTuple):
    """The order of the dates of a file, and the text that proves it."""

    order: DateOrder
    proof: str


class _Period(NamedTuple):
    """A civil day, or the first day of a month or quarter."""

    first: date
    precision: OccurPrecision.ValueType


_ISO_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_ISO_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_BASIC_INSTANT = re.compile(r"(\d{8})[Tt](\d\d)(\d\d)(\d\d)?(.*)")
_ORDERED = re.compile(r"(\d\d?)([/-])(\d\d?)\2(\d{4}|\d\d)")
"""Dates that can be read day first or month first."""


class TimeReader:
    """Reads times in `order`, which decides 01/02/2024; `zone` applies to times without a zone.

    `zone` None refuses times without a zone. `notes` has each assumption once. Without an order a
    date with the day or the month first raises DateOrderError.
    """

    def __init__(
        self,
        order: DateOrder | None = None,
        zone: tzinfo | None = UTC,
        *,
        find_order: Callable[[], ProvenOrder] | None = None,
    ) -> None:
        """Takes `find_order`, which is called once if an order is needed and `order` is None."""
        self.notes: dict[str, None] = {}
        self._find_order = find_order
        self._proof = ""
        self._order = order
        self._zone = zone
        self._read: dict[str, Moment] = {}

    def read_time(self, text: str) -> Moment:
        """The instant or period that a text names. Raises NotationError, DateOrderError."""
        moment = self._read.get(text)
        if moment is None:
            if len(self._read) == _MAX_CACHED_TIMES:
                self._read.clear()
            moment = self._read[text] = self._moment(text)
        return moment

    def read_day(self, text: str) -> Moment:
        """An instant or a day."""
        moment = self.read_time(text)
        if moment.precision not in (OCCUR_PRECISION_EXACT, OCCUR_PRECISION_DAY):
            raise NotationError("names no day", remedy="write 2024-05-31")
        return moment

    def _moment(self, text: str) -> Moment:
        if _ISO_INSTANT.fullmatch(text):
            try:
                return self._read_exact(datetime.fromisoformat(text))
            except ValueError:
                pass  # the patterns below find the reason
        elif match := _ISO_DAY.fullmatch(text):
            return _first_instant(_day(*map(int, match.groups())))
        tidied = _tidy(text)
        if match := _BASIC_INSTANT.fullmatch(tidied):
            day, hour, minute, second, zone = match.groups(default="00")
            tidied = f"{day} {hour}:{minute}:{second}{zone}"
        match = TIME_OF_DAY.fullmatch(tidied)
        if match is None or not (match["minute"] or match["half"]):
            return _first_instant(self._period(tidied))
        period = self._period(match["date"])
        if period.precision != OCCUR_PRECISION_DAY:
            raise NotationError("has a time and no day", remedy=TIME_FORMS)
        return self._read_exact(read_time_of_day(period.first, match))

    def _read_exact(self, at: datetime) -> Moment:
        if at.tzinfo is None:
            at = self._add_zone(at)
        return Moment(datetime_to_instant(at), OCCUR_PRECISION_EXACT)

    def _add_zone(self, at: datetime) -> datetime:
        if self._zone is None:
            raise NotationError("has a time and no zone", remedy="write 2024-05-31T14:30:00Z")
        zoned = at.replace(tzinfo=self._zone)
        if self._zone is UTC:
            self.notes[
                "Times without a zone were read as UTC; --zone AREA/CITY says where they are from."
            ] = None
            return zoned
        self.notes[f"Times without a zone were read as those of {self._zone}."] = None
        if zoned.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != at:
            raise NotationError(
                f"is no time of {self._zone}, where clocks go forward over it",
                remedy="write another",
            )
        if zoned.utcoffset() != zoned.replace(fold=1).utcoffset():
            self.notes[
                f"Times that clocks in {self._zone} show twice were read as the first of the two."
            ] = None
        return zoned

    def _period(self, text: str) -> _Period:
        for form, read in _FORMS:
            if match := form.fullmatch(text):
                return read(*match.groups())
        if match := _DOTTED.fullmatch(text):
            day, month, year = match.groups()
            self.notes["Dates with dots were read as day.month.year."] = None
            return _day(self._year(year), int(month), int(day))
        if match := _NAMED_DAY.fullmatch(text):
            day, name, year = match.groups()
            return _day(self._year(year), _read_month_name(name), int(day))
        if match := _NAMED_MONTH.fullmatch(text):
            name, short_year, year = match.groups()
            return _month(self._year(short_year or year), _read_month_name(name))
        if match := _ORDERED.fullmatch(text):
            return self._read_ordered(text, match)
        for form, make_error in _REFUSED_FORMS:
            if match := form.fullmatch(text):
                raise make_error(match)
        raise NotationError("is not a time we can read", remedy=TIME_FORMS)

    def _read_ordered(self, text: str, match: re.Match[str]) -> _Period:
        first, _, second, year = match.groups()
        if first == second and len(year) == 4:
            return _day(int(year), int(first), int(second))
        if self._order is None:
            if self._find_order is None:
                raise DateOrderError(text)
            self._order, proof = self._find_order()
            self._proof = f", as {proof} shows"
        order_words, example = _ORDER_WORDS[self._order]
        other = MONTH_FIRST if self._order == DAY_FIRST else DAY_FIRST
        self.notes[
            f"Dates such as {example} were read as {order_words}{self._proof}; "
            f"--date-order {other} reads {_ORDER_WORDS[other][0]}."
        ] = None
        day, month = (first, second) if self._order == DAY_FIRST else (second, first)
        try:
            return _day(self._year(year), int(month), int(day))
        except NotationError as error:
            raise NotationError(
                f"is no date, read as {order_words} ({error})",
                remedy=f"or is it --date-order {other}?",
            ) from error

    def _year(self, text: str) -> int:
        year = int(text)
        if len(text) == 4:
            return year
        self.notes["Years of two digits were read as 1969 to 2068."] = None
        return year + (2000 if year <= _LAST_OF_CENTURY else 1900)


_ORDER_WORDS: Final = {
    DAY_FIRST: ("day/month/year", "31/05/2024"),
    MONTH_FIRST: ("month/day/year", "05/31/2024"),
}


def prove_order(text: str) -> DateOrder | Literal["either"] | None:
    """The order that a date proves, "either", or None if it has no order or is no date.

    A year of two digits proves month first only: 26/03/02 may begin with the year.
    """
    tidied = _tidy(text)
    time = TIME_OF_DAY.fullmatch(tidied)
    if time is not None and (time["minute"] or time["half"]):
        tidied = time["date"]
    match = _ORDERED.fullmatch(tidied)
    if match is None:
        return None
    first, second, year = int(match[1]), int(match[3]), match[4]
    if len(year) == 4 and first == second:
        return None
    if first <= 12 < second <= 31:
        return MONTH_FIRST
    if second <= 12 < first <= 31 and len(year) == 4:
        return DAY_FIRST
    return "either" if min(first, second) <= 12 and max(first, second) <= 31 else None


def _tidy(text: str) -> str:
    """The text with single spaces, without invisible marks; "" if it has non-ASCII digits."""
    tidied = " ".join(text.translate(_MARKS).split())
    return "" if any(each.isdigit() and not each.isascii() for each in tidied) else tidied


def _first_instant(period: _Period) -> Moment:
    first = period.first
    at = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Moment(datetime_to_instant(at), period.precision)


def _day(year: int, month: int, day: int) -> _Period:
    try:
        return _Period(date(year, month, day), OCCUR_PRECISION_DAY)
    except ValueError:
        raise _make_invalid_day_error(year, month, day) from None


def _month(year: int, month: int) -> _Period:
    if not 1 <= month <= 12 or year < 1:
        raise _make_invalid_day_error(year, month, 1)
    return _Period(date(year, month, 1), OCCUR_PRECISION_MONTH)


def _quarter(year: int, quarter: int) -> _Period:
    if year < 1:
        raise _make_invalid_day_error(year, 1, 1)
    return _Period(date(year, quarter * 3 - 2, 1), OCCUR_PRECISION_QUARTER)


def _make_invalid_day_error(year: int, month: int, day: int) -> NotationError:
    if year < 1:
        reason, remedy = "there is no year 0", "check the year"
    elif not 1 <= month <= 12:
        reason, remedy = f"there is no month {month}", "write 2024-05-31, year first"
    else:
        last = monthrange(year, month)[1]
        reason, remedy = f"{month_name[month]} {year} has {last} days, not {day}", ""
    return NotationError(f"is no real date: {reason}", remedy=remedy)


def _read_month_name(name: str) -> int:
    number = find_month(name)
    if not number:
        raise NotationError(f"has no month that we know, {name!r}", remedy=TIME_FORMS)
    return number


_NAME: Final = r"([^\W\d_]+)\.?"
_DOTTED = re.compile(r"(\d\d?)\. ?(\d\d?)\. ?(\d{4}|\d\d)")
_NAMED_DAY = re.compile(
    rf"(\d\d?)(?:st|nd|rd|th|er|\.)?(?:[ -]| ?de | of ){_NAME}(?:[ -]|, | de )(\d{{4}}|\d\d)",
    re.IGNORECASE,
)
_NAMED_MONTH = re.compile(rf"{_NAME}(?:-(\d\d)|[ /-](?:de )?(\d{{4}}))")
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[..., _Period]], ...]] = tuple(
    (re.compile(form, re.IGNORECASE), read)
    for form, read in (
        (
            r"(\d{4})([-/.])(\d\d?)\2(\d\d?)",
            lambda year, _, month, day: _day(int(year), int(month), int(day)),
        ),
        (r"(\d{4})(\d\d)(\d\d)", lambda year, month, day: _day(int(year), int(month), int(day))),
        (
            rf"{_NAME} (\d\d?)(?:st|nd|rd|th)?,? (\d{{4}})",
            lambda name, day, year: _day(int(year), _read_month_name(name), int(day)),
        ),
        (
            rf"(\d{{4}})[ -]{_NAME}[ -](\d\d?)",
            lambda year, name, day: _day(int(year), _read_month_name(name), int(day)),
        ),
        (r"(\d{4})[-/](\d\d?)", lambda year, month: _month(int(year), int(month))),
        (r"(\d\d?)[-/.](\d{4})", lambda month, year: _month(int(year), int(month))),
        (r"(\d{4})[- /]?Q([1-4])", lambda year, quarter: _quarter(int(year), int(quarter))),
        (r"Q([1-4])[- /]?(\d{4})", lambda quarter, year: _quarter(int(year), int(quarter))),
        (
            r"([1-4])(?:\.|st|nd|rd|th)? ?(?:quarter|quartal)(?: of)? (\d{4})",
            lambda quarter, year: _quarter(int(year), int(quarter)),
        ),
    )
)
_REFUSED_FORMS: Final[
    tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], NotationError]], ...]
] = (
    (
        re.compile(r"(\d{4})"),
        lambda match: NotationError(
            "is a year, which is too coarse",
            remedy=f"write a quarter, {match[1]}-Q1, a month, {match[1]}-01, or a day",
        ),
    ),
    (
        re.compile(r"(\d{4})-?W(\d\d)(?:-?([1-7]))?", re.IGNORECASE),
        lambda match: _make_week_error(*match.groups()),
    ),
    (
        re.compile(rf"{_NAME} (\d\d)"),
        lambda match: NotationError(
            "may be a month or a day", remedy=f"write 20{match[2]}-05, or 2024-05-{match[2]}"
        ),
    ),
    (
        re.compile(rf"(\d\d?)\.?[ -]{_NAME}"),
        lambda _: NotationError("has no year", remedy="write 2024-05-31"),
    ),
    (
        re.compile(r"\d{5}(?:[.,]\d+)?"),
        lambda _: NotationError(
            "is a number",
            remedy="if a spreadsheet shows dates so, format its cells as dates, yyyy-mm-dd, and "
            "save it again",
        ),
    ),
)


def _make_week_error(year: str, week: str, day: str | None) -> NotationError:
    try:
        monday = date.fromisocalendar(int(year), int(week), int(day or 1))
    except ValueError:
        return NotationError(f"is a week that {year} does not have", remedy=TIME_FORMS)
    what = "a day of a week" if day else "a week, and a week is no period here"
    which = "it" if day else "its Monday"
    return NotationError(
        f"is {what}", remedy=f"write {which}, {monday}, or the month, {monday:%Y-%m}"
    )
