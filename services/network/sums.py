"""What the legs of a question add up to, exactly, by direction of the ties."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from services.ledger.allocation import MILLION
from services.ledger.question import Question
from services.ledger.words import Allocation, Lens
from services.network.columns import UNKNOWN_BITS
from services.network.frame import Frame
from services.network.table import Flags, Ints
from services.network.ties import LEADS

_SHARES: Final = {Lens.BURDEN: "burden", Lens.ATTENTION: "attention", Lens.BENEFIT: "benefit"}


@dataclass(frozen=True, slots=True)
class Sums:
    """Legs are by place, the others by direction; see `ties`. Exchanges count once each.

    Unknown are those without known minutes under the lens; none under count.
    """

    legs: Ints
    unknown_legs: Ints
    exchanges: Ints
    unknown_exchanges: Ints
    amounts: Ints
    """Millionths; under full the whole quantity, once an exchange."""


def add_up(frame: Frame, question: Question, inside: Flags) -> Sums:
    """Adds up the legs of the exchanges of the mask."""
    size = LEADS * frame.ties.direction_count
    legs, unknown_legs, by_place = (np.zeros(size, dtype=np.int64) for _ in range(3))
    place, unknown = frame.ties.legs.place, frame.columns.legs.unknown
    is_count, is_full = question.lens is Lens.COUNT, question.allocation is Allocation.FULL
    amount = _whole(frame, question.lens) if is_full else _share(frame, question.lens)
    for rows in frame.legs_inside(inside):
        places = place[rows]
        np.add.at(legs, places, 1)
        if not is_count:
            without = np.flatnonzero(unknown[rows] & UNKNOWN_BITS[question.lens])
            np.add.at(unknown_legs, places[without], 1)
            np.add.at(by_place, places, amount(rows))
    again = frame.ties.again.edges
    leg_counts, unknown_counts = of_leads(legs), of_leads(unknown_legs)
    exchanges = leg_counts - again.count(inside, len(leg_counts))
    if is_count:
        amounts = (exchanges if is_full else leg_counts) * MILLION
        return Sums(legs, unknown_legs, exchanges, unknown_counts, amounts)
    unknown_exchanges = inside & frame.unknown(question.lens)
    unknown_counts -= again.count(unknown_exchanges, len(leg_counts))
    amounts = of_leads(by_place)
    if is_full:
        kept = inside[again.exchange]
        minutes = frame.minutes(question.lens)[again.exchange[kept]]
        np.subtract.at(amounts, again.member[kept], _millionths(minutes))
    return Sums(legs, unknown_legs, exchanges, unknown_counts, amounts)


def of_leads(values: Ints, chosen: Iterable[int] = range(LEADS)) -> Ints:
    """By direction, what the legs with these leads have of values that are by place."""
    return reduce(np.add, (values[leads::LEADS] for leads in chosen))


Rows = slice | Ints


def _share(frame: Frame, lens: Lens) -> Callable[[Rows], Ints]:
    shares: Ints = getattr(frame.columns.legs, _SHARES.get(lens, "burden"))
    return shares.__getitem__


def _whole(frame: Frame, lens: Lens) -> Callable[[Rows], Ints]:
    exchange, minutes = frame.columns.legs.exchange, frame.minutes(lens)
    return lambda rows: _millionths(minutes[exchange[rows]])


def _millionths(minutes: Ints) -> Ints:
    """Unknown ones are nothing."""
    return np.maximum(minutes, 0).astype(np.int64) * MILLION
