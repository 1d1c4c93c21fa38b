"""Names and numbers as the report writes them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from mutua.v1.query_service_pb2 import LENS_COUNT, LENS_UNSPECIFIED, Lens, Organization

MAX_NAME: Final = 80
"""Characters of a name before it is cut."""
ABSENT: Final = "–"
_BIDI_CONTROLS: Final = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
_HOUR: Final = 60


def clean_name(text: str, length: int = MAX_NAME) -> str:
    """A name on one line, cut after `length` characters, that cannot turn the text around it.

    Direction controls and unseen characters are left out. The page isolates names, so that letters
    written from right to left still read correctly.
    """
    plain = "".join(
        character
        for character in text[: 4 * length]
        if ord(character) not in _BIDI_CONTROLS and unicodedata.category(character) != "Cc"
    )
    return shorten(" ".join(plain.split()), length)


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


class Names:
    """The names of organizations as the report shows them; the id where there is no name.

    Organizations whose names look alike get their ids added.
    """

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self._names = {
            each.organization_id: clean_name(each.name) or clean_name(each.organization_id)
            for each in organizations
        }
        counts = Counter(self._names.values())
        for organization_id, name in self._names.items():
            if counts[name] > 1:
                suffix = clean_name(organization_id, MAX_NAME // 2)
                self._names[organization_id] = f"{shorten(name, MAX_NAME // 2)} ({suffix})"

    def __getitem__(self, organization_id: str) -> str:
        return self._names.get(organization_id) or clean_name(organization_id)

    def sort(self, organization_ids: Iterable[str]) -> list[str]:
        """The ids in the order of their names; Site 2 precedes Site 10."""
        return sorted(organization_ids, key=lambda each: (_split_numbers(self[each]), each))


def _split_numbers(name: str) -> list[str | int]:
    """Text and numbers in turns, so that numbers are compared as such."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


@dataclass(frozen=True, slots=True)
class Unit:
    """What amounts are: exchanges, or minutes under the other lenses."""

    is_minutes: bool

    @classmethod
    def of(cls, lens: Lens.ValueType) -> "Unit":
        return cls(is_minutes=lens not in (LENS_UNSPECIFIED, LENS_COUNT))

    @property
    def noun(self) -> str:
        return "minutes" if self.is_minutes else "exchanges"

    def format(self, amount: float | None) -> str:
        """Such as 1,204, or under minutes "45 min", "7.5 h" and "120 h"."""
        if amount is None:
            return ABSENT
        if not self.is_minutes:
            return f"{amount:,.0f}"
        if amount < _HOUR:
            return f"{amount:,.0f} min"
        hours = amount / _HOUR
        return f"{hours:,.1f} h" if hours < 10 else f"{hours:,.0f} h"

    def format_long(self, amount: float | None) -> str:
        """Such as "1,204 exchanges"."""
        text = self.format(amount)
        if self.is_minutes or amount is None:
            return text
        return f"{text} {'exchange' if text == '1' else 'exchanges'}"


def format_share(share: float | None) -> str:
    """Such as 46%; an absent share is a dash, and a small one never 0%."""
    if share is None:
        return ABSENT
    return "< 1%" if 0 < share < 0.005 else f"{share:.0%}"


def format_ratio(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.2f}"


def format_probability(value: float | None) -> str:
    """Three digits, "< 0.001" below them."""
    if value is None:
        return ABSENT
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def format_day(day: date) -> str:
    """Such as 3 March 2026."""
    return f"{day.day} {day:%B %Y}"


def format_period(first: date, period: str) -> str:
    """Such as Mar 2026, Q1 2026 or 2026."""
    match period:
        case "month":
            return f"{first:%b %Y}"
        case "quarter":
            return f"Q{(first.month + 2) // 3} {first.year}"
        case _:
            return str(first.year)


def join_words(words: Iterable[str]) -> str:
    """Such as "a, b and c"."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
