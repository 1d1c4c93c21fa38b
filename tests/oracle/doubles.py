"""Possible double reports: every two reports compared."""

from __future__ import annotations

from datetime import date

from mutua.v1.types_pb2 import (
    REPORT_SIDE_GIVER,
    REPORT_SIDE_RECEIVER,
    REPORT_SIDE_THIRD_PARTY,
    REPORT_SIDE_UNSPECIFIED,
)
from tests.oracle.selection import Selection, StandingExchange

THIRD_PARTY = "a third party"
SIDES = {
    REPORT_SIDE_GIVER: "the givers",
    REPORT_SIDE_RECEIVER: "the receivers",
    REPORT_SIDE_THIRD_PARTY: THIRD_PARTY,
}


def count_possible_doubles(selection: Selection) -> int:
    """The number of reports of all acts, without those of the busiest side of an act."""
    return sum(len(act) - max(map(act.count, act)) for act in group_by_act(selection).values())


def group_by_act(selection: Selection) -> dict[int, list[str]]:
    """The sides of the reports of the same act, by the place of the first report."""
    sides_by_act: dict[int, list[str]] = {}
    first_places: dict[date, list[int]] = {}
    for place, exchange in enumerate(selection.exchanges):
        earlier = first_places.setdefault(exchange.first_day, [])
        same = (each for each in earlier if _same(selection, selection.exchanges[each], exchange))
        act = next(same, place)
        if act == place:
            earlier.append(place)
        sides_by_act.setdefault(act, []).append(_side(selection, exchange))
    return sides_by_act


def _same(selection: Selection, one: StandingExchange, other: StandingExchange) -> bool:
    if not (one.is_dated and other.is_dated):
        return False
    names = ("giver_ids", "receiver_ids", "party_ids")
    return one.content.kind == other.content.kind and all(
        _organizations(selection, getattr(one.content, name))
        == _organizations(selection, getattr(other.content, name))
        for name in names
    )


def _organizations(selection: Selection, recorded_ids: list[str]) -> set[str]:
    return {selection.resolve_id(each) for each in recorded_ids}


def _side(selection: Selection, exchange: StandingExchange) -> str:
    content, recorder = exchange.content, selection.resolve_id(exchange.recorded_by)
    if content.party_ids:
        if content.reported_by == REPORT_SIDE_THIRD_PARTY:
            return THIRD_PARTY
        is_party = recorder in _organizations(selection, list(content.party_ids))
        return f"party {recorder}" if is_party else THIRD_PARTY
    if content.reported_by != REPORT_SIDE_UNSPECIFIED:
        return SIDES[content.reported_by]
    if recorder in _organizations(selection, list(content.giver_ids)):
        return SIDES[REPORT_SIDE_GIVER]
    if recorder in _organizations(selection, list(content.receiver_ids)):
        return SIDES[REPORT_SIDE_RECEIVER]
    return THIRD_PARTY
