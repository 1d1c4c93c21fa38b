"""Changes of a programme as rows of its tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from services.adapters.tables import (
    AliasRow,
    ExchangeRow,
    FactRow,
    JointPartyRow,
    LegRow,
    OrganizationMonthRow,
    OrganizationVersionRow,
    PartyRow,
    QuarantineRow,
    ReadModel,
    RetractedPartyRow,
    WaitingRow,
)
from services.ledger.allocation import Leg
from services.ledger.changes import Changes
from services.ledger.state import History, Journal, Revision
from services.ledger.times import period_days
from services.ledger.words import Precision, State

Row = tuple[Any, ...]


@dataclass(slots=True)
class Parties:
    """Dense numbers of a programme's organization ids, given in order of first appearance."""

    numbers: dict[str, int] = field(default_factory=dict)
    fresh: list[tuple[int, str]] = field(default_factory=list)

    def number(self, organization_id: str) -> int:
        number = self.numbers.get(organization_id)
        if number is None:
            number = self.numbers[organization_id] = len(self.numbers)
            self.fresh.append((number, organization_id))
        return number


def insertions(
    programme: int, changes: Changes, parties: Parties
) -> dict[type[ReadModel], list[Row]]:
    """The rows that a slab adds, by table, each in the order of the table's columns.

    `organization_month` holds differences, to be added to what is there.
    """
    rows = _of_exchanges(programme, changes, parties.number) | _of_facts(programme, changes.journal)
    rows[PartyRow] = [(programme, *fresh) for fresh in parties.fresh]
    parties.fresh.clear()
    return rows


def _of_exchanges(
    programme: int, changes: Changes, number: Callable[[str], int]
) -> dict[type[ReadModel], list[Row]]:
    revisions = changes.journal.revisions
    return {
        ExchangeRow: [
            _revision(programme, history, revision, number) for history, revision in revisions
        ],
        LegRow: [
            row
            for history, _, shared in changes.standing
            for row in _legs(programme, history, shared, number)
        ],
        JointPartyRow: [
            (programme, history.number, number(party))
            for history, revision, _ in changes.standing
            for party in revision.exchange.party_ids
        ],
        RetractedPartyRow: [
            (programme, history.number, number(party))
            for history, revision in revisions
            if revision.state is State.RETRACTED
            for party in revision.exchange.everybody()
        ],
        OrganizationMonthRow: [
            (programme, number(party), month, *sums)
            for (party, month), sums in changes.months.items()
            if any(sums)
        ],
    }


def _of_facts(programme: int, journal: Journal) -> dict[type[ReadModel], list[Row]]:
    return {
        FactRow: [
            (programme, logged.event.event_id, logged.offset, logged.digest)
            for logged in journal.facts
            if logged.event is not None
        ],
        OrganizationVersionRow: [
            (
                programme,
                version.organization.organization_id,
                version.number,
                version.from_offset,
                version.event_id,
                version.value,
            )
            for version in journal.versions
        ],
        AliasRow: [
            (programme, alias, organization_id, logged.offset)
            for alias, organization_id, logged in journal.aliases
        ],
        WaitingRow: [
            (programme, event_id, key, logged.offset, logged.record_time, logged.value)
            for event_id, (key, logged) in journal.waiting.items()
            if key
        ],
        QuarantineRow: [
            (
                programme,
                offset,
                reason,
                detail,
                logged.event.event_id if logged.event is not None else "",
                logged.record_time,
                logged.value,
            )
            for offset, (reason, detail, logged) in journal.quarantined.items()
        ],
    }


def _revision(
    programme: int, history: History, revision: Revision, number: Callable[[str], int]
) -> Row:
    said, exchange = revision.said, revision.exchange
    assert said.occur_time is not None
    for party in exchange.everybody():
        number(party)
    first_day, end_day = period_days(said.occur_time, said.occur_precision)
    return (
        programme,
        history.number,
        revision.number,
        history.exchange_id,
        revision.event_id,
        revision.from_offset,
        None,
        revision.record_time,
        said.report_time,
        revision.state,
        said.occur_time,
        first_day,
        end_day,
        said.occur_precision in (Precision.EXACT, Precision.DAY),
        exchange.kind,
        exchange.formality,
        exchange.reported_by,
        number(said.recorded_by) if said.recorded_by else None,
        exchange.giver_minutes,
        exchange.receiver_minutes,
        exchange.benefit_minutes,
        bool(exchange.party_ids),
        said.visibility,
        revision.recorded_by,
        history.revisions[0].said.source.batch,
        revision.value,
    )


def _legs(
    programme: int, history: History, shared: list[Leg], number: Callable[[str], int]
) -> Iterator[Row]:
    for leg in shared:
        yield (
            programme,
            history.number,
            number(leg.giver_id),
            number(leg.receiver_id),
            leg.burden,
            leg.attention,
            leg.benefit,
        )
