"""Exact sums of the legs that a question counts, by direction of the ties."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from services.ledger.allocation import LENS_FIELDS, MILLION
from services.ledger.enums import Allocation, Lens
from services.ledger.question import Question
from services.network.column_table import Flags, Ints
from services.network.columns import UNKNOWN_BITS
from services.network.identity_view import IdentityView
from services.network.leg_allocation import to_millionths
from services.network.ties import LEADS


@dataclass(frozen=True, slots=True)
class DirectedSums:
    """Exchanges and amounts; an exchange has at most one leg in a direction.

    Unknown counts are of exchanges without minutes under the lens; 0 under count.
    """

    legs: Ints
    """By place; see `ties`."""
    unknown_legs: Ints
    place_amounts: Ints
    """Amounts by place, in millionths."""
    exchanges: Ints
    """By direction."""
    unknown_exchanges: Ints
    amounts: Ints
    """By direction, in millionths; under full the whole quantity of each exchange."""


def sum_legs(view: IdentityView, question: Question, mask: Flags) -> DirectedSums:
    """Adds up the legs of the exchanges in a mask."""
    lens, is_full = question.lens, question.allocation is Allocation.FULL
    is_count = lens is Lens.COUNT
    weights = None if question.half_life_days is None else view.compute_weights(question)
    size = LEADS * view.ties.direction_count
    counts, unknown_counts, amounts = (np.zeros(size, dtype=np.int64) for _ in range(3))
    for legs, place, rows in view.iterate_placed_legs(mask):
        places = place[rows]
        np.add.at(counts, places, 1)
        if not is_count:
            without = np.flatnonzero(legs.unknown[rows] & UNKNOWN_BITS[lens])
            np.add.at(unknown_counts, places[without], 1)
            if is_full:
                amount = to_millionths(view.get_minutes(lens)[legs.exchange[rows]])
            else:
                amount = getattr(legs, LENS_FIELDS[lens].share)[rows]
            if weights is not None:
                amount = np.rint(amount * weights[legs.exchange[rows]]).astype(np.int64)
            np.add.at(amounts, places, amount)
        elif weights is not None:
            amount = np.rint(MILLION * weights[legs.exchange[rows]]).astype(np.int64)
            np.add.at(amounts, places, amount)
    exchanges = sum_leads(counts)
    place_amounts = counts * MILLION if is_count and weights is None else amounts
    return DirectedSums(
        legs=counts,
        unknown_legs=unknown_counts,
        place_amounts=place_amounts,
        exchanges=exchanges,
        unknown_exchanges=np.zeros_like(exchanges) if is_count else sum_leads(unknown_counts),
        amounts=sum_leads(place_amounts),
    )


def sum_leads(values: Ints, leads_values: Iterable[int] = range(LEADS)) -> Ints:
    """Returns values by direction: the sums, over these leads, of values by place."""
    return reduce(np.add, (values[leads::LEADS] for leads in leads_values))
