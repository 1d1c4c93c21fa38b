"""Possible double reports: exchanges that may be one act, reported by different sides.

Until the reports of both sides are matched, two exchanges with the same parties, kind and day from
different sides may be one act that counts twice. Exchanges known only to a month or quarter are
never compared, because they name no day. Parties are compared after aliases are resolved.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Protocol, TypeVar

from services.ledger.exchange import Exchange
from services.ledger.reporting_side import find_reporting_side
from services.ledger.times import Day


class DatedReport(Protocol):
    """An exchange as one side reported it, with organizations instead of recorded ids."""

    @property
    def exchange(self) -> Exchange: ...
    @property
    def day(self) -> Day: ...
    @property
    def is_dated(self) -> bool: ...
    @property
    def recorded_by(self) -> str: ...


ReportT = TypeVar("ReportT", bound=DatedReport)


def find_possible_doubles(reports: Iterable[ReportT]) -> list[list[ReportT]]:
    """Returns groups of reports with the same parties, kind and day from two sides or more."""
    groups = defaultdict(list)
    for report in reports:
        exchange = report.exchange
        if report.is_dated:
            parties = exchange.giver_ids, exchange.receiver_ids, exchange.party_ids
            groups[parties, exchange.kind, report.day].append(report)
    return [group for group in groups.values() if len({*map(find_reporting_side, group)}) > 1]


def count_possible_doubles(reports: Iterable[DatedReport]) -> int:
    """Returns how many exchanges may repeat another: of a group, all but the largest side."""
    groups = find_possible_doubles(reports)
    return sum(
        len(group) - max(Counter(map(find_reporting_side, group)).values()) for group in groups
    )
