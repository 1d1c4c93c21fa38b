"""The register of fact kinds: what each must be, and what it does. One line a kind."""

from collections.abc import Callable
from typing import Any

from services.ledger import exchange, exchange_rules, organization, organization_rules
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, Logged
from services.ledger.state import Journal, Ledger, Verdict
from services.ledger.times import Instant
from services.ledger.validation import Violations, check_envelope

Check = Callable[[Event, Any, Violations], None]
Rule = Callable[[Ledger, Journal, Logged, Any, int], Verdict]

KINDS: dict[type[Fact], tuple[Check, Rule]] = {
    exchange.ExchangeRecorded: (exchange.check_recorded, exchange_rules.record),
    exchange.ExchangeCorrected: (exchange.check_corrected, exchange_rules.correct),
    exchange.ExchangeRetracted: (exchange.check_retracted, exchange_rules.retract),
    organization.OrganizationRegistered: (
        organization.check_registered,
        organization_rules.register,
    ),
    organization.OrganizationUpdated: (organization.check_updated, organization_rules.update),
    organization.AliasAdded: (organization.check_alias, organization_rules.add_alias),
}


def validate(event: Event, *, now: Instant) -> list[Violation]:
    """Everything that is wrong with a fact before it is appended; [] when nothing is."""
    found: Violations = []
    check_envelope(event, now=now, found=found)
    check, _ = KINDS[type(event.fact)]
    check(event, event.fact, found)
    return found


def apply(ledger: Ledger, journal: Journal, logged: Logged, at: int) -> Verdict:
    """What becomes of a fact that the log reached at offset `at`; changes `ledger` when applied."""
    assert logged.event is not None
    _, rule = KINDS[type(logged.event.fact)]
    return rule(ledger, journal, logged, logged.event.fact, at)
