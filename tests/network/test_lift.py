"""Lift from columns: which organizations are in which group, and what leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.message import Message

from mutua.v1.event_pb2 import Event
from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Identity
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.question import Question
from services.network.identity_view import IdentityView
from services.network.lift import LiftRow, compute_lifts
from tests.network.column_history import advance_by_slabs
from tests.reports import report
from tests.strategies import PROGRAMME, event_id

QUESTION = Question(programme_id=PROGRAMME)
ROSTER = {name: f"R{place % 3}" for place, name in enumerate("abcdefghi")}


def register(number: int, organization_id: str, **fields: object) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    organization: Message = event.organization_registered.organization
    organization.MergeFrom(type(organization)(organization_id=organization_id, **fields))
    return event


def exchanges(ties: str, start: int = 100) -> list[Event]:
    """An exchange for each word, such as "ab": a gave b."""
    return [report(start + place, tie[0], tie[1]) for place, tie in enumerate(ties.split())]


def measure(events: list[Event], *attributes: str, question: Question = QUESTION) -> list[LiftRow]:
    *_, (columns, _) = advance_by_slabs(events, [])
    view = IdentityView(columns, Identity.AS_NOW)
    return list(compute_lifts(view, question, attributes=attributes).rows)


def roster() -> list[Event]:
    return [register(place, name, region=ROSTER[name]) for place, name in enumerate(ROSTER)]


class TestGroups:
    def test_are_the_values_of_an_attribute(self) -> None:
        [row] = measure([*roster(), *exchanges("ad da be eb cf fc ag gb")], "region")
        assert (row.groups, row.unlabelled_count) == (("R0", "R1", "R2"), 0)
        assert row.measures.share == 7 / 8
        assert row.measures.lift is not None
        assert row.measures.lift > 2
        assert list(row.iterate_flows()) == [
            (0, 0, 3 * MILLION),
            (0, 1, MILLION),
            (1, 1, 2 * MILLION),
            (2, 2, 2 * MILLION),
        ]

    def test_unknown_value_leaves_with_its_flow(self) -> None:
        events = [*roster(), register(50, "x"), *exchanges("ad da be eb cf fc ax xb")]
        [row] = measure(events, "region")
        assert row.unlabelled_count == 1
        assert row.measures.left_out == 2 * MILLION
        assert row.measures.share == 1

    def test_unregistered_and_boundary_organizations_are_outside(self) -> None:
        vendor = register(50, "v", region="R0", role="boundary")
        [row] = measure([*roster(), vendor, *exchanges("ad da be eb cf fc av uv ua")], "region")
        assert (row.measures.organization_count, row.unlabelled_count) == (9, 0)
        assert (row.measures.left_out, row.measures.share) == (0, 1)

    def test_alias_has_the_value_of_its_organization(self) -> None:
        events = [register(1, "a", region="Y", aliases=["z"]), register(2, "b", region="Y")]
        [row] = measure([*events, *exchanges("zb")], "region")
        assert row.measures.organization_count == 2
        assert list(row.iterate_flows()) == [(0, 0, MILLION)]

    def test_without_roster_nothing_is_known(self) -> None:
        [row] = measure(exchanges("ab ba"), "region")
        assert (row.groups, row.unlabelled_count) == ((), 2)
        assert row.measures.left_out == 2 * MILLION
        assert row.measures.reasons == ("NO_KNOWN_AMOUNT", "TOO_FEW_GROUPS")

    def test_of_nothing_is_absent(self) -> None:
        [row] = measure([], "region")
        assert row.measures.reasons == ("NO_KNOWN_AMOUNT", "TOO_FEW_GROUPS")


class TestPermutations:
    def test_are_within_sectors_but_for_sectors(self) -> None:
        """Regions that equal sectors cannot be permuted within them; sectors can, over all."""
        events = [
            register(place, name, region=ROSTER[name], sector=ROSTER[name])
            for place, name in enumerate(ROSTER)
        ]
        region, sector = measure(
            [*events, *exchanges("ad da be eb cf fc ag gb")], "region", "sector"
        )
        assert region.measures.p_value == 1
        assert sector.measures.p_value is not None
        assert sector.measures.p_value < 0.1
        assert region.measures.lift == sector.measures.lift


@pytest.mark.parametrize("allocation", [Allocation.FULL, Allocation.ONCE])
def test_allocations_that_do_not_add_up_are_refused(allocation: Allocation) -> None:
    with pytest.raises(ImpossibleQuestionError, match="ask for split"):
        measure(exchanges("ab"), "region", question=replace(QUESTION, allocation=allocation))
