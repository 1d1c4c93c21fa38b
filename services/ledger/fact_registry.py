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
from services.ledger.facts import Event, Fact, LoggedRecord
from services.ledger.state import Journal, Ledger, Needs, Verdict
from services.ledger.times import Instant
from services.ledger.validation import Violations, check_envelope


def add_no_needs(needs: Needs, fact: Fact) -> None:
    """Of a fact that can be judged whatever stands on the log."""


class FactKind(NamedTuple):
    """What is known of a kind of fact.

    `check` adds what is wrong with one, `rule` says what becomes of it and changes the ledger,
    `add_needs` adds what the rule has to see, the fact itself aside.
    """

    check: Callable[[Event, Any, Violations], None]
    rule: Callable[[Ledger, Journal, LoggedRecord, Any, int], Verdict]
    add_needs: Callable[[Needs, Any], None] = add_no_needs


FACT_REGISTRY: Final[dict[type[Fact], FactKind]] = {
    exchange.ExchangeRecorded: FactKind(exchange.check_exchange_recorded, exchange_rules.record),
    exchange.ExchangeCorrected: FactKind(
        exchange.check_exchange_corrected,
        exchange_rules.correct,
        exchange_rules.add_correction_needs,
    ),
    exchange.ExchangeRetracted: FactKind(
        exchange.check_exchange_retracted,
        exchange_rules.retract,
        exchange_rules.add_retraction_needs,
    ),
    organization.OrganizationRegistered: FactKind(
        organization.check_organization_registered,
        organization_rules.register,
        organization_rules.add_organization_needs,
    ),
    organization.OrganizationUpdated: FactKind(
        organization.check_organization_updated,
        organization_rules.update,
        organization_rules.add_organization_needs,
    ),
    organization.AliasAdded: FactKind(
        organization.check_alias_added,
        organization_rules.add_alias,
        organization_rules.add_alias_needs,
    ),
    nothing_to_report.NothingToReport: FactKind(
        nothing_to_report.check_nothing_to_report, nothing_to_report.accept_nothing_to_report
    ),
    programme.ProgrammeConfigured: FactKind(
        programme.check_programme_configured, programme.configure
    ),
}


def validate_fact(event: Event, *, now: Instant) -> list[Violation]:
    """Everything that is wrong with a fact before it is appended; [] when nothing is."""
    found: Violations = []
    check_envelope(event, now=now, violations=found)
    FACT_REGISTRY[type(event.fact)].check(event, event.fact, found)
    return found


def apply_fact(ledger: Ledger, journal: Journal, logged: LoggedRecord, at: int) -> Verdict:
    """What becomes of a fact that the log reached at offset `at`; changes `ledger` when applied."""
    assert logged.event is not None
    fact = logged.event.fact
    return FACT_REGISTRY[type(fact)].rule(ledger, journal, logged, fact, at)
