"""Possible double reports, grouped by what reports of the same act share."""

from __future__ import annotations

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
    first_places: dict[tuple[object, ...], int] = {}
    for place, exchange in enumerate(selection.exchanges):
        act = place
        if exchange.is_dated:
            act = first_places.setdefault(_describe_act(selection, exchange), place)
        sides_by_act.setdefault(act, []).append(_side(selection, exchange))
    return sides_by_act


def _describe_act(selection: Selection, exchange: StandingExchange) -> tuple[object, ...]:
    """The day, the kind and the organizations, which reports of the same act share."""
    content = exchange.content
    organizations = (
        frozenset(_organizations(selection, list(ids)))
        for ids in (content.giver_ids, content.receiver_ids, content.party_ids)
    )
    return (exchange.first_day, content.kind, *organizations)


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
