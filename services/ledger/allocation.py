"""Allocation: the exact shares of an exchange's amounts on its legs.

Amounts are whole millionths (of a minute, or of an exchange), so that shares add up to the whole.
The remainder of a division goes to the first ids in ascending order, 1 to each.
"""

from typing import Final, NamedTuple, Protocol

from services.ledger.enums import Lens
from services.ledger.exchange import Exchange

MILLION: Final = 1_000_000


class LensFields(NamedTuple):
    """The field of an exchange that a lens of minutes adds up, and that of a leg's share."""

    minutes: str
    share: str


LENS_FIELDS: Final = {
    Lens.BURDEN: LensFields("giver_minutes", "burden"),
    Lens.ATTENTION: LensFields("receiver_minutes", "attention"),
    Lens.BENEFIT: LensFields("benefit_minutes", "benefit"),
}
"""The lenses of minutes. Lens.COUNT has no fields, because it counts exchanges."""


class ExchangeAmounts(Protocol):
    """The parties and minutes of an exchange, which allocation and sums read."""

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
        """The share under a lens in millionths, None when unknown; one exchange under count."""
        fields = LENS_FIELDS.get(lens)
        share: int | None = MILLION if fields is None else getattr(self, fields.share)
        return share


def split_into_legs(exchange: ExchangeAmounts) -> list[Leg]:
    """Returns the legs of an exchange under allocation split; [] for a joint exchange.

    Burden divides the giver minutes between the givers, and each part between the receivers.
    Attention and benefit divide the minutes of each receiver between the givers.
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
    """Returns the undivided quantity of an exchange in millionths; None when unknown."""
    fields = LENS_FIELDS.get(lens)
    return MILLION if fields is None else _millionths(getattr(exchange, fields.minutes))


def _millionths(minutes: int | None) -> int | None:
    return None if minutes is None else minutes * MILLION


def _divide(amount: int | None, count: int) -> list[int | None]:
    if amount is None:
        return [None] * count
    share, left_over = divmod(amount, count)
    return [share + 1 if index < left_over else share for index in range(count)]
