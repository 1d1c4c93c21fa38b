"""The fold equals the oracle, and does not depend on slabs, repetition or order of duplicates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1.event_pb2 import Event, OrganizationContent
from services.ledger.enums import QuarantineCause, RevisionState
from services.ledger.state import Ledger, OrganizationVersion, Revision
from tests.ledger.folded_ledger import (
    FoldedLedger,
    fold_events,
    list_outcomes,
    make_records,
    read_records,
    summarize_exchanges,
)
from tests.oracle import fold as oracle
from tests.strategies import denormalize, event_id, histories, slab_cuts

SETTINGS = settings(max_examples=200, deadline=None)


@SETTINGS
@given(histories())
def test_fold_equals_oracle(events: list[Event]) -> None:
    folded, expected = fold_events(events), oracle.fold(events)
    assert list_outcomes(folded, read_records(make_records(events))) == expected.outcomes
    assert summarize_exchanges(folded.ledger) == {
        exchange_id: {"state": exchange.state, "revisions": exchange.revision_ids}
        for exchange_id, exchange in expected.exchanges.items()
    }
    assert {
        exchange_id: [normalize_value(revision.value) for revision in history.revisions]
        for exchange_id, history in folded.ledger.histories.items()
    } == {exchange_id: exchange.revisions for exchange_id, exchange in expected.exchanges.items()}
    assert {
        organization_id: organization(version)
        for organization_id, version in folded.ledger.roster.items()
    } == expected.roster
    assert folded.ledger.aliases == expected.aliases


@SETTINGS
@given(histories())
def test_fact_takes_effect_once_and_journal_has_awaited_key(events: list[Event]) -> None:
    folded = fold_events(events)
    effects = Counter(revision.event_id for revision in folded.revisions)
    effects.update(version.event_id for version in folded.versions)
    assert [event_id for event_id, count in effects.items() if count > 1] == []
    assert effects.keys().isdisjoint(folded.ledger.waiting_keys)
    assert {each: key for each, key in folded.waiting.items() if key} == folded.ledger.waiting_keys
    for history in folded.ledger.histories.values():
        assert [each.number for each in history.revisions] == list(range(len(history.revisions)))
        assert {each.state for each in history.revisions[:-1]} <= {
            RevisionState.RECORDED,
            RevisionState.CORRECTED,
        }


@SETTINGS
@given(st.data(), histories())
def test_slab_size_does_not_change_state(data: st.DataObject, events: list[Event]) -> None:
    in_slabs = fold_events(events, data.draw(slab_cuts(len(events))))
    in_one_slab = fold_events(events)
    assert state(in_slabs) == state(in_one_slab)
    assert in_slabs.revisions == in_one_slab.revisions


@SETTINGS
@given(st.data(), histories())
def test_redelivered_record_changes_nothing(data: st.DataObject, events: list[Event]) -> None:
    records = read_records(make_records(events))
    folded = FoldedLedger()
    for offset, record in enumerate(records):
        folded.fold_records([record])
        earlier_offsets = data.draw(st.lists(st.integers(0, offset), max_size=2))
        folded.fold_records(records[each] for each in earlier_offsets)
    expected = state(fold_events(events))
    assert state(folded) == expected
    folded.fold_records(records)
    assert state(folded) == expected


@SETTINGS
@given(st.data(), histories())
def test_duplicate_fact_changes_only_positions(data: st.DataObject, events: list[Event]) -> None:
    firsts = list({event.event_id: event for event in reversed(events)}.values())
    duplicate = denormalize(data.draw(st.sampled_from(firsts)))
    duplicate.recorded_by = "somebody else"
    first = min(n for n, event in enumerate(events) if event.event_id == duplicate.event_id)
    place = data.draw(st.integers(first + 1, len(events)))
    longer = [*events[:place], duplicate, *events[place:]]
    assert state_without_positions(fold_events(longer)) == state_without_positions(
        fold_events(events)
    )


def test_facts_waiting_for_one_fact_apply_once() -> None:
    updates = [Event(event_id=event_id(number), programme_id="gde") for number in range(1, 12)]
    for event in updates:
        event.organization_updated.organization.organization_id = "alder"
    registration = Event(event_id=event_id(0), programme_id="gde")
    registration.organization_registered.organization.organization_id = "alder"
    folded = fold_events([*updates, registration])
    assert [version.number for version in folded.versions] == list(range(12))


@pytest.mark.parametrize("is_bound_first", [True, False])
@pytest.mark.parametrize("is_registered_with_it", [True, False])
def test_update_of_alias_ends_waiting(*, is_bound_first: bool, is_registered_with_it: bool) -> None:
    update, binding = (Event(event_id=event_id(number), programme_id="gde") for number in (1, 2))
    update.organization_updated.organization.organization_id = "The Alder"
    if is_registered_with_it:
        registered = binding.organization_registered.organization
        registered.organization_id = "alder"
        registered.aliases.append("The Alder")
    else:
        binding.alias_added.alias, binding.alias_added.organization_id = "The Alder", "alder"
    folded = fold_events([binding, update] if is_bound_first else [update, binding])
    [(reason, detail, _)] = folded.quarantine.values()
    assert (reason, folded.ledger.waiting_keys) == (QuarantineCause.NOT_APPLICABLE, {})
    assert detail == "'The Alder' is already an alias of 'alder'"


def normalize_value(value: bytes) -> Event:
    return oracle.normalize(Event.FromString(value))


def organization(version: OrganizationVersion) -> OrganizationContent:
    event = normalize_value(version.value)
    if event.HasField("organization_updated"):
        return event.organization_updated.organization
    return event.organization_registered.organization


def state(folded: FoldedLedger) -> dict[str, Any]:
    """The whole state after the records."""
    ledger = folded.ledger
    return {
        "seen": ledger.digests,
        "histories": ledger.histories,
        "roster": ledger.roster,
        "aliases": ledger.aliases,
        "awaited": ledger.waiting_keys,
        "waiting": {key: facts for key, facts in ledger.waiting.items() if facts},
        "quarantined": folded.quarantine,
    }


def state_without_positions(folded: FoldedLedger) -> dict[str, Any]:
    """The state without positions and times of records."""
    ledger: Ledger = folded.ledger
    return {
        "seen": ledger.digests,
        "histories": {
            exchange_id: [content(revision) for revision in history.revisions]
            for exchange_id, history in ledger.histories.items()
        },
        "roster": {name: (each.number, each.value) for name, each in ledger.roster.items()},
        "aliases": ledger.aliases,
        "awaited": ledger.waiting_keys,
        "quarantined": [each for _, each in sorted(folded.quarantine.items())],
    }


def content(revision: Revision) -> tuple[Any, ...]:
    return (revision.number, revision.event_id, revision.state, revision.exchange, revision.value)
