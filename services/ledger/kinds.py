"""The register of fact kinds: what each must be, does, and touches. One line a kind."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from services.ledger import (
    exchange,
    exchange_rules,
    nothing_to_report,
    organization,
    organization_rules,
    programme,
)
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, Logged
from services.ledger.state import Journal, Ledger, Needs, Verdict
from services.ledger.times import Instant
from services.ledger.validation import Violations, check_envelope


def touch_nothing(needs: Needs, fact: Fact) -> None:
    """Of a fact that can be judged whatever stands on the log."""


class FactKind(NamedTuple):
    """What is known of a kind of fact.

    `check` adds what is wrong with one, `rule` says what becomes of it and changes the ledger,
    `touch` adds what the rule has to see, the fact itself aside.
    """

    check: Callable[[Event, Any, Violations], None]
    rule: Callable[[Ledger, Journal, Logged, Any, int], Verdict]
    touch: Callable[[Needs, Any], None] = touch_nothing


KINDS: Final[dict[type[Fact], FactKind]] = {
    exchange.ExchangeRecorded: FactKind(exchange.check_recorded, exchange_rules.record),
    exchange.ExchangeCorrected: FactKind(
        exchange.check_corrected, exchange_rules.correct, exchange_rules.touch_corrected
    ),
    exchange.ExchangeRetracted: FactKind(
        exchange.check_retracted, exchange_rules.retract, exchange_rules.touch_retracted
    ),
    organization.OrganizationRegistered: FactKind(
        organization.check_registered,
        organization_rules.register,
        organization_rules.touch_organization,
    ),
    organization.OrganizationUpdated: FactKind(
        organization.check_updated,
        organization_rules.update,
        organization_rules.touch_organization,
    ),
    organization.AliasAdded: FactKind(
        organization.check_alias, organization_rules.add_alias, organization_rules.touch_alias
    ),
    nothing_to_report.NothingToReport: FactKind(
        nothing_to_report.check_nothing, nothing_to_report.report_nothing
    ),
    programme.ProgrammeConfigured: FactKind(programme.check_configured, programme.configure),
}


def validate(event: Event, *, now: Instant) -> list[Violation]:
    """Everything that is wrong with a fact before it is appended; [] when nothing is."""
    found: Violations = []
    check_envelope(event, now=now, found=found)
    KINDS[type(event.fact)].check(event, event.fact, found)
    return found


def apply(ledger: Ledger, journal: Journal, logged: Logged, at: int) -> Verdict:
    """What becomes of a fact that the log reached at offset `at`; changes `ledger` when applied."""
    assert logged.event is not None
    fact = logged.event.fact
    return KINDS[type(fact)].rule(ledger, journal, logged, fact, at)
