"""Reports of nothing: an organization that sends one for a month is not silent."""

from dataclasses import dataclass
from typing import ClassVar

from services.ledger.enums import Precision
from services.ledger.errors import Violation
from services.ledger.facts import Event, Fact, LoggedRecord
from services.ledger.state import AppliedVerdict, Journal, Ledger, Verdict
from services.ledger.times import Month, day_of, month_of
from services.ledger.validation import Violations, check_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToReport(Fact):
    """The month is that of the event's `occur_time`."""

    FIELD: ClassVar = "nothing_to_report"
    IS_TIMED: ClassVar = True
    organization_id: str


def check_nothing_to_report(event: Event, fact: NothingToReport, violations: Violations) -> None:
    check_id(fact.organization_id, "nothing_to_report.organization_id", violations)
    if event.occur_precision is not Precision.MONTH:
        violations.append(Violation("occur_precision", "must be month; say it for each month"))


def accept_nothing_to_report(
    ledger: Ledger, journal: Journal, logged: LoggedRecord, fact: NothingToReport, at: int
) -> Verdict:
    """Always applies, because answers handle facts that contradict it."""
    return AppliedVerdict()


def find_month(event: Event) -> Month:
    """Returns the month for which there was nothing to report."""
    assert event.occur_time is not None
    return month_of(day_of(event.occur_time))
