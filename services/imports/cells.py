"""What the text of a cell means: times, words, numbers, lists. Every reader raises CellError.

What a value may be is said by the core alone; it judges the facts that cells become.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
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
from services.ledger.times import Instant, day_of, instant

DAY_FIRST: Final = "day-first"
MONTH_FIRST: Final = "month-first"
DateOrder = Literal["day-first", "month-first"]

_TIME_FORMS: Final = (
    "write 2024-05-31T14:30:00Z for an instant, 2024-05-31 or {slashed} for a day, "
    "2024-05 for a month, 2024-Q2 for a quarter"
)
_ZONELESS: Final = (
    "Times without a zone were read as UTC; 2024-05-31T14:30:00+01:00 names another one."
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.IGNORECASE)
_PERIODS: Final = tuple(
    (re.compile(form), precision)
    for form, precision in (
        (r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)", OCCUR_PRECISION_DAY),
        (r"(?P<year>\d{4})-(?P<month>\d\d)", OCCUR_PRECISION_MONTH),
        (r"(?P<year>\d{4})-?[Qq](?P<quarter>[1-4])", OCCUR_PRECISION_QUARTER),
    )
)
_SLASHED: Final = {
    DAY_FIRST: re.compile(r"(?P<day>\d\d?)/(?P<month>\d\d?)/(?P<year>\d{4})"),
    MONTH_FIRST: re.compile(r"(?P<month>\d\d?)/(?P<day>\d\d?)/(?P<year>\d{4})"),
}
_EXAMPLES: Final = {DAY_FIRST: "31/05/2024", MONTH_FIRST: "05/31/2024"}
_SAID: Final = {DAY_FIRST: "day/month/year", MONTH_FIRST: "month/day/year"}
# Files whose times are days have few different ones.
_TIMES_KEPT: Final = 10_000
_ENUM_PREFIX = re.compile("^(exchange_kind|formality|report_side|organization_type)_")


class CellError(Exception):
    """Why a row cannot be taken, and what to write instead. `field` is "" for the cell at hand."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class WordError(CellError):
    """The word is unknown wherever it stands, so that one remedy mends all its rows."""


class Moment(NamedTuple):
    """A time with the precision it is known to; coarse ones are the first instant of the period."""

    instant: Instant
    precision: OccurPrecision.ValueType

    @property
    def timestamp(self) -> Timestamp:
        return from_instant(self.instant)

    @property
    def date(self) -> Date:
        return from_day(day_of(self.instant))


class DateReader:
    """Reads times; `order` says what stands first in dates with slashes.

    `notes` has what was assumed to read them, once each.
    """

    def __init__(self, order: DateOrder = DAY_FIRST) -> None:
        self.notes: dict[str, None] = {}
        self._order = order
        self._forms = _TIME_FORMS.format(slashed=_EXAMPLES[order])
        self._read: dict[str, Moment] = {}

    def read_time(self, text: str) -> Moment:
        """The instant or period of a cell."""
        moment = self._read.get(text)
        if moment is None:
            if len(self._read) == _TIMES_KEPT:
                self._read.clear()
            moment = self._read[text] = self._moment(text)
        return moment

    def read_day(self, text: str) -> Moment:
        """An instant or a day."""
        moment = self.read_time(text)
        if moment.precision not in (OCCUR_PRECISION_EXACT, OCCUR_PRECISION_DAY):
            raise CellError(f"names no day; write 2024-05-31 or {_EXAMPLES[self._order]}")
        return moment

    def _moment(self, text: str) -> Moment:
        try:
            if _INSTANT.fullmatch(text):
                return self._exact(datetime.fromisoformat(text))
            for form, precision in _PERIODS:
                if match := form.fullmatch(text):
                    return _period(match, precision)
        except (ValueError, OverflowError) as error:
            raise CellError(f"is no real date or time ({error}); {self._forms}") from error
        if match := _SLASHED[self._order].fullmatch(text):
            return self._slashed(match)
        raise CellError(f"is not a time we can read; {self._forms}")

    def _exact(self, at: datetime) -> Moment:
        if at.tzinfo is None:
            self.notes[_ZONELESS] = None
            at = at.replace(tzinfo=UTC)
        return Moment(instant(at), OCCUR_PRECISION_EXACT)

    def _slashed(self, match: re.Match[str]) -> Moment:
        other = MONTH_FIRST if self._order == DAY_FIRST else DAY_FIRST
        said, instead = _SAID[self._order], f"--date-order {other}"
        self.notes[f"Dates with slashes were read as {said}; {instead} reads {_SAID[other]}."] = (
            None
        )
        try:
            return _period(match, OCCUR_PRECISION_DAY)
        except ValueError as error:
            raise CellError(f"is no date, read as {said} ({error}); or is it {instead}?") from error


def _period(match: re.Match[str], precision: OccurPrecision.ValueType) -> Moment:
    parts = {unit: int(number) for unit, number in match.groupdict().items()}
    month = parts["month"] if "month" in parts else parts["quarter"] * 3 - 2
    return Moment(
        instant(datetime(parts["year"], month, parts.get("day", 1), tzinfo=UTC)), precision
    )


def enum_words(values: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The words people write for the values of a contract's enum, such as `site_visit`."""
    words = {_ENUM_PREFIX.sub("", name.lower()): value for name, value in values}
    return {word: value for word, value in words.items() if word != "unspecified"}


def read_word(text: str, words: Mapping[str, int], remedy: str = "") -> int:
    """The value of a word or contract name, without regard to case, spaces and hyphens."""
    word = normalized_word(text)
    value = words.get(word, words.get(_ENUM_PREFIX.sub("", word)))
    if value is None:
        known = ", ".join(word.replace("_", " ") for word in words)
        raise WordError(remedy or f"is unknown; use one of {known}")
    return value


def normalized_word(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())


def read_minutes(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise CellError("must be whole minutes, 0 or more, such as 45; empty means unknown")
    return int(text)


def read_topics(text: str) -> list[str]:
    """In lower-kebab form: `E-Prescribing; bed management` is two topics."""
    return [re.sub(r"[\s_]+", "-", topic.casefold()) for topic in read_list(text)]


def read_list(text: str) -> list[str]:
    """What stands between `;` or `|`, trimmed, without empty parts."""
    return [part for part in map(str.strip, re.split(r"[;|]", text)) if part]
