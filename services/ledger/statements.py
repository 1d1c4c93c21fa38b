"""What parties say of an exchange that another side reported: that they agree, or do not."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from services.ledger.enums import Kind, Side
from services.ledger.exchange import Exchange
from services.ledger.identity import resolve, resolve_exchange
from services.ledger.reporting_side import ReportingSide, find_sides_of
from services.ledger.times import Instant, day_of

HOLDING_DAYS: Final[Mapping[Kind, int]] = {
    Kind.MESSAGE: 1,
    Kind.CALL: 1,
    Kind.MEETING: 1,
    Kind.WEBINAR: 1,
    Kind.ADVICE: 2,
    Kind.WORKSHOP: 2,
    Kind.VISIT: 2,
    Kind.CONFERENCE: 3,
    Kind.DOCUMENT: 7,
    Kind.INTRODUCTION: 7,
    Kind.OTHER: 7,
    Kind.SHARED_CONFIGURATION: 14,
    Kind.SECONDMENT: 31,
    Kind.CONSULTANCY: 31,
    Kind.JOINT_PROCUREMENT: 31,
}
"""How far a correction may move the day of an exchange without ending statements about it.

What happens at a certain hour is remembered to the day or the next one, what takes several days or
is noticed later (a visit, a document, a configuration) less exactly.
"""


class Statement(NamedTuple):
    """A party's statement about an exchange, from the record at `from_offset` on.

    `offset` is that of its own record, which is smaller if it waited. `revision` is the number of
    the revision that was current at `from_offset`; `value` has the bytes of the fact.
    """

    offset: int
    from_offset: int
    event_id: str
    record_time: Instant
    recorded_by: str
    party: str
    agrees: bool
    revision: int
    value: bytes


PartyStatement = tuple[str, Statement]
"""An organization and its statement."""


class StatedRevision(NamedTuple):
    """A revision of an exchange as far as a statement about it depends on it."""

    exchange: Exchange
    occur_time: Instant


def find_current_statements(
    statements: list[Statement],
    revisions: Mapping[int, StatedRevision],
    current: StatedRevision,
    aliases: Mapping[str, str],
) -> dict[str, Statement]:
    """Returns organization -> its last statement, if that still holds.

    A statement holds while the current revision has the parties and the kind of the revision that
    was stated, and a day within HOLDING_DAYS.
    """
    last_by_party = {resolve(aliases, each.party): each for each in statements}
    window = HOLDING_DAYS[current.exchange.kind]
    return {
        party: statement
        for party, statement in last_by_party.items()
        if _is_about_same(revisions[statement.revision], current, aliases, window)
    }


def _is_about_same(
    stated: StatedRevision, current: StatedRevision, aliases: Mapping[str, str], window: int
) -> bool:
    one = resolve_exchange(aliases, stated.exchange)
    other = resolve_exchange(aliases, current.exchange)
    return (
        (one.giver_ids, one.receiver_ids, one.party_ids)
        == (other.giver_ids, other.receiver_ids, other.party_ids)
        and one.kind is other.kind
        and abs(day_of(stated.occur_time) - day_of(current.occur_time)) <= window
    )


def is_confirmed(
    exchange: Exchange, reporting: Iterable[ReportingSide], statements: Iterable[PartyStatement]
) -> bool:
    """Whether two sides stand by an exchange, and no party disputes it.

    A side stands by it if it reported it, or if one of its organizations confirmed it.
    """
    sides = {side for side in reporting if side.side is not Side.THIRD_PARTY}
    for party, statement in statements:
        if not statement.agrees:
            return False
        sides |= find_sides_of(exchange, party)
    return len(sides) > 1
