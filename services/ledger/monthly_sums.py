"""Monthly sums by organization, and what one exchange adds to them."""

from collections.abc import Sequence
from typing import Final

from services.ledger.allocation import ExchangeAmounts, Leg
from services.ledger.times import Day, Month, month_of

_DIRECTED: Final = (
    "exchange_count",
    "leg_count",
    "burden_millionths",
    "attention_millionths",
    "benefit_millionths",
    "burden_unknown_count",
    "attention_unknown_count",
    "benefit_unknown_count",
)
SUM_FIELDS: Final = (
    *(f"given_{name}" for name in _DIRECTED),
    *(f"received_{name}" for name in _DIRECTED),
    "joint_count",
)
"""The sums of one organization and month, in the order of a row."""

_LEGS: Final = _DIRECTED.index("leg_count")
_UNKNOWN: Final = _DIRECTED.index("burden_unknown_count")
_RECEIVED: Final = len(_DIRECTED)
_JOINT: Final = 2 * len(_DIRECTED)

MonthSums = list[int]
MonthlySums = dict[tuple[str, Month], MonthSums]


def add_exchange(
    months: MonthlySums, exchange: ExchangeAmounts, exchange_legs: list[Leg], day: Day, sign: int
) -> None:
    """Adds (`sign` 1) or subtracts (-1) an exchange of `day` with its legs."""
    month = month_of(day)
    quantities = (exchange.giver_minutes, exchange.receiver_minutes, exchange.benefit_minutes)
    unknown: Sequence[int] = ()
    if None in quantities:
        unknown = [_UNKNOWN + place for place, minutes in enumerate(quantities) if minutes is None]
    for parties, start in ((exchange.giver_ids, 0), (exchange.receiver_ids, _RECEIVED)):
        for party in parties:
            sums = _sums(months, party, month)
            sums[start] += sign
            for place in unknown:
                sums[start + place] += sign
    for party in exchange.party_ids:
        _sums(months, party, month)[_JOINT] += sign
    for giver, receiver, burden, attention, benefit in exchange_legs:
        given, received = months[giver, month], months[receiver, month]
        given[_LEGS] += sign
        received[_RECEIVED + _LEGS] += sign
        if burden:
            given[_LEGS + 1] += sign * burden
            received[_RECEIVED + _LEGS + 1] += sign * burden
        if attention:
            given[_LEGS + 2] += sign * attention
            received[_RECEIVED + _LEGS + 2] += sign * attention
        if benefit:
            given[_LEGS + 3] += sign * benefit
            received[_RECEIVED + _LEGS + 3] += sign * benefit


def _sums(months: MonthlySums, party: str, month: Month) -> MonthSums:
    sums = months.get((party, month))
    if sums is None:
        sums = months[party, month] = [0] * len(SUM_FIELDS)
    return sums
