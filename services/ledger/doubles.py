"""Possible double reports: exchanges that may be one act, reported by different sides.

Until the reports of both sides are matched, two exchanges with the same parties, kind and day from
different sides may be one act that counts twice. Exchanges known only to a month or quarter are
never compared, because they name no day. Parties are compared after aliases are resolved.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Protocol, TypeVar

from services.ledger.enums import Side
from services.ledger.exchange import Exchange
from services.ledger.times import Day


class ReportedExchange(Protocol):
    """An exchange as one side reported it, with organizations instead of recorded ids."""

    @property
    def exchange(self) -> Exchange: ...
    @property
    def day(self) -> Day: ...
    @property
    def is_dated(self) -> bool: ...
    @property
    def recorded_by(self) -> str: ...


ReportT = TypeVar("ReportT", bound=ReportedExchange)


def find_reporting_side(report: ReportedExchange) -> tuple[Side, str]:
    """Returns the side of a report; two reports of one side are never doubles.

    Directed: `reported_by`, else the side that `recorded_by` is on (the givers' where an
    organization is on both), else third party. Joint exchanges have no giver's and no receiver's
    side, so each party is a side of its own: the recorder where it is a party, else third party.
    """
    exchange, named_side = report.exchange, report.exchange.reported_by
    if exchange.party_ids:
        if named_side is not Side.THIRD_PARTY and report.recorded_by in exchange.party_ids:
            return Side.UNSPECIFIED, report.recorded_by
        return Side.THIRD_PARTY, ""
    if named_side is not Side.UNSPECIFIED:
        return named_side, ""
    if report.recorded_by in exchange.giver_ids:
        return Side.GIVER, ""
    return (Side.RECEIVER if report.recorded_by in exchange.receiver_ids else Side.THIRD_PARTY), ""


def find_possible_doubles(reports: Iterable[ReportT]) -> list[list[ReportT]]:
    """Returns groups of reports with the same parties, kind and day from two sides or more."""
    groups = defaultdict(list)
    for report in reports:
        exchange = report.exchange
        if report.is_dated:
            parties = exchange.giver_ids, exchange.receiver_ids, exchange.party_ids
            groups[parties, exchange.kind, report.day].append(report)
    return [group for group in groups.values() if len({*map(find_reporting_side, group)}) > 1]


def count_possible_doubles(reports: Iterable[ReportedExchange]) -> int:
    """Returns how many exchanges may repeat another: of a group, all but the largest side."""
    groups = find_possible_doubles(reports)
    return sum(
        len(group) - max(Counter(map(find_reporting_side, group)).values()) for group in groups
    )
