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


def count_possible_doubles(frame: Selection) -> int:
    """Over all acts that several sides reported: the reports but those of the busiest side."""
    return sum(len(act) - max(map(act.count, act)) for act in group_by_act(frame).values())


def group_by_act(frame: Selection) -> dict[int, list[str]]:
    """The sides of the reports that tell of the same act, by the place of the first of them."""
    found: dict[int, list[str]] = {}
    first_places: dict[date, list[int]] = {}
    for place, exchange in enumerate(frame.exchanges):
        earlier = first_places.setdefault(exchange.first_day, [])
        same = (each for each in earlier if _same(frame, frame.exchanges[each], exchange))
        act = next(same, place)
        if act == place:
            earlier.append(place)
        found.setdefault(act, []).append(_side(frame, exchange))
    return found


def _same(frame: Selection, one: StandingExchange, other: StandingExchange) -> bool:
    if not (one.is_dated and other.is_dated):
        return False
    names = ("giver_ids", "receiver_ids", "party_ids")
    return one.content.kind == other.content.kind and all(
        _organizations(frame, getattr(one.content, name))
        == _organizations(frame, getattr(other.content, name))
        for name in names
    )


def _organizations(frame: Selection, recorded_ids: list[str]) -> set[str]:
    return {frame.resolve_id(each) for each in recorded_ids}


def _side(frame: Selection, exchange: StandingExchange) -> str:
    content, recorder = exchange.content, frame.resolve_id(exchange.recorded_by)
    if content.party_ids:
        if content.reported_by == REPORT_SIDE_THIRD_PARTY:
            return THIRD_PARTY
        is_party = recorder in _organizations(frame, list(content.party_ids))
        return f"party {recorder}" if is_party else THIRD_PARTY
    if content.reported_by != REPORT_SIDE_UNSPECIFIED:
        return SIDES[content.reported_by]
    if recorder in _organizations(frame, list(content.giver_ids)):
        return SIDES[REPORT_SIDE_GIVER]
    if recorder in _organizations(frame, list(content.receiver_ids)):
        return SIDES[REPORT_SIDE_RECEIVER]
    return THIRD_PARTY
