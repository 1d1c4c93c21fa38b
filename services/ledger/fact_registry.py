"""The registry of fact kinds: check, rule and needs of each, one line per kind."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from services.ledger import (
    exchange,
    exchange_rules,
    nothing_to_report,
    organization,
    organization_rules,
    pairing,
    programme,
    report,
    report_rules,
)
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, LoggedRecord
from services.ledger.state import Journal, Ledger, Needs, Verdict
from services.ledger.times import Instant
from services.ledger.validation import Violations, check_envelope


def add_no_needs(needs: Needs, fact: Fact) -> None:
    """Adds nothing, for a fact that can be judged without the log."""


class FactKind(NamedTuple):
    """The functions of a fact kind.

    `check` appends the violations of a fact, `rule` applies it to the ledger and returns the
    verdict, `add_needs` adds what the rule reads in addition to the fact itself.
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
    report.ExchangeConfirmed: FactKind(
        report.check_statement, report_rules.state, report_rules.add_statement_needs
    ),
    report.ExchangeDisputed: FactKind(
        report.check_statement, report_rules.state, report_rules.add_statement_needs
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
    pairing.PairingFormed: FactKind(pairing.check_pairing_formed, pairing.accept_pairing_fact),
    pairing.PairingEnded: FactKind(pairing.check_pairing_ended, pairing.accept_pairing_fact),
    programme.ProgrammeConfigured: FactKind(
        programme.check_programme_configured, programme.configure
    ),
}


def validate_fact(event: Event, *, now: Instant) -> list[Violation]:
    """Returns every violation of a fact before it is appended; [] when it is valid."""
    violations: Violations = []
    check_envelope(event, now=now, violations=violations)
    FACT_REGISTRY[type(event.fact)].check(event, event.fact, violations)
    return violations


def apply_fact(ledger: Ledger, journal: Journal, logged: LoggedRecord, at: int) -> Verdict:
    """Returns the verdict on a fact at offset `at`, and changes `ledger` when it is applied."""
    assert logged.event is not None
    fact = logged.event.fact
    return FACT_REGISTRY[type(fact)].rule(ledger, journal, logged, fact, at)
