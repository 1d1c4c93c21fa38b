"""What an answer rests on, and the question it answers, in sentences. No word judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from mutua.enum_words import words_by_number
from mutua.frames import to_day
from mutua.v1.query_service_pb2 import (
    LENS_ATTENTION,
    LENS_BENEFIT,
    LENS_BURDEN,
    Coverage,
    Question,
)
from mutua.v1.types_pb2 import ExchangeKind, Formality
from services.ledger.wording import format_count
from services.query.dashboard.directory import shorten

_LENSES: Final = {
    LENS_BURDEN: "In minutes that givers spent",
    LENS_ATTENTION: "In minutes that receivers spent",
    LENS_BENEFIT: "In minutes that receivers saved",
}
KIND_WORDS: Final = words_by_number(ExchangeKind.items())
"""Kind of an exchange -> its word in addresses and commands."""
_FORMALITIES: Final = words_by_number(Formality.items())
_WARNINGS: Final = {
    "MANY_UNKNOWN": "More than a fifth of the minutes are unknown, so amounts may be low.",
    "POSSIBLE_DOUBLE_REPORTS": "{doubles} may be counted twice, because another side reported the "
    "same parties, kind and day.",
    "TOPICS_OVERLAP": "An exchange with several topics counts under each.",
    "UNBOUND_NAMES": "Exchanges name organizations that are not registered.",
    "FACTS_QUARANTINED": "Some facts can never apply and count nowhere.",
}
REASONS: Final = {
    "MANY_UNKNOWN": "more than a fifth of the minutes are unknown",
    "TOO_FEW_ORGANIZATIONS": "fewer than 5 organizations both gave and received",
    "TOO_FEW_EXCHANGES": "there are too few exchanges",
    "NO_YARDSTICK": "chance cannot be computed for these totals",
    "NO_KNOWN_AMOUNT": "no amount is known",
    "TOO_FEW": "there are too few turns",
    "TOO_FEW_DAYS": "there are fewer than 6 contact days",
}


def list_words(words: Sequence[str], last: str = "and") -> str:
    """Such as "calls, visits and webinars"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def describe_kind(kind: int) -> str:
    """Such as "shared configuration"; a kind of a later contract is its number."""
    return KIND_WORDS.get(kind, str(kind)).replace("-", " ")


def describe_day(day: date) -> str:
    """Such as "1 July 2018"."""
    return f"{day.day} {day:%B} {day.year}"


def describe_question(subject: str, question: Question) -> str:
    """The question in words: `subject`, then lens, window and the filters that narrow it."""
    lens = _LENSES.get(question.lens, "In exchanges")
    narrowing = "".join(f"; {each}" for each in _describe_narrowing(question))
    return f"{subject}? {lens}, {describe_window(question)}{narrowing}."


def describe_window(question: Question) -> str:
    first = to_day(question.from_date) if question.HasField("from_date") else None
    last = to_day(question.to_date) - timedelta(1) if question.HasField("to_date") else None
    if first and last:
        return f"from {describe_day(first)} to {describe_day(last)}"
    if first:
        return f"since {describe_day(first)}"
    return f"until {describe_day(last)}" if last else "over all time"


def _describe_narrowing(question: Question) -> Iterator[str]:
    kinds = [describe_kind(each) for each in question.kinds]
    formalities = [_FORMALITIES.get(each, "unspecified") for each in question.formalities]
    for name, words in (
        ("kind", kinds),
        ("formality", formalities),
        ("topic", [shorten(topic) for topic in question.topics]),
    ):
        if words:
            yield f"{name} {list_words(words, 'or')} only"


def describe_amounts(coverage: Coverage) -> list[str]:
    """How many exchanges have no minutes, and how many have no direction."""
    notes = []
    directed = coverage.exchange_count - coverage.joint_count - coverage.internal_count
    if coverage.unknown_minutes_count:
        notes.append(
            f"{coverage.unknown_minutes_count:,} of "
            f"{format_count(directed, 'directed exchange', 'has')} no minutes."
        )
    if coverage.joint_count:
        joint = format_count(coverage.joint_count, "joint exchange")
        notes.append(f"{joint} without giver and receiver: a contact, and no amount.")
    return notes


def describe_recording(coverage: Coverage) -> str:
    """How many organizations have recorded, and what that means for totals."""
    roster, recorded = coverage.roster_count, coverage.recorded_count
    if not roster:
        return "No organization is registered, so nobody knows who has not recorded anything."
    if recorded >= roster:
        return f"All {format_count(roster, 'organization')} recorded one of these exchanges."
    missing = roster - recorded
    return (
        f"{recorded:,} of {format_count(roster, 'organization')} "
        f"{'has' if recorded == 1 else 'have'} recorded one of these exchanges; "
        f"{missing:,} {'has' if missing == 1 else 'have'} not, so totals may be low."
    )


def describe_warnings(answer: Any) -> list[str]:
    """The warnings of an answer as sentences."""
    doubles = format_count(answer.coverage.possible_double_count, "exchange")
    return [
        _WARNINGS.get(each, each.replace("_", " ").capitalize() + ".").format(doubles=doubles)
        for each in answer.warnings
    ]


def describe_reasons(reasons: Sequence[str]) -> str:
    """Why a measure is absent, such as "there are too few exchanges"."""
    words = [REASONS.get(each, each.replace("_", " ").lower()) for each in reasons]
    return list_words(words) or "it is not defined here"
