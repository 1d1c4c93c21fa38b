"""What the text of a cell means: times, words, numbers, lists. Every reader raises CellError.

What a value may be is said by the core alone; it judges the facts that cells become.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_EXACT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    Date,
    OccurPrecision,
)

_TIME_FORMS: Final = (
    "write 2024-05-31T14:30:00Z for an instant, 2024-05-31 or 31/05/2024 for a day, "
    "2024-05 for a month, 2024-Q2 for a quarter"
)
_ZONELESS: Final = (
    "Times without a zone were read as UTC; 2024-05-31T14:30:00+01:00 names another one."
)
_DAY_COMES_FIRST: Final = "Dates with slashes were read as day/month/year."
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.IGNORECASE)
_PERIODS: Final = tuple(
    (re.compile(form), precision, note)
    for form, precision, note in (
        (r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)", OCCUR_PRECISION_DAY, ""),
        (
            r"(?P<day>\d\d?)/(?P<month>\d\d?)/(?P<year>\d{4})",
            OCCUR_PRECISION_DAY,
            _DAY_COMES_FIRST,
        ),
        (r"(?P<year>\d{4})-(?P<month>\d\d)", OCCUR_PRECISION_MONTH, ""),
        (r"(?P<year>\d{4})-?[Qq](?P<quarter>[1-4])", OCCUR_PRECISION_QUARTER, ""),
    )
)
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

    at: datetime
    precision: OccurPrecision.ValueType
    note: str = ""

    @property
    def timestamp(self) -> Timestamp:
        # Exact in microseconds, and three times as fast as FromDatetime.
        return Timestamp(seconds=int(self.at.timestamp() // 1), nanos=self.at.microsecond * 1000)


def read_time(text: str) -> Moment:
    """The instant or period of a cell; `note` says what was assumed to read it."""
    try:
        if _INSTANT.fullmatch(text):
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                return Moment(at.replace(tzinfo=UTC), OCCUR_PRECISION_EXACT, _ZONELESS)
            return Moment(at.astimezone(UTC), OCCUR_PRECISION_EXACT)
        for form, precision, note in _PERIODS:
            if match := form.fullmatch(text):
                parts = {unit: int(number) for unit, number in match.groupdict().items()}
                month = parts["month"] if "month" in parts else parts["quarter"] * 3 - 2
                at = datetime(parts["year"], month, parts.get("day", 1), tzinfo=UTC)
                return Moment(at, precision, note)
    except (ValueError, OverflowError) as error:
        raise CellError(f"is no real date or time ({error}); {_TIME_FORMS}") from error
    raise CellError(f"is not a time we can read; {_TIME_FORMS}")


def read_day(text: str) -> Moment:
    """An instant or a day."""
    moment = read_time(text)
    if moment.precision not in (OCCUR_PRECISION_EXACT, OCCUR_PRECISION_DAY):
        raise CellError("names no day; write 2024-05-31 or 31/05/2024")
    return moment


def read_date(text: str) -> Date:
    at = read_day(text).at
    return Date(year=at.year, month=at.month, day=at.day)


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
