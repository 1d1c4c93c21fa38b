"""What parties say of an exchange that another side reported, judged from sets."""

from __future__ import annotations

from datetime import UTC, date
from typing import NamedTuple

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_ADVICE,
    EXCHANGE_KIND_CALL,
    EXCHANGE_KIND_CONFERENCE,
    EXCHANGE_KIND_CONSULTANCY,
    EXCHANGE_KIND_JOINT_PROCUREMENT,
    EXCHANGE_KIND_MEETING,
    EXCHANGE_KIND_MESSAGE,
    EXCHANGE_KIND_SECONDMENT,
    EXCHANGE_KIND_SHARED_CONFIGURATION,
    EXCHANGE_KIND_VISIT,
    EXCHANGE_KIND_WEBINAR,
    EXCHANGE_KIND_WORKSHOP,
)
from tests.oracle.fold import (
    OracleLedger,
    find_reporting_sides,
    find_sides_by_party,
    get_content,
)

DAYS_BY_KINDS = {
    1: {
        EXCHANGE_KIND_MESSAGE,
        EXCHANGE_KIND_CALL,
        EXCHANGE_KIND_MEETING,
        EXCHANGE_KIND_WEBINAR,
    },
    2: {EXCHANGE_KIND_ADVICE, EXCHANGE_KIND_WORKSHOP, EXCHANGE_KIND_VISIT},
    3: {EXCHANGE_KIND_CONFERENCE},
    14: {EXCHANGE_KIND_SHARED_CONFIGURATION},
    31: {EXCHANGE_KIND_SECONDMENT, EXCHANGE_KIND_CONSULTANCY, EXCHANGE_KIND_JOINT_PROCUREMENT},
}
"""Days by which a correction may move an exchange; 7 for all other kinds."""


class Judgement(NamedTuple):
    """The event ids of the statements that hold, and what they come to."""

    current_ids: set[str]
    is_confirmed: bool
    is_disputed: bool


def judge(ledger: OracleLedger, exchange_id: str) -> Judgement:
    """What the statements about an exchange come to; nothing of them after a retraction."""
    exchange = ledger.exchanges[exchange_id]
    revision = [each for each in exchange.revisions if not each.HasField("exchange_retracted")][-1]
    statements = ledger.statements.get(exchange_id, [])
    last_by_party = {ledger.resolve(each.party): each for each in statements}
    current = {
        party: each
        for party, each in last_by_party.items()
        if _is_about_same(ledger, each.revision, revision)
    }
    sides_by_party = find_sides_by_party(ledger, revision)
    standing_sides = find_reporting_sides(ledger, revision)
    for party in current:
        standing_sides |= sides_by_party[party]
    is_disputed = not all(each.agrees for each in current.values())
    return Judgement(
        current_ids={each.event_id for each in current.values()},
        is_confirmed=len(standing_sides) > 1 and not is_disputed and not exchange.is_retracted,
        is_disputed=is_disputed and not exchange.is_retracted,
    )


def _is_about_same(ledger: OracleLedger, stated: Event, current: Event) -> bool:
    kinds = {get_content(stated).kind, get_content(current).kind}
    apart = abs((_day(stated) - _day(current)).days)
    days = next((days for days, group in DAYS_BY_KINDS.items() if kinds <= group), 7)
    return (
        find_sides_by_party(ledger, stated) == find_sides_by_party(ledger, current)
        and len(kinds) == 1
        and apart <= days
    )


def _day(event: Event) -> date:
    return event.occur_time.ToDatetime(tzinfo=UTC).date()
