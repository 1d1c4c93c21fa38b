"""Monthly sums by organization, and what one exchange adds to them."""

from typing import Final

from services.ledger.allocation import MILLION, ExchangeAmounts, Leg, split_into_legs
from services.ledger.new_exchange import NewExchange
from services.ledger.times import DAY, Day, Month, month_of

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


def add_new_exchange(months: MonthlySums, new_exchange: NewExchange) -> list[Leg]:
    """Adds a new exchange and returns its legs, in one pass because most records are such."""
    givers, receivers = new_exchange.giver_ids, new_exchange.receiver_ids
    if len(givers) != 1 or len(receivers) != 1:
        exchange_legs = split_into_legs(new_exchange)
        add_exchange(months, new_exchange, exchange_legs, new_exchange.occur_time // DAY, 1)
        return exchange_legs
    month = month_of(new_exchange.occur_time // DAY)
    given = months.get((givers[0], month)) or _sums(months, givers[0], month)
    received = months.get((receivers[0], month)) or _sums(months, receivers[0], month)
    given[0] += 1
    given[_LEGS] += 1
    received[_RECEIVED] += 1
    received[_RECEIVED + _LEGS] += 1
    amounts: list[int | None] = []
    place = _LEGS + 1
    for minutes in (
        new_exchange.giver_minutes,
        new_exchange.receiver_minutes,
        new_exchange.benefit_minutes,
    ):
        if minutes is None:
            given[place + 3] += 1
            received[_RECEIVED + place + 3] += 1
            amounts.append(None)
        else:
            amount = minutes * MILLION
            given[place] += amount
            received[_RECEIVED + place] += amount
            amounts.append(amount)
        place += 1
    return [Leg(givers[0], receivers[0], *amounts)]


def _sums(months: MonthlySums, party: str, month: Month) -> MonthSums:
    sums = months.get((party, month))
    if sums is None:
        sums = months[party, month] = [0] * len(SUM_FIELDS)
    return sums
