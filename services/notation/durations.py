"""Reads durations as people write them, in whole minutes."""

import re
from fractions import Fraction
from typing import Final

from services.notation.errors import NotationError, WorkingDayError

UNKNOWN_WORDS: Final = frozenset({"-", "–", "—", "?", "na", "n/a", "unknown", "unbekannt"})
_FORMS: Final = "write whole minutes, such as 45, or a duration, such as 1:30, 1h30 or 1.5 h"
_NUMBER: Final = r"\d+(?:[.,]\d+)?"
_WHOLE = re.compile(r"(\d{1,12})(?:[.,]0+)?")
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+(?!\d)")
"""Digits that are thousands in one country and three decimals in another."""
_CLOCK = re.compile(r"(\d{1,5}):(\d\d)(?::(\d\d)(?:\.0+)?)?")
_HOURS_AND_MINUTES = re.compile(r"(\d{1,5}) ?h ?(\d\d?) ?(?:m|min)?", re.IGNORECASE)
_ISO = re.compile(
    rf"P(?:({_NUMBER})D)?(?:T(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?", re.IGNORECASE
)
_ISO_MINUTES: Final = (Fraction(1_440), Fraction(60), Fraction(1), Fraction(1, 60))
_PART = re.compile(rf"({_NUMBER}) ?([^\W\d_]+)\.?(?: and |, ?| |$)?", re.IGNORECASE)
_HALF = re.compile(r"(?:an? |eine?n? )?(?:half|halbe[rsn]?)(?: an?)?[ -]([^\W\d_]+)", re.IGNORECASE)
_DAY_UNITS: Final = frozenset({"d", "day", "days", "tag", "tage", "tagen"})
_UNIT_MINUTES: Final = {
    name: minutes
    for names, minutes in (
        ("s sec secs second seconds sek sekunde sekunden", Fraction(1, 60)),
        ("m min mins minute minutes minuten", Fraction(1)),
        ("h hr hrs hour hours std stunde stunden", Fraction(60)),
    )
    for name in names.split()
}


class DurationReader:
    """Reads durations; `working_day_minutes` is the length of a working day in the programme.

    It is None if the programme has none. `notes` has each assumption once.
    """

    def __init__(self, working_day_minutes: int | None = None) -> None:
        self.notes: dict[str, None] = {}
        self._working_day_minutes = working_day_minutes

    def read_minutes(self, text: str) -> int | None:
        """Reads whole minutes; None if the text means unknown. Raises NotationError."""
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        if text.casefold() in UNKNOWN_WORDS:
            self.notes[f"Minutes written {text!r} were read as unknown."] = None
            return None
        if any(each.isdigit() and not each.isascii() for each in text):
            raise NotationError("has digits of another script", remedy=_FORMS)
        minutes = self._minutes(" ".join(text.split()))
        if minutes.denominator != 1:
            amount = f"{float(minutes):,.2f}".rstrip("0").rstrip(".")
            raise NotationError(f"is {amount} minutes", remedy=_FORMS)
        if minutes >= 10**9:
            raise NotationError("is too long", remedy=_FORMS)
        return int(minutes)

    def _minutes(self, text: str) -> Fraction:
        if match := _GROUPED.match(text):
            raise NotationError(
                f"has {match[0]}, which may be a thousand or a decimal",
                remedy="write it without , and .",
            )
        if match := _WHOLE.fullmatch(text):
            return Fraction(match[1])
        if match := _CLOCK.fullmatch(text):
            return _sum_clock_parts(*match.groups())
        if match := _HOURS_AND_MINUTES.fullmatch(text):
            return _sum_clock_parts(match[1], match[2], None)
        if (match := _ISO.fullmatch(text)) and any(match.groups()):
            parts = zip(match.groups(), _ISO_MINUTES, strict=True)
            return sum((_number(part) * unit for part, unit in parts if part), Fraction())
        if match := _HALF.fullmatch(text):
            return Fraction(1, 2) * self._unit(match[1])
        parts_with_units = _parts(text)
        if parts_with_units:
            return sum((_number(n) * self._unit(unit) for n, unit in parts_with_units), Fraction())
        raise _make_error(text)

    def _unit(self, name: str) -> Fraction:
        unit = name.casefold()
        if unit in _DAY_UNITS:
            if self._working_day_minutes is None:
                raise WorkingDayError
            return Fraction(self._working_day_minutes)
        if unit not in _UNIT_MINUTES:
            raise NotationError(f"has the unit {name!r}, which we do not know", remedy=_FORMS)
        return _UNIT_MINUTES[unit]


def _sum_clock_parts(hours: str, minutes: str, seconds: str | None) -> Fraction:
    if int(minutes) > 59 or int(seconds or 0) > 59:
        raise NotationError("has more than 59 minutes or seconds after a colon", remedy=_FORMS)
    return Fraction(int(hours) * 60 + int(minutes)) + Fraction(int(seconds or 0), 60)


def _parts(text: str) -> list[tuple[str, str]]:
    """Numbers with their units, such as 1 h 30 min; [] when the text is something else."""
    parts, end = [], 0
    while end < len(text):
        match = _PART.match(text, end)
        if match is None:
            return []
        parts.append((match[1], match[2]))
        end = match.end()
    return parts


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", "."))


def _make_error(text: str) -> NotationError:
    if re.fullmatch(r"-.*\d.*", text):
        return NotationError("is below 0, and minutes cannot be negative")
    if text.casefold() in ("nan", "null", "none", "#n/a"):
        return NotationError(
            "is how a program writes that it has no number", remedy="leave the cell empty"
        )
    if re.fullmatch(_NUMBER, text):
        number = _number(text)
        remedy = f"if it is hours, write {text} h; else {_FORMS}"
        if number < 1:
            day = f"{float(number * 1_440):,.1f}".removesuffix(".0")
            remedy = (
                f"if it is a spreadsheet's part of a day ({day} minutes), "
                "format the cells as [h]:mm"
            )
        return NotationError("is no whole number of minutes", remedy=remedy)
    return NotationError("is no duration", remedy=_FORMS)
