"""Facts about reports: what parties say of an exchange that another side reported."""

from dataclasses import dataclass
from typing import ClassVar

from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, Text
from services.ledger.validation import Violations, check_id, check_text, check_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeConfirmed(Fact):
    """A party agrees with what another side reported."""

    FIELD: ClassVar = "exchange_confirmed"
    exchange_id: str
    party: str
    note: Text = Text()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeDisputed(Fact):
    """A party does not agree with what another side reported."""

    FIELD: ClassVar = "exchange_disputed"
    exchange_id: str
    party: str
    note: Text = Text()


def check_statement(
    event: Event, fact: ExchangeConfirmed | ExchangeDisputed, violations: Violations
) -> None:
    check_uuid(fact.exchange_id, f"{fact.FIELD}.exchange_id", violations)
    if event.event_id == fact.exchange_id:
        violations.append(Violation("event_id", "is also the exchange; a statement has its own id"))
    check_id(fact.party, f"{fact.FIELD}.party", violations)
    check_text(fact.note, f"{fact.FIELD}.note", violations)
