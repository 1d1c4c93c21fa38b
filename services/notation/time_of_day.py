"""Reads the time of day after a date, with AM or PM and a zone."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from services.notation.errors import TIME_FORMS, NotationError

TIME_OF_DAY = re.compile(
    r"""
    (?P<date>.*[^\s,T])(?:\s*,?\s|T)\s*
    (?P<hour>\d\d?)
    (?: : (?P<minute>\d\d) (?: : (?P<second>\d\d) (?: [.,] (?P<fraction>\d+) )? )? )?
    \s* (?P<half>[ap]\.?m\.?)?
    \s* (?P<zone> (?:UTC|GMT)? [+-]\d\d? (?: :?\d\d )? | [A-Z]+ )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A time needs minutes, or AM or PM, because a number alone is no time."""
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?):?(\d\d)?", re.IGNORECASE)


def read_time_of_day(day: date, match: re.Match[str]) -> datetime:
    """The time on a day that `TIME_OF_DAY` matched, naive without a zone. Raises NotationError."""
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    if match["half"]:
        if not 1 <= hour <= 12:
            raise NotationError(
                f"has hour {hour} with AM or PM", remedy="write 1 to 12, or leave AM/PM out"
            )
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    if second == 60:
        raise NotationError(
            "is a leap second, which clocks here do not count", remedy="write second 59"
        )
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
        raise NotationError(
            f"has no time of a day: {hour}:{minute:02}:{second:02}", remedy=TIME_FORMS
        )
    try:
        start = datetime(day.year, day.month, day.day, tzinfo=_zone_of(match["zone"]))
        # 24:00 is the start of the next day.
        at = start + timedelta(hours=hour, minutes=minute, seconds=second)
    except OverflowError as error:
        raise NotationError("lies beyond the year 9999", remedy=TIME_FORMS) from error
    fraction = (match["fraction"] or "").ljust(6, "0")[:6]
    return at + timedelta(microseconds=int(fraction))


def _zone_of(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise NotationError(
            f"names the zone {text}, which is not the same everywhere: write an offset such as "
            "+01:00, or leave it out and say --zone AREA/CITY"
        )
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    if offset > timedelta(hours=14) or int(match[3] or 0) > 59:
        raise NotationError(f"has the offset {text}, which no clock has", remedy="at most +14:00")
    return timezone(-offset if match[1] == "-" else offset)
