"""Checks of a single fact, independent of the log.

Checks append `Violation`s whose fields are paths below the event, for example
`exchange_recorded.exchange.giver_ids[0]`; nothing raises.
"""

import re
from collections.abc import Sequence, Sized
from datetime import date
from typing import Final
from unicodedata import category

from services.ledger.errors import Violation
from services.ledger.facts import Event, Text
from services.ledger.times import DAY, Instant, date_to_day, day_of, is_period_start

MAX_ID_LENGTH: Final = 128
MAX_NAME_LENGTH: Final = 200
MAX_NOTE_LENGTH: Final = 4_000
MAX_SEALED_BYTES: Final = 5 * MAX_NOTE_LENGTH
MAX_ITEMS: Final = 1_000
"""Maximum members of one list in one fact."""
EARLIEST_INSTANT: Final = date_to_day(date(1900, 1, 1)) * DAY
"""Earlier dates are taken for typing errors."""

UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PROGRAMME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TOPIC = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TOPIC_RULE: Final = (
    "must be lower-kebab, such as e-prescribing: a topic, not its label; `mutua programme show` "
    "and client.get_programme() list the topics in use"
)
NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"

Violations = list[Violation]


def check_envelope(event: Event, *, now: Instant, violations: Violations) -> None:
    """Checks what every fact has. `now` is the server's clock."""
    check_uuid(event.event_id, "event_id", violations)
    check_programme(event.programme_id, violations)
    for name in ("client", "batch", "reference"):
        check_label(getattr(event.source, name), f"source.{name}", violations)
    if event.source.generation < 0:
        violations.append(Violation("source.generation", "is negative; the first generation is 1"))
    _check_times(event, now, violations)


def _check_times(event: Event, now: Instant, violations: Violations) -> None:
    """Allows times a day off, because civil days differ by up to 14 hours from UTC days."""
    start = EARLIEST_INSTANT
    if event.occur_time is None and event.fact.IS_TIMED:
        violations.append(Violation("occur_time", "is missing; say when it happened"))
    if (occurred := event.occur_time) is not None:
        if occurred > now + DAY:
            violations.append(Violation("occur_time", "is more than a day ahead; check the date"))
        elif occurred < EARLIEST_INSTANT:
            violations.append(Violation("occur_time", "is before 1900; check the year"))
        elif not is_period_start(occurred, event.occur_precision):
            period = event.occur_precision.name.lower()
            violations.append(
                Violation("occur_time", f"is not the first instant (UTC) of its {period}")
            )
        else:
            start = day_of(occurred) * DAY
    if event.report_time is None:
        return
    if event.report_time > now + DAY:
        violations.append(Violation("report_time", "is more than a day ahead; check the date"))
    elif event.report_time < start - DAY:
        violations.append(
            Violation(
                "report_time", "is more than a day before the period the exchange occurred in"
            )
        )


def check_programme(programme_id: str, violations: Violations) -> None:
    if not _PROGRAMME.fullmatch(programme_id):
        violations.append(
            Violation(
                "programme_id",
                "must be 1 to 63 of a-z, 0-9 and hyphen, starting with a letter or digit",
            )
        )


def check_uuid(value: str, path: str, violations: Violations) -> None:
    if not UUID.fullmatch(value):
        violations.append(
            Violation(path, "must be a UUID such as 018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f")
        )
    elif value == NIL_UUID:
        violations.append(Violation(path, "is the nil UUID, which names nothing"))


def check_id(value: str, path: str, violations: Violations) -> None:
    """Checks an organization id, alias or other name that is compared exactly."""
    if not value:
        violations.append(Violation(path, "is empty; give 1 to 128 characters"))
    elif len(value) > MAX_ID_LENGTH:
        violations.append(
            Violation(path, f"has {len(value):,} characters; at most {MAX_ID_LENGTH}")
        )
    elif _has_control_character(value):
        violations.append(Violation(path, "has a control character; remove it"))


def check_ids(values: Sequence[str], path: str, violations: Violations) -> None:
    if check_count(values, path, violations):
        for index, value in enumerate(values):
            check_id(value, f"{path}[{index}]", violations)


def check_count(values: Sized, path: str, violations: Violations, limit: int = MAX_ITEMS) -> bool:
    """Checks the length of a list; returns whether its members can be checked."""
    if len(values) > limit:
        violations.append(Violation(path, f"has {len(values):,} members; at most {limit:,}"))
    return len(values) <= limit


def check_topic(value: str, path: str, violations: Violations) -> None:
    if len(value) > MAX_ID_LENGTH or not _TOPIC.fullmatch(value):
        violations.append(Violation(path, TOPIC_RULE))


def check_label(value: str, path: str, violations: Violations) -> None:
    """Checks a name or label: at most 200 characters, no control characters; may be empty."""
    if len(value) > MAX_NAME_LENGTH:
        violations.append(
            Violation(path, f"has {len(value):,} characters; at most {MAX_NAME_LENGTH}")
        )
    elif _has_control_character(value):
        violations.append(Violation(path, "has a control character; remove it"))


def check_text(text: Text, path: str, violations: Violations) -> None:
    """Checks free text: at most 4,000 characters, no control characters but breaks and tabs."""
    if len(text.sealed) > MAX_SEALED_BYTES:
        violations.append(
            Violation(path, f"has {len(text.sealed):,} sealed bytes; at most {MAX_SEALED_BYTES:,}")
        )
    elif len(text.plain) > MAX_NOTE_LENGTH:
        violations.append(
            Violation(path, f"has {len(text.plain):,} characters; at most {MAX_NOTE_LENGTH:,}")
        )
    elif _has_control_character(text.plain.translate(_LINE_BREAKS)):
        violations.append(Violation(path, "has a control character; remove it"))


def check_minutes(value: int | None, limit: int, path: str, violations: Violations) -> None:
    """Checks that minutes are in [0, limit]; None is unknown and valid."""
    if value is None:
        return
    if value < 0:
        violations.append(Violation(path, f"is {value:,}; minutes cannot be negative"))
    elif value > limit:
        violations.append(Violation(path, f"is {value:,} minutes; at most {limit:,} here"))


_LINE_BREAKS = str.maketrans("", "", "\n\r\t")


def _has_control_character(value: str) -> bool:
    return not value.isprintable() and any(category(letter) == "Cc" for letter in value)
