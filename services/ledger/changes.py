"""From a slab of the log to the changes it makes in the read models, purely."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.ledger.allocation import Leg, legs
from services.ledger.batches import Batches, batches_of
from services.ledger.exchange import ExchangeCorrected, ExchangeRetracted
from services.ledger.facts import Logged
from services.ledger.fold import fold
from services.ledger.fresh import Fresh
from services.ledger.months import Months, add_exchange, add_fresh
from services.ledger.organization import AliasAdded, OrganizationRegistered, OrganizationUpdated
from services.ledger.state import (
    History,
    Journal,
    Ledger,
    Revision,
    awaited_organization,
)
from services.ledger.times import day_of


@dataclass(slots=True)
class Needs:
    """What a slab can touch. Waiting facts that it can release are part of what is loaded."""

    event_ids: set[str] = field(default_factory=set)
    """Facts that the slab brings or refers to."""
    exchange_ids: set[str] = field(default_factory=set)
    """Exchanges that the slab changes."""
    organization_ids: set[str] = field(default_factory=set)
    """Organizations and aliases that the slab names in facts of their own; () needs no roster."""

    def add(self, other: "Needs") -> None:
        self.event_ids |= other.event_ids
        self.exchange_ids |= other.exchange_ids
        self.organization_ids |= other.organization_ids

    def awaited_keys(self) -> set[str]:
        """The keys that the slab may settle."""
        return self.event_ids | {awaited_organization(each) for each in self.organization_ids}


@dataclass(slots=True)
class Changes:
    """What a slab changes in one programme's read models."""

    programme_id: str
    journal: Journal
    fallen: list[tuple[int, int, int]]
    """Number of the exchange, number of the revision, offset at which it ceased to be current."""
    cleared: list[int]
    """Exchanges, by number, whose earlier legs no longer hold."""
    standing: list[tuple[History, Revision, list[Leg]]]
    """Exchanges whose legs are new, with these."""
    fresh: Sequence[tuple[Fresh, list[Leg]]]
    """Exchanges that needed no folding, with their legs."""
    months: Months
    batches: Batches
    last_offset: int
    """Offset of the programme's last record in the slab."""


def affected(records: Iterable[Logged]) -> Needs:
    """What has to be loaded before the records of one programme can be folded."""
    needs = Needs()
    for record in records:
        if record.event is None:
            continue
        needs.event_ids.add(record.event.event_id)
        match record.event.fact:
            case ExchangeCorrected() as fact:
                needs.exchange_ids.add(fact.exchange_id)
                needs.event_ids.update((fact.exchange_id, fact.replaces_event_id))
            case ExchangeRetracted() as fact:
                needs.exchange_ids.add(fact.exchange_id)
                needs.event_ids.add(fact.exchange_id)
            case OrganizationRegistered() | OrganizationUpdated() as fact:
                organization = fact.organization
                needs.organization_ids.update((organization.organization_id, *organization.aliases))
            case AliasAdded() as fact:
                needs.organization_ids.update((fact.organization_id, fact.alias))
            case _:
                pass
    needs.event_ids.discard("")
    return needs


def project(
    programme_id: str, ledger: Ledger, records: Sequence[Logged], fresh: Sequence[Fresh] = ()
) -> Changes:
    """Folds one programme's records into `ledger` and returns what that changes.

    What an exchange contributed before the slab is taken away and what it contributes after is
    added; what came and went within the slab leaves no trace in the sums. `fresh` are the records
    of the same slab that need no folding; no other record concerns them.
    """
    journal = fold(ledger, records)
    months: Months = {}
    changes = Changes(
        programme_id=programme_id,
        journal=journal,
        fallen=[],
        cleared=[],
        standing=[],
        fresh=[(each, add_fresh(months, each)) for each in fresh],
        months=months,
        batches=batches_of(journal, fresh),
        last_offset=max(
            max((record.offset for record in records[-1:]), default=-1),
            max((each.offset for each in fresh[-1:]), default=-1),
        ),
    )
    first_new: dict[str, tuple[History, Revision]] = {}
    for history, revision in journal.revisions:
        first_new.setdefault(history.exchange_id, (history, revision))
        if revision.number > 0:
            changes.fallen.append((history.number, revision.number - 1, revision.from_offset))
    for history, revision in first_new.values():
        if revision.number > 0:
            before = history.revisions[revision.number - 1]
            changes.cleared.append(history.number)
            _contribute(changes.months, before, legs(before.exchange), -1)
        if not history.retracted:
            current = history.current
            added = legs(current.exchange)
            changes.standing.append((history, current, added))
            _contribute(changes.months, current, added, 1)
    return changes


def _contribute(months: Months, revision: Revision, shared: list[Leg], sign: int) -> None:
    assert revision.said.occur_time is not None
    add_exchange(months, revision.exchange, shared, day_of(revision.said.occur_time), sign)
