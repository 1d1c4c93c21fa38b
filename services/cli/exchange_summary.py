"""Describes one exchange in a sentence or a table row."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.event_pb2 import ExchangeContent
from mutua.v1.query_service_pb2 import Exchange, ExchangeState, Revision
from mutua.v1.types_pb2 import ExchangeKind, Formality, OccurPrecision
from services.cli.dates import format_occurrence
from services.cli.organization_names import CommandLineDirectory
from services.cli.parameters import words_by_number
from services.notation.exchange_cells import current_revision

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
KINDS: Final = words_by_number(ExchangeKind.items())
FORMALITIES: Final = words_by_number(Formality.items())
STATES: Final = words_by_number(ExchangeState.items())
# The details of the sentence, in this order.
PHRASES: Final = {
    "kind": "{}",
    "on": "{}",
    "minutes": "{} minutes",
    "receiver minutes": "{} minutes of each receiver",
    "benefit minutes": "{} minutes saved by each receiver",
    "topics": "about {}",
    "formality": "{}",
    "note": "noted “{}”",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSummary:
    """The content and time of an exchange, from a revision, a fact or typed options."""

    content: ExchangeContent
    occur_time: Timestamp
    occur_precision: OccurPrecision.ValueType


def summarize_revision(revision: Revision) -> ExchangeSummary:
    return ExchangeSummary(
        content=revision.content,
        occur_time=revision.occur_time,
        occur_precision=revision.occur_precision,
    )


def details(
    summary: ExchangeSummary, directory: CommandLineDirectory, labels: Mapping[str, str] = NO_LABELS
) -> dict[str, str]:
    """The recorded values of an exchange, by the word for each; unknown values are left out.

    `labels` are what topics are shown as, where that is not the topic itself.
    """
    content = summary.content
    values = {
        "from": directory.join_labels(content.giver_ids),
        "to": directory.join_labels(content.receiver_ids),
        "with": directory.join_labels(content.party_ids),
        "kind": KINDS.get(content.kind, ""),
        "on": format_occurrence(summary.occur_time, summary.occur_precision),
        "topics": _join_names(labels.get(topic, topic) for topic in content.topics),
        "formality": FORMALITIES.get(content.formality, ""),
        "note": content.note.plain,
    }
    if content.HasField("giver_minutes"):
        values["minutes"] = f"{content.giver_minutes:,}"
    if content.HasField("receiver_minutes"):
        values["receiver minutes"] = f"{content.receiver_minutes:,}"
    if content.HasField("benefit_minutes"):
        values["benefit minutes"] = f"{content.benefit_minutes:,}"
    return {word: value for word, value in values.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionLine:
    """One row of a table of revisions; `details` comes from the function of that name."""

    exchange_id: str
    details: Mapping[str, str]
    state: str
    revision: Revision


def revision_lines(
    exchange: Exchange,
    directory: CommandLineDirectory,
    labels: Mapping[str, str] = NO_LABELS,
    *,
    revisions: bool,
) -> Iterator[RevisionLine]:
    """Yields the current revision, or with `revisions` every revision, oldest first."""
    last = exchange.revisions[-1]
    for revision in exchange.revisions if revisions else (current_revision(exchange),):
        is_replaced = revisions and revision.event_id != last.event_id
        values = {}
        if revision.HasField("content"):
            values = details(summarize_revision(revision), directory, labels)
        if revision.reason.plain:
            values["note"] = revision.reason.plain
        yield RevisionLine(
            exchange_id=exchange.exchange_id,
            details=values,
            state="replaced" if is_replaced else STATES.get(exchange.state, ""),
            revision=revision,
        )


def describe_exchange(
    summary: ExchangeSummary, directory: CommandLineDirectory, labels: Mapping[str, str] = NO_LABELS
) -> str:
    """Such as "Thornwick (T-02) gave to Millbury (T-01): call, 2026-03-14, 45 minutes."."""
    values_by_word = details(summary, directory, labels)
    parties = (
        f"{values_by_word['with']} together"
        if "with" in values_by_word
        else f"{values_by_word['from']} gave to {values_by_word['to']}"
    )
    told_details = ", ".join(
        phrase.format(values_by_word[word])
        for word, phrase in PHRASES.items()
        if word in values_by_word
    )
    return f"{parties}: {told_details}."


def _join_names(names: Iterable[str]) -> str:
    """Such as "beds, e-prescribing"; separated by semicolons where a name has a comma."""
    parts = list(names)
    return ("; " if any("," in name for name in parts) else ", ").join(parts)


def describe_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Lines such as "minutes: 45 -> 60" for two results of `details`."""
    return [
        f"{word}: {before.get(word, 'unknown')} -> {after.get(word, 'unknown')}"
        for word in dict.fromkeys((*before, *after))
        if before.get(word) != after.get(word)
    ]
