"""What the legs of a question add up to, exactly, by direction of the ties."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from services.ledger.allocation import MILLION
from services.ledger.enums import Allocation, Lens
from services.ledger.question import Question
from services.network.column_table import Flags, Ints
from services.network.columns import UNKNOWN_BITS
from services.network.identity_view import IdentityView
from services.network.ties import LEADS

_SHARES: Final = {Lens.BURDEN: "burden", Lens.ATTENTION: "attention", Lens.BENEFIT: "benefit"}


@dataclass(frozen=True, slots=True)
class DirectedSums:
    """Exchanges and amounts; an exchange has at most one leg in a direction.

    Unknown are those without known minutes under the lens; none under count.
    """

    legs: Ints
    """By place; see `ties`."""
    unknown_legs: Ints
    exchanges: Ints
    """By direction."""
    unknown_exchanges: Ints
    amounts: Ints
    """By direction, in millionths; under full the whole quantity of each exchange."""


def sum_legs(frame: IdentityView, question: Question, inside: Flags) -> DirectedSums:
    """Adds up the legs of the exchanges of the mask."""
    lens, is_full = question.lens, question.allocation is Allocation.FULL
    size = LEADS * frame.ties.direction_count
    counts, unknown_counts, amounts = (np.zeros(size, dtype=np.int64) for _ in range(3))
    for legs, place, rows in frame.iterate_placed_legs(inside):
        places = place[rows]
        np.add.at(counts, places, 1)
        if lens is not Lens.COUNT:
            without = np.flatnonzero(legs.unknown[rows] & UNKNOWN_BITS[lens])
            np.add.at(unknown_counts, places[without], 1)
            if is_full:
                amount = _millionths(frame.get_minutes(lens)[legs.exchange[rows]])
            else:
                amount = getattr(legs, _SHARES[lens])[rows]
            np.add.at(amounts, places, amount)
    exchanges, is_count = sum_leads(counts), lens is Lens.COUNT
    return DirectedSums(
        legs=counts,
        unknown_legs=unknown_counts,
        exchanges=exchanges,
        unknown_exchanges=np.zeros_like(exchanges) if is_count else sum_leads(unknown_counts),
        amounts=exchanges * MILLION if is_count else sum_leads(amounts),
    )


def sum_leads(values: Ints, chosen: Iterable[int] = range(LEADS)) -> Ints:
    """By direction, what the legs with these leads have of values that are by place."""
    return reduce(np.add, (values[leads::LEADS] for leads in chosen))


def _millionths(minutes: Ints) -> Ints:
    """Unknown ones are nothing."""
    return np.maximum(minutes, 0).astype(np.int64) * MILLION
