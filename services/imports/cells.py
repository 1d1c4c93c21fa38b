"""Reads single cells: times, words, numbers, ids. Every reader raises CellError for a human."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_EXACT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    Date,
    OccurPrecision,
)

MAX_ID_LENGTH: Final = 128
MAX_NAME_LENGTH: Final = 200
MAX_NOTE_LENGTH: Final = 4_000

_TIME_FORMS: Final = (
    "write 2024-05-31T14:30:00Z for an instant, 2024-05-31 or 31/05/2024 for a day, "
    "2024-05 for a month, 2024-Q2 for a quarter"
)
_ZONELESS: Final = (
    "Times without a zone were read as UTC; 2024-05-31T14:30:00+01:00 names another one."
)
_DAY_COMES_FIRST: Final = "Dates with slashes were read as day/month/year."
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.IGNORECASE)
_DAY = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)")
_DAY_FIRST = re.compile(r"(?P<day>\d\d?)/(?P<month>\d\d?)/(?P<year>\d{4})")
_MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)")
_QUARTER = re.compile(r"(\d{4})-?[Qq]([1-4])")
_COARSE: Final = (
    (_DAY, OCCUR_PRECISION_DAY),
    (_DAY_FIRST, OCCUR_PRECISION_DAY),
    (_MONTH, OCCUR_PRECISION_MONTH),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_NOTE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ENUM_PREFIX = re.compile("^(exchange_kind|formality|report_side|organization_type)_")
_LIST = re.compile(r"[;|]")


class CellError(Exception):
    """Why a cell cannot be read, and what to write instead."""


class WordError(CellError):
    """The word is unknown wherever it stands, so that one remedy mends all its rows."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time with the precision it is known to; coarse ones are the first instant of the period."""

    at: datetime
    precision: OccurPrecision.ValueType
    note: str = ""

    @property
    def timestamp(self) -> Timestamp:
        # Microseconds at most: exact, and three times as fast as FromDatetime.
        return Timestamp(seconds=int(self.at.timestamp() // 1), nanos=self.at.microsecond * 1000)


def clean(text: str) -> str:
    """Trimmed and NFC."""
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def read_time(text: str) -> Moment:
    """The instant or period of a cell. An instant without a zone is UTC, and its note says so."""
    try:
        if _INSTANT.fullmatch(text):
            at = datetime.fromisoformat(text)
            if at.tzinfo is not None:
                return Moment(at.astimezone(UTC), OCCUR_PRECISION_EXACT)
            return Moment(
                at.replace(tzinfo=UTC),
                OCCUR_PRECISION_EXACT,
                _ZONELESS,
            )
        if quarter := _QUARTER.fullmatch(text):
            first_month = int(quarter[2]) * 3 - 2
            return Moment(
                datetime(int(quarter[1]), first_month, 1, tzinfo=UTC), OCCUR_PRECISION_QUARTER
            )
        for form, precision in _COARSE:
            if match := form.fullmatch(text):
                parts = {unit: int(number) for unit, number in match.groupdict().items()}
                at = datetime(parts["year"], parts["month"], parts.get("day", 1), tzinfo=UTC)
                return Moment(at, precision, _DAY_COMES_FIRST if form is _DAY_FIRST else "")
    except (ValueError, OverflowError) as error:
        raise CellError(f"is no real date or time ({error}); {_TIME_FORMS}") from error
    raise CellError(f"is not a time we can read; {_TIME_FORMS}")


def read_date(text: str) -> Date:
    moment = read_time(text)
    if moment.precision not in (OCCUR_PRECISION_EXACT, OCCUR_PRECISION_DAY):
        raise CellError("names no day; write 2024-05-31 or 31/05/2024")
    return Date(year=moment.at.year, month=moment.at.month, day=moment.at.day)


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
    """Whole minutes, 0 or more."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise CellError("must be whole minutes, 0 or more, such as 45; empty means unknown")
    return int(text)


def read_topics(text: str) -> list[str]:
    """Sorted lower-kebab words: `E-Prescribing; bed management` is two of them."""
    topics = {re.sub(r"[\s_]+", "-", topic.casefold()) for topic in read_list(text)}
    for topic in topics:
        if len(topic) > MAX_ID_LENGTH or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", topic):
            raise CellError(
                f"has the topic {topic!r}: use a-z, 0-9 and single hyphens, and ; between topics"
            )
    return sorted(topics)


def read_id(text: str) -> str:
    if len(text) > MAX_ID_LENGTH:
        raise CellError(f"has {len(text):,} characters; an id has at most {MAX_ID_LENGTH}")
    return _without_control(text)


def read_label(text: str) -> str:
    if len(text) > MAX_NAME_LENGTH:
        raise CellError(f"has {len(text):,} characters; at most {MAX_NAME_LENGTH}")
    return _without_control(text)


def read_note(text: str) -> str:
    if len(text) > MAX_NOTE_LENGTH:
        raise CellError(f"has {len(text):,} characters; at most {MAX_NOTE_LENGTH:,}")
    if _CONTROL_IN_NOTE.search(text):
        raise CellError("has a control character; remove it")
    return text


def read_list(text: str) -> list[str]:
    """What stands between `;` or `|`, trimmed, without empty parts."""
    return [part for part in map(str.strip, _LIST.split(text)) if part]


def _without_control(text: str) -> str:
    if _CONTROL.search(text):
        raise CellError("has a control character; remove it")
    return text


class Resolver:
    """Finds the id that people mean by an id, a name or an alias.

    An id is taken as it is written; otherwise case is of no matter, and organizations of the roster
    go before those that were only named. What nobody knows stays as written: an unregistered id.
    """

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self._ids: set[str] = set()
        self._registered: dict[str, set[str]] = {}
        self._named: dict[str, set[str]] = {}
        self._resolved: dict[str, str] = {}
        self.unregistered: set[str] = set()
        for organization in organizations:
            self._ids.add(organization.organization_id)
            known = self._registered if organization.registered else self._named
            for word in (
                organization.organization_id,
                organization.name,
                *organization.aliases,
            ):
                known.setdefault(word.casefold(), set()).add(organization.organization_id)

    def knows(self, organization_id: str) -> bool:
        return organization_id in self._ids

    def resolve(self, text: str) -> str:
        """Raises CellError when several organizations go by that name."""
        found = self._resolved.get(text)
        if found is None:
            found = self._resolved[text] = self._find(read_id(text))
        return found

    def _find(self, text: str) -> str:
        if text in self._ids:
            return text
        folded = text.casefold()
        found = self._registered.get(folded) or self._named.get(folded)
        if not found:
            self.unregistered.add(text)
            return text
        if len(found) > 1:
            raise CellError(f"is the name of {' and '.join(sorted(found))}; write the id")
        return next(iter(found))
