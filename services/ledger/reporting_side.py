"""The side that reported an exchange."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from services.ledger.enums import Side
from services.ledger.exchange import Exchange
from services.ledger.identity import resolve, resolve_exchange


class ReportedExchange(Protocol):
    """An exchange as one side reported it, with organizations instead of recorded ids."""

    @property
    def exchange(self) -> Exchange: ...
    @property
    def recorded_by(self) -> str: ...


class ResolvedReport(NamedTuple):
    """A report with organizations instead of recorded ids."""

    exchange: Exchange
    recorded_by: str


class ReportingSide(NamedTuple):
    """A side of an exchange. Every party of a joint exchange is a side of its own."""

    side: Side
    party: str = ""
    """The party of a joint exchange, whose `side` is UNSPECIFIED."""


_THIRD_PARTY: Final = ReportingSide(Side.THIRD_PARTY)


def resolve_report(
    aliases: Mapping[str, str], exchange: Exchange, recorded_by: str
) -> ResolvedReport:
    """Returns a report with its ids resolved."""
    return ResolvedReport(resolve_exchange(aliases, exchange), resolve(aliases, recorded_by))


def find_reporting_side(report: ReportedExchange) -> ReportingSide:
    """Returns the side of a report.

    Directed: `reported_by`, else the side that `recorded_by` is on (the givers' where an
    organization is on both), else third party. Joint exchanges have no giver's and no receiver's
    side, so each party is a side of its own: the recorder where it is a party, else third party.
    """
    exchange, named_side = report.exchange, report.exchange.reported_by
    if exchange.party_ids:
        if named_side is not Side.THIRD_PARTY and report.recorded_by in exchange.party_ids:
            return ReportingSide(Side.UNSPECIFIED, report.recorded_by)
        return _THIRD_PARTY
    if named_side is not Side.UNSPECIFIED:
        return ReportingSide(named_side)
    for side in (ReportingSide(Side.GIVER), ReportingSide(Side.RECEIVER)):
        if side in find_sides_of(exchange, report.recorded_by):
            return side
    return _THIRD_PARTY


def find_sides_of(exchange: Exchange, organization_id: str) -> set[ReportingSide]:
    """Returns the sides that an organization is on: none, one, or both of an internal exchange."""
    sides = {
        ReportingSide(Side.GIVER): exchange.giver_ids,
        ReportingSide(Side.RECEIVER): exchange.receiver_ids,
        ReportingSide(Side.UNSPECIFIED, organization_id): exchange.party_ids,
    }
    return {side for side, organization_ids in sides.items() if organization_id in organization_ids}
