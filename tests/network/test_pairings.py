"""Pairings out of the read models, against the oracle and example by example."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from mutua.v1.event_pb2 import Event
from services.adapters.sqlite.store import SqliteStore
from services.ledger.pairing import Pairing, find_pairings
from services.ledger.times import date_to_day, day_to_date
from services.projector.slab import project_slab
from tests.ledger.folded_ledger import make_records
from tests.network.column_history import bring_forward
from tests.oracle.fold import fold
from tests.oracle.pairings import list_pairings
from tests.projector.slab_projection import LOG_ID
from tests.strategies import PROGRAMME, event_id, histories


def read_pairings(events: list[Event]) -> list[Pairing]:
    """The pairings after events, by way of the tables."""
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder, "read"))) as store:
        if events:
            project_slab(store, LOG_ID, make_records(events))
        with store.open_snapshot(0) as snapshot:
            aliases = bring_forward(snapshot, PROGRAMME).aliases
            return find_pairings(snapshot.read_pairing_statements(PROGRAMME), aliases)


def form(number: int, a: str, b: str, from_day: int, to_day: int = 0, choice: int = 0) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    fact = event.pairing_formed
    fact.a, fact.b = a, b
    fact.from_date.year, fact.from_date.month, fact.from_date.day = 2026, 3, from_day
    if to_day:
        fact.to_date.year, fact.to_date.month, fact.to_date.day = 2026, 3, to_day
    fact.chosen_by = choice  # type: ignore[assignment]
    return event


def end(number: int, a: str, b: str, to_day: int) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    fact = event.pairing_ended
    fact.a, fact.b = a, b
    fact.to_date.year, fact.to_date.month, fact.to_date.day = 2026, 3, to_day
    return event


def bind(alias: str, organization_id: str) -> Event:
    event = Event(event_id=event_id(900), programme_id=PROGRAMME)
    event.alias_added.alias, event.alias_added.organization_id = alias, organization_id
    return event


def days(events: list[Event]) -> list[tuple[str, str, int, int]]:
    """Both organizations with first day and end, 0 without one."""
    return [
        (
            each.a,
            each.b,
            day_to_date(each.from_day).day,
            0 if each.to_day is None else day_to_date(each.to_day).day,
        )
        for each in read_pairings(events)
    ]


@settings(max_examples=60, deadline=None)
@given(histories(exchanges=1, max_facts=16))
def test_equal_the_oracle(events: list[Event]) -> None:
    found = [
        (
            each.a,
            each.b,
            day_to_date(each.from_day),
            None if each.to_day is None else day_to_date(each.to_day),
            each.chosen_by,
        )
        for each in read_pairings(events)
    ]
    assert found == list_pairings(fold(events))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([form(1, "b", "a", 2)], [("a", "b", 2, 0)]),
        ([form(1, "a", "b", 2), end(2, "b", "a", 9)], [("a", "b", 2, 9)]),
        ([end(2, "a", "b", 9), form(1, "a", "b", 2)], [("a", "b", 2, 9)]),
        ([form(1, "a", "b", 2), end(2, "a", "b", 9), end(3, "a", "b", 7)], [("a", "b", 2, 7)]),
        ([form(1, "a", "b", 2, 9), form(2, "a", "b", 2, 8)], [("a", "b", 2, 8)]),
        ([form(1, "a", "b", 2), end(2, "a", "b", 2)], []),
        ([form(1, "a", "b", 2), end(2, "a", "b", 2), form(3, "a", "b", 2)], [("a", "b", 2, 0)]),
        (
            [form(1, "a", "b", 2, 4), form(2, "a", "b", 6), end(3, "a", "b", 9)],
            [("a", "b", 2, 4), ("a", "b", 6, 9)],
        ),
        ([form(1, "a", "b", 6), end(2, "a", "b", 3)], [("a", "b", 6, 0)]),
        ([form(1, "z", "b", 2), bind("z", "a")], [("a", "b", 2, 0)]),
        ([form(1, "z", "a", 2), bind("z", "a")], []),
    ],
    ids=[
        "organizations have no order",
        "end",
        "end recorded first",
        "later end wins",
        "same first day replaces",
        "end on the first day undoes",
        "formed again",
        "latest start is ended",
        "end before the start ends nothing",
        "alias",
        "one with itself",
    ],
)
def test_follow_the_log(events: list[Event], expected: list[tuple[str, str, int, int]]) -> None:
    assert days(events) == expected


@pytest.mark.parametrize(
    ("window", "is_bound"),
    [
        ((None, None), True),
        ((1, 2), False),
        ((1, 3), True),
        ((8, None), True),
        ((9, None), False),
        ((None, 2), False),
    ],
)
def test_bound_on_a_day_of_a_window(
    window: tuple[int | None, int | None], *, is_bound: bool
) -> None:
    [pairing] = read_pairings([form(1, "a", "b", 2, 9)])
    from_day, to_day = (None if day is None else date_to_day(date(2026, 3, day)) for day in window)
    assert pairing.is_bound_in(from_day, to_day) == is_bound
