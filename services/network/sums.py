"""What the legs of a question add up to, exactly, by direction of the ties."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from services.ledger.allocation import MILLION
from services.ledger.question import Question
from services.ledger.words import Allocation, Lens
from services.network.frame import Frame
from services.network.table import Flags, Ints
from services.network.ties import LEADS

_SHARES = {Lens.BURDEN: "burden", Lens.ATTENTION: "attention", Lens.BENEFIT: "benefit"}


@dataclass(frozen=True, slots=True)
class Sums:
    """Amounts are by direction, legs by their place; see `ties`."""

    legs: Ints
    unknown_legs: Ints
    """Those without known minutes under the lens; none under count."""
    amounts: Ints
    """Millionths; under full the whole quantity, once an exchange."""

    def exchanges(self, frame: Frame, inside: Flags) -> Ints:
        """Exchanges by direction, each once."""
        return _once(frame, inside, self.legs)

    def unknown_exchanges(self, frame: Frame, unknown: Flags) -> Ints:
        """Those of the exchanges of a mask, which are unknown, by direction."""
        return _once(frame, unknown, self.unknown_legs)


def add_up(frame: Frame, question: Question, inside: Flags) -> Sums:
    """Adds up the legs of the exchanges of the mask."""
    size = LEADS * frame.ties.direction_count
    place = frame.ties.legs.place
    legs, unknown_legs, amounts = (np.zeros(size, dtype=np.int64) for _ in range(3))
    if question.lens is Lens.COUNT:
        for rows in frame.legs_inside(inside):
            np.add.at(legs, place[rows], 1)
        counted = Sums(legs, unknown_legs, amounts)
        full = question.allocation is Allocation.FULL
        found = counted.exchanges(frame, inside) if full else of_leads(legs, range(LEADS))
        return Sums(legs, unknown_legs, found * MILLION)
    is_full = question.allocation is Allocation.FULL
    minutes, exchange = frame.minutes(question.lens), frame.columns.legs.exchange
    shares: Ints = getattr(frame.columns.legs, _SHARES[question.lens])
    for rows in frame.legs_inside(inside):
        places = place[rows]
        amount = _whole(minutes[exchange[rows]]) if is_full else shares[rows]
        np.add.at(legs, places, 1)
        np.add.at(unknown_legs, places[np.flatnonzero(amount < 0)], 1)
        np.add.at(amounts, places, np.maximum(amount, 0))
    found = of_leads(amounts, range(LEADS))
    if is_full:
        again = frame.ties.again.edges
        kept = inside[again.exchange]
        twice = np.maximum(_whole(minutes[again.exchange[kept]]), 0)
        np.subtract.at(found, again.member[kept], twice)
    return Sums(legs, unknown_legs, found)


def of_leads(values: Ints, chosen: Iterable[int]) -> Ints:
    """By direction, what the legs with these leads have of values that are by place."""
    return reduce(np.add, (values[leads::LEADS] for leads in chosen))


def _whole(minutes: Ints) -> Ints:
    return minutes.astype(np.int64) * MILLION


def _once(frame: Frame, mask: Flags, legs: Ints) -> Ints:
    found = of_leads(legs, range(LEADS))
    return found - frame.ties.again.edges.count(mask, len(found))
