"""How the amounts of one exchange are laid on its legs, exactly.

Amounts are whole millionths (of a minute, or of an exchange), so that shares add up to what was
shared. Millionths left over by a division go one each to the first in ascending order of ids.
"""

from typing import Final, NamedTuple, Protocol

from services.ledger.enums import Lens
from services.ledger.exchange import Exchange

MILLION: Final = 1_000_000


class ExchangeAmounts(Protocol):
    """What allocation and sums need to know of an exchange."""

    @property
    def giver_ids(self) -> tuple[str, ...]: ...
    @property
    def receiver_ids(self) -> tuple[str, ...]: ...
    @property
    def party_ids(self) -> tuple[str, ...]: ...
    @property
    def giver_minutes(self) -> int | None: ...
    @property
    def receiver_minutes(self) -> int | None: ...
    @property
    def benefit_minutes(self) -> int | None: ...


class Leg(NamedTuple):
    """One giver, one receiver, and the share of each quantity (None: unknown) between them."""

    giver_id: str
    receiver_id: str
    burden: int | None
    attention: int | None
    benefit: int | None

    def amount(self, lens: Lens) -> int | None:
        match lens:
            case Lens.BURDEN:
                return self.burden
            case Lens.ATTENTION:
                return self.attention
            case Lens.BENEFIT:
                return self.benefit
            case _:
                return MILLION


def split_into_legs(exchange: ExchangeAmounts) -> list[Leg]:
    """The legs of an exchange under allocation split; none for a symmetric one.

    Burden: each giver's part of the giver minutes, over the receivers. Attention and benefit: each
    receiver's minutes, over the givers.
    """
    givers, receivers = exchange.giver_ids, exchange.receiver_ids
    if len(givers) == len(receivers) == 1:
        return [
            Leg(
                givers[0],
                receivers[0],
                _millionths(exchange.giver_minutes),
                _millionths(exchange.receiver_minutes),
                _millionths(exchange.benefit_minutes),
            )
        ]
    if not givers:
        return []
    parts = _divide(_millionths(exchange.giver_minutes), len(givers))
    burdens = [_divide(part, len(receivers)) for part in parts]
    attention = _divide(_millionths(exchange.receiver_minutes), len(givers))
    benefit = _divide(_millionths(exchange.benefit_minutes), len(givers))
    return [
        Leg(giver, receiver, burdens[i][j], attention[i], benefit[i])
        for i, giver in enumerate(givers)
        for j, receiver in enumerate(receivers)
    ]


def get_quantity(exchange: Exchange, lens: Lens) -> int | None:
    """The undivided quantity of an exchange in millionths; None when unknown."""
    match lens:
        case Lens.BURDEN:
            return _millionths(exchange.giver_minutes)
        case Lens.ATTENTION:
            return _millionths(exchange.receiver_minutes)
        case Lens.BENEFIT:
            return _millionths(exchange.benefit_minutes)
        case _:
            return MILLION


def _millionths(minutes: int | None) -> int | None:
    return None if minutes is None else minutes * MILLION


def _divide(amount: int | None, count: int) -> list[int | None]:
    if amount is None:
        return [None] * count
    share, left_over = divmod(amount, count)
    return [share + 1 if index < left_over else share for index in range(count)]
