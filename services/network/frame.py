"""Columns seen through an identity: recorded ids become organizations, once for many questions."""

from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import reduce
from typing import Final

import numpy as np

from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.question import Coverage, Question, warnings_for
from services.ledger.straddling import Straddling
from services.ledger.times import Day
from services.ledger.words import BOUNDARY_ROLE, Identity, Lens, Population
from services.network import doubles, names, reports, ties
from services.network.columns import Columns, Legs
from services.network.doubles import Doubles
from services.network.names import Names
from services.network.once import once
from services.network.reports import Reports
from services.network.table import Flags, Ints
from services.network.ties import Ties

BLOCK: Final = 1 << 16
"""Rows that are looked at together, so that what is computed of them stays near the processor."""
MAX_MONTH_DAYS: Final = 31
_MINUTES: Final = {
    Lens.COUNT: "giver_minutes",
    Lens.BURDEN: "giver_minutes",
    Lens.ATTENTION: "receiver_minutes",
    Lens.BENEFIT: "benefit_minutes",
}
Rows = slice | Ints
_NO_ALIASES: Final[Mapping[str, str]] = {}


class Frame:
    """What a question is asked of. It never changes."""

    known: Names
    ties: Ties
    reports: Reports
    doubles: Doubles

    def __init__(self, columns: Columns, identity: Identity, before: "Frame | None" = None) -> None:
        """`before` is of columns that these were advanced from."""
        self.columns = columns
        self.identity = identity
        self.aliases = _NO_ALIASES if identity is Identity.RECORDED else columns.aliases
        if before is None or before.aliases is not self.aliases:
            before = None
        self.known = (before.known if before else names.NONE).grown(columns, self.aliases)
        organization = self.known.organization
        self.ties = (before.ties if before else ties.NONE).grown(columns, self.known)
        self.reports = (before.reports if before else reports.NONE).grown(columns, organization)
        self.doubles = (before.doubles if before else doubles.NONE).grown(columns, organization)

    def at(self, next_offset: int) -> "Frame":
        """This frame, where nothing changes up to a position, or nothing has since."""
        moved = copy(self)
        moved.columns = replace(self.columns, next_offset=next_offset)
        return moved

    @property
    def nbytes(self) -> int:
        """What it takes beyond its columns."""
        return self.ties.nbytes + self.reports.nbytes + self.doubles.nbytes

    @property
    def roster(self) -> Mapping[str, list[Organization]]:
        return self.known.roster

    @property
    def size(self) -> int:
        """How many numbers of organizations there are, 0 included."""
        return len(self.known.numbers)

    @once
    def ends(self) -> tuple[Ints, Ints]:
        """The giver and the receiver of each direction; see `ties`."""
        pairs = self.ties.pairs
        there = np.stack([pairs.low, pairs.high], axis=1).ravel()
        back = np.stack([pairs.high, pairs.low], axis=1).ravel()
        return there, back

    def inside(self, question: Question) -> Flags:
        """Which exchanges the question is about, by row."""
        inside = self._wanted(question)
        first = self.columns.exchanges.first_day
        if question.from_day is not None:
            inside &= first >= question.from_day
        if question.to_day is not None:
            inside &= first < question.to_day
        return inside

    def legs_inside(self, inside: Flags) -> Iterator[Rows]:
        """The rows of legs of the columns, of the exchanges of the mask, block by block."""
        return _blocks(self.columns.legs, inside)

    def placed_legs(self, inside: Flags) -> Iterator[tuple[Legs, Ints, Rows]]:
        """Legs between organizations, their places, and the rows of the exchanges of the mask."""
        for legs, places in (
            (self.columns.legs, self.ties.places),
            (self.ties.resolved_legs, self.ties.resolved_places),
        ):
            for rows in _blocks(legs, inside):
                yield legs, places.place, rows

    @once
    def internal(self) -> Flags:
        """Which exchanges are internal, by row; see `ledger.identity.is_internal`."""
        internal = np.zeros(len(self.columns.alive), dtype=np.bool_)
        internal[self.ties.internal.exchange] = True
        return internal

    def minutes(self, lens: Lens) -> Ints:
        """Whole minutes of each exchange, negative where unknown; of givers under count."""
        minutes: Ints = getattr(self.columns.exchanges, _MINUTES[lens])
        return minutes

    def population(self, question: Question, party: Flags) -> Flags:
        """By number, who the question is about; `party` are the parties to what it counts."""
        match question.population:
            case Population.SEEN:
                return self._ever & ~self._boundary
            case Population.UNSPECIFIED if not self.roster:
                return party
            case Population.ACTIVE:
                return party & ~self._boundary
            case _:
                return self.known.in_force(question)

    def internal_numbers(self, name: str) -> list[int]:
        """The numbers of the standing internal exchanges that an organization is party to."""
        internal, columns = self.ties.internal, self.columns
        rows = internal.exchange[internal.member == self.known.numbers.get(name, 0)]
        numbers: list[int] = columns.numbers()[rows[columns.alive[rows]]].tolist()
        return numbers

    def isolates(self, question: Question, party: Flags) -> Flags:
        """By number, the organizations of the population without any exchange in the window."""
        isolates = self.population(question, party) & ~party
        if question.is_narrowed and isolates.any():
            windowed = question.from_day is not None or question.to_day is not None
            everything = question.of_any_exchange()
            isolates &= ~(self.seen(self.inside(everything)) if windowed else self._ever)
        return isolates

    def shown(self, question: Question, party: Flags) -> Flags:
        """By number, who has a row: the population, and every other party."""
        shown = self.population(question, party) | party
        shown[0] = False
        return shown

    def seen(self, inside: Flags) -> Flags:
        """By number, who is party to an exchange of the mask."""
        parties = np.zeros(len(self.columns.ids), dtype=np.bool_)
        legs, joint = self.columns.legs, self.columns.joint
        parties[joint.party[inside[joint.exchange]]] = True
        for rows in self.legs_inside(inside):
            parties[legs.giver[rows]] = True
            parties[legs.receiver[rows]] = True
        return self.known.flags(self.known.organization[parties])

    def has_seen(self, name: str) -> bool:
        """Whether an organization is party to a standing exchange at any time."""
        number = self.known.numbers.get(name, 0)
        return bool(self._ever[number]) if number else False

    @once
    def _ever(self) -> Flags:
        """By number, who is party to a standing exchange at any time."""
        return self.seen(self.columns.alive)

    @once
    def _boundary(self) -> Flags:
        """By number, who is registered as outside the programme."""
        outside = [
            self.known.numbers[name]
            for name, known in self.roster.items()
            if all(each.role == BOUNDARY_ROLE for each in known)
        ]
        return self.known.flags(outside)

    def days(self, inside: Flags) -> dict[str, tuple[Day, Day]]:
        """First and last day of each party to an exchange of the mask."""
        legs, joint = self.columns.legs, self.columns.joint
        day = self.columns.exchanges.first_day
        first = np.full(len(self.columns.ids), np.iinfo(np.int32).max, dtype=np.int32)
        last = np.full(len(first), np.iinfo(np.int32).min, dtype=np.int32)
        kept = inside[joint.exchange]
        found = [(joint.party[kept], day[joint.exchange[kept]])]
        for rows in self.legs_inside(inside):
            of_legs = day[legs.exchange[rows]]
            found += [(side[rows], of_legs) for side in (legs.giver, legs.receiver)]
        for parties, days in found:
            np.minimum.at(first, parties, days)
            np.maximum.at(last, parties, days)
        named: dict[str, tuple[Day, Day]] = {}
        for party in np.flatnonzero(first <= last).tolist():
            name = str(self.known.names[self.known.organization[party]])
            one, other = int(first[party]), int(last[party])
            before = named.get(name, (one, other))
            named[name] = min(before[0], one), max(before[1], other)
        return named

    def chosen(self, question: Question) -> set[str]:
        """The organizations whose rows are asked for; empty means all."""
        return {resolve(self.aliases, each) for each in question.organization_ids}

    def resolve_question(self, question: Question) -> Question:
        """The same question with nothing left open: ids resolved, the population decided."""
        population = question.population
        if population is Population.UNSPECIFIED:
            population = Population.ROSTER if self.roster else Population.ACTIVE
        return replace(
            question,
            organization_ids=tuple(sorted(self.chosen(question))),
            population=population,
        )

    def choice(self, question: Question) -> Flags | None:
        """By number, whether its rows are asked for; None means all."""
        if not question.organization_ids:
            return None
        numbers = self.known.numbers
        chosen = [numbers[each] for each in self.chosen(question) if each in numbers]
        return self.known.flags(chosen)

    def coverage(self, question: Question, inside: Flags) -> Coverage:
        symmetric = self.columns.exchanges.symmetric
        measured = inside & ~self.internal
        unknown = measured & ~symmetric & (self.minutes(question.lens) < 0)
        roster = self.known.in_force(question)
        return Coverage(
            roster_count=int(np.count_nonzero(roster)),
            recorded_count=self.reports.count(inside, roster),
            exchange_count=int(np.count_nonzero(inside)),
            unknown_minutes_count=int(np.count_nonzero(unknown)),
            joint_count=int(np.count_nonzero(measured & symmetric)),
            internal_count=int(np.count_nonzero(inside & self.internal)),
            possible_double_count=self.doubles.count(inside),
            **self._straddling(question)._asdict(),
        )

    def possible_doubles(self, inside: Flags) -> tuple[Ints, Ints]:
        """The exchanges of the mask that may be one act, by their numbers; see `Doubles.acts`."""
        return self.doubles.acts(inside, self.columns.numbers())

    def warnings(self, question: Question, coverage: Coverage, inside: Flags) -> tuple[str, ...]:
        sets = self.columns.topic_sets
        several = [number for number, topics in sets.items() if len(topics) > 1]
        overlap = bool(question.topics) and bool(self._of_sets(several)[inside].any())
        return warnings_for(
            question, coverage, topics_overlap=overlap, has_unbound=self.has_unbound(inside)
        )

    def has_unbound(self, inside: Flags) -> bool:
        """Whether a party to an exchange of the mask is one of `spelling.unbound_names`."""
        unbound = self.known.unbound
        return bool(unbound.any()) and bool((unbound & self.seen(inside)).any())

    def _wanted(self, question: Question) -> Flags:
        """Which exchanges every filter but the window lets through."""
        exchanges = self.columns.exchanges
        wanted = self.columns.alive.copy()
        if question.kinds:
            wanted &= _one_of(exchanges.kind, question.kinds)
        if question.formalities:
            wanted &= _one_of(exchanges.formality, question.formalities)
        if question.topics:
            asked = set(question.topics)
            sets = self.columns.topic_sets
            wanted &= self._of_sets([each for each in sets if not asked.isdisjoint(sets[each])])
        return wanted

    def _of_sets(self, numbers: Collection[int]) -> Flags:
        """Which exchanges have one of these topic sets."""
        is_one = np.zeros(max(self.columns.topic_sets, default=0) + 1, dtype=np.bool_)
        is_one[list(numbers)] = True
        return is_one[self.columns.exchanges.topic_set]

    def _straddling(self, question: Question) -> Straddling:
        """See `ledger.straddling`: exchanges whose period lies on both sides of a window's end."""
        ends = [day for day in (question.from_day, question.to_day) if day is not None]
        if not ends:
            return Straddling()
        first, end = self.columns.exchanges.first_day, self.columns.exchanges.end_day
        cut = reduce(np.logical_or, ((first < day) & (end > day) for day in ends))
        rows = np.flatnonzero(cut & self._wanted(question))
        early = rows[first[rows] < question.from_day] if question.from_day is not None else rows[:0]
        is_quarter = end[early] - first[early] > MAX_MONTH_DAYS
        quarter_count = int(np.count_nonzero(is_quarter))
        return Straddling(
            straddling_count=len(rows),
            straddling_counted_count=len(rows) - len(early),
            straddling_month_count=len(early) - quarter_count,
            straddling_quarter_count=quarter_count,
        )


def _blocks(legs: Legs, inside: Flags) -> Iterator[Rows]:
    for start in range(0, legs.length, BLOCK):
        block = slice(start, start + BLOCK)
        exchange = legs.exchange[block]
        touched = inside[exchange[0] : exchange[-1] + 1]
        if touched.all():
            yield block
        elif touched.any():
            yield np.flatnonzero(inside[exchange]) + start


def _one_of(values: Ints, members: Collection[int]) -> Flags:
    return reduce(np.logical_or, (values == member for member in members))
