"""What one exchange adds to the monthly sums of each of its parties."""

from typing import Final

from services.ledger.allocation import Leg
from services.ledger.exchange import Exchange
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
FIELDS: Final = (
    *(f"given_{name}" for name in _DIRECTED),
    *(f"received_{name}" for name in _DIRECTED),
    "joint_count",
)
"""The sums of one organization and month, in the order in which they stand in a row."""

_RECEIVED: Final = len(_DIRECTED)
_JOINT: Final = 2 * len(_DIRECTED)

Sums = list[int]
Months = dict[tuple[str, Month], Sums]


def add_exchange(
    months: Months, exchange: Exchange, shared: list[Leg], day: Day, sign: int
) -> None:
    """Adds (`sign` 1) or takes away (-1) an exchange with its legs that occurred on `day`."""
    month = month_of(day)
    unknown = [
        5 + index
        for index, minutes in enumerate(
            (exchange.giver_minutes, exchange.receiver_minutes, exchange.benefit_minutes)
        )
        if minutes is None
    ]
    for parties, start in ((exchange.giver_ids, 0), (exchange.receiver_ids, _RECEIVED)):
        for party in parties:
            sums = _sums(months, party, month)
            sums[start] += sign
            for place in unknown:
                sums[start + place] += sign
    for party in exchange.party_ids:
        _sums(months, party, month)[_JOINT] += sign
    for leg in shared:
        for party, start in ((leg.giver_id, 0), (leg.receiver_id, _RECEIVED)):
            sums = _sums(months, party, month)
            sums[start + 1] += sign
            if leg.burden:
                sums[start + 2] += sign * leg.burden
            if leg.attention:
                sums[start + 3] += sign * leg.attention
            if leg.benefit:
                sums[start + 4] += sign * leg.benefit


def _sums(months: Months, party: str, month: Month) -> Sums:
    sums = months.get((party, month))
    if sums is None:
        sums = months[party, month] = [0] * len(FIELDS)
    return sums
