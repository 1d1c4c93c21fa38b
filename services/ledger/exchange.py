"""Exchanges: their content, the facts about them, and the checks of these."""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from services.ledger.enums import Formality, Kind, Side
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, Text
from services.ledger.validation import (
    MAX_ID_LENGTH,
    Violations,
    check_count,
    check_id,
    check_ids,
    check_label,
    check_minutes,
    check_text,
    check_topic,
    check_uuid,
)

MAX_LEGS: Final = 2_500
"""Maximum givers times receivers of one fact, because each pair is a row of the read models."""
MAX_TOTAL_LEGS: Final = 100_000
"""Maximum legs of a request and of a slab; bounds memory and the time of a transaction."""
MAX_TOPICS: Final = 100
MAX_MINUTES: Final = 20_160
"""Two weeks of 24 hours, for each organization."""
MAX_STAFF_MINUTES: Final = 525_600
"""A year: for secondment and consultancy."""
MAX_BENEFIT_MINUTES: Final = 5_256_000

STAFF_KINDS: Final = frozenset({Kind.SECONDMENT, Kind.CONSULTANCY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Participants:
    """People who took part, counted by what they do."""

    role_group: str = ""
    profession: str = ""
    participant_count: int = 0


class Exchange(NamedTuple):
    """One act of sharing as reported. Unknown minutes are None, not 0."""

    kind: Kind
    giver_ids: tuple[str, ...] = ()
    receiver_ids: tuple[str, ...] = ()
    party_ids: tuple[str, ...] = ()
    formality: Formality = Formality.UNSPECIFIED
    topics: tuple[str, ...] = ()
    giver_minutes: int | None = None
    receiver_minutes: int | None = None
    benefit_minutes: int | None = None
    reported_by: Side = Side.UNSPECIFIED
    asset_id: str = ""
    network_id: str = ""
    brokered_by_ids: tuple[str, ...] = ()
    arose_from_id: str = ""
    answers_request_id: str = ""
    note: Text = Text()
    participants: tuple[Participants, ...] = ()

    @property
    def leg_count(self) -> int:
        return len(self.giver_ids) * len(self.receiver_ids)

    def list_party_ids(self) -> tuple[str, ...]:
        """Returns givers, receivers and joint parties."""
        return (*self.giver_ids, *self.receiver_ids, *self.party_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRecorded(Fact):
    FIELD: ClassVar = "exchange_recorded"
    IS_TIMED: ClassVar = True
    exchange: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeCorrected(Fact):
    FIELD: ClassVar = "exchange_corrected"
    IS_TIMED: ClassVar = True
    exchange_id: str
    exchange: Exchange
    replaces_event_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRetracted(Fact):
    FIELD: ClassVar = "exchange_retracted"
    exchange_id: str
    reason: Text = Text()


def check_exchange_recorded(event: Event, fact: ExchangeRecorded, violations: Violations) -> None:
    _check_exchange(fact.exchange, "exchange_recorded.exchange.", violations)


def check_exchange_corrected(event: Event, fact: ExchangeCorrected, violations: Violations) -> None:
    check_uuid(fact.exchange_id, "exchange_corrected.exchange_id", violations)
    if fact.replaces_event_id:
        check_uuid(fact.replaces_event_id, "exchange_corrected.replaces_event_id", violations)
    if event.event_id in (fact.exchange_id, fact.replaces_event_id):
        violations.append(
            Violation("event_id", "is also what it corrects; a correction has its own id")
        )
    _check_exchange(fact.exchange, "exchange_corrected.exchange.", violations)


def check_exchange_retracted(event: Event, fact: ExchangeRetracted, violations: Violations) -> None:
    check_uuid(fact.exchange_id, "exchange_retracted.exchange_id", violations)
    if event.event_id == fact.exchange_id:
        violations.append(
            Violation("event_id", "is also what it retracts; a retraction has its own id")
        )
    check_text(fact.reason, "exchange_retracted.reason", violations)


def _check_exchange(exchange: Exchange, path: str, violations: Violations) -> None:
    if exchange.kind is Kind.UNSPECIFIED:
        violations.append(Violation(f"{path}kind", "is missing or unknown; say what form it took"))
    _check_parties(exchange, path, violations)
    _check_amounts(exchange, path, violations)
    if check_count(exchange.topics, f"{path}topics", violations, MAX_TOPICS):
        for index, topic in enumerate(exchange.topics):
            check_topic(topic, f"{path}topics[{index}]", violations)
    check_ids(exchange.brokered_by_ids, f"{path}brokered_by_ids", violations)
    for name in ("asset_id", "network_id", "arose_from_id", "answers_request_id"):
        if value := getattr(exchange, name):
            check_id(value, f"{path}{name}", violations)
    check_text(exchange.note, f"{path}note", violations)
    if check_count(exchange.participants, f"{path}participants", violations):
        for index, group in enumerate(exchange.participants):
            _check_participants(group, f"{path}participants[{index}].", violations)


def _check_participants(group: Participants, path: str, violations: Violations) -> None:
    check_label(group.role_group, f"{path}role_group", violations)
    check_label(group.profession, f"{path}profession", violations)
    if group.participant_count < 1:
        violations.append(Violation(f"{path}participant_count", "must be 1 or more"))


def _check_parties(exchange: Exchange, path: str, violations: Violations) -> None:
    givers, receivers, parties = exchange.giver_ids, exchange.receiver_ids, exchange.party_ids
    for name in ("giver_ids", "receiver_ids", "party_ids"):
        ids = getattr(exchange, name)
        check_ids(ids, f"{path}{name}", violations)
    if parties:
        if givers or receivers:
            violations.append(
                Violation(f"{path}party_ids", "is set with giver_ids or receiver_ids; use one form")
            )
        if len(parties) < 2:
            violations.append(Violation(f"{path}party_ids", "needs two or more organizations"))
        return
    _check_direction(givers, receivers, path, violations)


def _check_direction(
    givers: tuple[str, ...], receivers: tuple[str, ...], path: str, violations: Violations
) -> None:
    if not givers:
        violations.append(Violation(f"{path}giver_ids", "is empty; say who gave"))
    if not receivers:
        violations.append(Violation(f"{path}receiver_ids", "is empty; say who received"))
    if len(givers) * len(receivers) > MAX_LEGS:
        violations.append(
            Violation(
                f"{path}receiver_ids", f"givers times receivers exceed {MAX_LEGS:,}; record parts"
            )
        )
    both = set(givers)
    for index, receiver in enumerate(receivers):
        if receiver in both:
            violations.append(
                Violation(
                    f"{path}receiver_ids[{index}]",
                    f"{receiver[:MAX_ID_LENGTH]!r} is also a giver; choose a side",
                )
            )


def _check_amounts(exchange: Exchange, path: str, violations: Violations) -> None:
    limit = MAX_STAFF_MINUTES if exchange.kind in STAFF_KINDS else MAX_MINUTES
    bearers = len(exchange.party_ids) or len(exchange.giver_ids) or 1
    check_minutes(exchange.giver_minutes, limit * bearers, f"{path}giver_minutes", violations)
    if exchange.party_ids:
        for name in ("receiver_minutes", "benefit_minutes"):
            if getattr(exchange, name) is not None:
                violations.append(
                    Violation(
                        f"{path}{name}", "has no receiver in a symmetric exchange; leave it out"
                    )
                )
        return
    check_minutes(exchange.receiver_minutes, limit, f"{path}receiver_minutes", violations)
    check_minutes(
        exchange.benefit_minutes, MAX_BENEFIT_MINUTES, f"{path}benefit_minutes", violations
    )
