"""The configuration of a programme, and its topics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from services.ledger.enums import RevisionState
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, LoggedRecord
from services.ledger.state import AppliedVerdict, Journal, Ledger, Verdict
from services.ledger.validation import Violations, check_count, check_label, check_topic

MAX_WORKING_DAY_MINUTES: Final = 1_440


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeConfigured(Fact):
    """Changes the settings that it has; all others stay."""

    FIELD: ClassVar = "programme_configured"
    topic_labels: tuple[tuple[str, str], ...] = ()
    """Topic and label. An empty label takes the label away."""
    working_day_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeConfiguration:
    """The settings of a programme: the sum of its facts, later ones over earlier ones."""

    topic_labels: Mapping[str, str]
    working_day_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic, its label ("" without one), and how many standing exchanges have it."""

    topic: str
    label: str
    exchange_count: int


def check_programme_configured(
    event: Event, fact: ProgrammeConfigured, violations: Violations
) -> None:
    path = "programme_configured."
    minutes = fact.working_day_minutes
    if not fact.topic_labels and minutes is None:
        violations.append(
            Violation(f"{path}topics", "is empty; set a label or working_day_minutes")
        )
    if minutes is not None and not 1 <= minutes <= MAX_WORKING_DAY_MINUTES:
        violations.append(
            Violation(
                f"{path}working_day_minutes",
                f"is {minutes:,}; a working day has 1 to {MAX_WORKING_DAY_MINUTES:,} minutes",
            )
        )
    if not check_count(fact.topic_labels, f"{path}topics", violations):
        return
    labelled = set[str]()
    for index, (topic, label) in enumerate(fact.topic_labels):
        check_topic(topic, f"{path}topics[{index}].topic", violations)
        check_label(label, f"{path}topics[{index}].label", violations)
        if topic in labelled:
            violations.append(Violation(f"{path}topics[{index}].topic", "has a label already"))
        labelled.add(topic)


def configure(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: ProgrammeConfigured, at: int
) -> Verdict:
    """Always applies, because `merge_configuration` merges the facts for an answer."""
    return AppliedVerdict()


def merge_configuration(facts: Iterable[ProgrammeConfigured]) -> ProgrammeConfiguration:
    """Returns the configuration after these facts, which are in log order."""
    labels = dict[str, str]()
    minutes = None
    for fact in facts:
        labels.update(fact.topic_labels)
        if fact.working_day_minutes is not None:
            minutes = fact.working_day_minutes
    return ProgrammeConfiguration(
        topic_labels={topic: label for topic, label in labels.items() if label},
        working_day_minutes=minutes,
    )


def list_topics(
    configured: ProgrammeConfiguration, exchange_counts: Mapping[str, int]
) -> list[Topic]:
    """Returns every topic with a standing exchange or a label, by topic."""
    used = {topic: count for topic, count in exchange_counts.items() if count}
    return [
        Topic(
            topic=topic,
            label=configured.topic_labels.get(topic, ""),
            exchange_count=used.get(topic, 0),
        )
        for topic in sorted({*used, *configured.topic_labels})
    ]


def count_exchanges_by_topic(ledger: Ledger) -> dict[str, int]:
    """Returns topic -> number of standing exchanges."""
    counts = dict[str, int]()
    for history in ledger.histories.values():
        if history.current.state is not RevisionState.RETRACTED:
            for topic in history.current.exchange.topics:
                counts[topic] = counts.get(topic, 0) + 1
    return counts
