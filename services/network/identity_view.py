"""Columns seen through an identity: recorded ids become organizations, once for many questions."""

from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import reduce
from typing import Final

import numpy as np

from services.ledger.enums import BOUNDARY_ROLE, Identity, Lens, Population
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.question import Coverage, Question, find_warnings
from services.ledger.straddling import StraddlingCounts
from services.ledger.times import Day
from services.network import doubles, organization_index, ties
from services.network import reporters as reports
from services.network.column_table import Flags, Ints
from services.network.columns import Columns, Legs
from services.network.doubles import PossibleDoubles
from services.network.lazy_property import lazy_property
from services.network.organization_index import OrganizationIndex
from services.network.reporters import Reporters
from services.network.ties import Ties

BLOCK_ROWS: Final = 1 << 16
"""Rows that are looked at together, so that what is computed of them stays near the processor."""
MAX_MONTH_DAYS: Final = 31
_MINUTES: Final = {
    Lens.COUNT: "giver_minutes",
    Lens.BURDEN: "giver_minutes",
    Lens.ATTENTION: "receiver_minutes",
    Lens.BENEFIT: "benefit_minutes",
}
LegRows = slice | Ints
_NO_ALIASES: Final[Mapping[str, str]] = {}


class IdentityView:
    """What a question is asked of. It never changes."""

    index: OrganizationIndex
    ties: Ties
    reporters: Reporters
    doubles: PossibleDoubles

    def __init__(
        self, columns: Columns, identity: Identity, before: "IdentityView | None" = None
    ) -> None:
        """`before` is of columns that these were advanced from."""
        self.columns = columns
        self.identity = identity
        self.aliases = _NO_ALIASES if identity is Identity.RECORDED else columns.aliases
        if before is None or before.aliases is not self.aliases:
            before = None
        self.index = (before.index if before else organization_index.EMPTY_INDEX).extend(
            columns, self.aliases
        )
        organization = self.index.organization
        self.ties = (before.ties if before else ties.NO_TIES).extend(columns, self.index)
        self.reporters = (before.reporters if before else reports.NO_REPORTERS).extend(
            columns, organization
        )
        self.doubles = (before.doubles if before else doubles.NO_DOUBLES).extend(
            columns, organization
        )

    def move_to(self, next_offset: int) -> "IdentityView":
        """This frame, where nothing changes up to a position, or nothing has since."""
        moved = copy(self)
        moved.columns = replace(self.columns, next_offset=next_offset)
        return moved

    @property
    def nbytes(self) -> int:
        """What it takes beyond its columns."""
        return self.ties.nbytes + self.reporters.nbytes + self.doubles.nbytes

    @property
    def roster(self) -> Mapping[str, list[Organization]]:
        return self.index.roster

    @property
    def size(self) -> int:
        """How many numbers of organizations there are, 0 included."""
        return len(self.index.numbers)

    @lazy_property
    def direction_ends(self) -> tuple[Ints, Ints]:
        """The giver and the receiver of each direction; see `ties`."""
        pairs = self.ties.pairs
        there = np.stack([pairs.low, pairs.high], axis=1).ravel()
        back = np.stack([pairs.high, pairs.low], axis=1).ravel()
        return there, back

    def select_exchanges(self, question: Question) -> Flags:
        """Which exchanges the question is about, by row."""
        inside = self._wanted(question)
        first = self.columns.exchanges.first_day
        if question.from_day is not None:
            inside &= first >= question.from_day
        if question.to_day is not None:
            inside &= first < question.to_day
        return inside

    def iterate_leg_rows(self, inside: Flags) -> Iterator[LegRows]:
        """The rows of legs of the columns, of the exchanges of the mask, block by block."""
        return _blocks(self.columns.legs, inside)

    def iterate_placed_legs(self, inside: Flags) -> Iterator[tuple[Legs, Ints, LegRows]]:
        """Legs between organizations, their places, and the rows of the exchanges of the mask."""
        for legs, places in (
            (self.columns.legs, self.ties.places),
            (self.ties.resolved_legs, self.ties.resolved_places),
        ):
            for rows in _blocks(legs, inside):
                yield legs, places.place, rows

    @lazy_property
    def is_internal(self) -> Flags:
        """Which exchanges are internal, by row; see `ledger.identity.is_internal`."""
        internal = np.zeros(len(self.columns.is_standing), dtype=np.bool_)
        internal[self.ties.internal.exchange] = True
        return internal

    def get_minutes(self, lens: Lens) -> Ints:
        """Whole minutes of each exchange, negative where unknown; of givers under count."""
        minutes: Ints = getattr(self.columns.exchanges, _MINUTES[lens])
        return minutes

    def find_population(self, question: Question, party: Flags) -> Flags:
        """By number, who the question is about; `party` are the parties to what it counts."""
        match question.population:
            case Population.SEEN:
                return self._ever_parties & ~self._boundary
            case Population.UNSPECIFIED if not self.roster:
                return party
            case Population.ACTIVE:
                return party & ~self._boundary
            case _:
                return self.index.find_in_force(question)

    def find_internal_numbers(self, name: str) -> list[int]:
        """The numbers of the standing internal exchanges that an organization is party to."""
        internal, columns = self.ties.internal, self.columns
        rows = internal.exchange[internal.member == self.index.numbers.get(name, 0)]
        numbers: list[int] = columns.list_numbers()[rows[columns.is_standing[rows]]].tolist()
        return numbers

    def find_isolates(self, question: Question, party: Flags) -> Flags:
        """By number, the organizations of the population without any exchange in the window."""
        isolates = self.find_population(question, party) & ~party
        if question.has_content_filters and isolates.any():
            windowed = question.from_day is not None or question.to_day is not None
            everything = question.remove_content_filters()
            isolates &= ~(
                self.find_parties(self.select_exchanges(everything))
                if windowed
                else self._ever_parties
            )
        return isolates

    def find_row_organizations(self, question: Question, party: Flags) -> Flags:
        """By number, who has a row: the population, and every other party."""
        shown = self.find_population(question, party) | party
        shown[0] = False
        return shown

    def find_parties(self, inside: Flags) -> Flags:
        """By number, who is party to an exchange of the mask."""
        parties = np.zeros(len(self.columns.ids), dtype=np.bool_)
        legs, joint = self.columns.legs, self.columns.joint
        parties[joint.party[inside[joint.exchange]]] = True
        for rows in self.iterate_leg_rows(inside):
            parties[legs.giver[rows]] = True
            parties[legs.receiver[rows]] = True
        return self.index.make_flags(self.index.organization[parties])

    def is_ever_party(self, name: str) -> bool:
        """Whether an organization is party to a standing exchange at any time."""
        number = self.index.numbers.get(name, 0)
        return bool(self._ever_parties[number]) if number else False

    @lazy_property
    def _ever_parties(self) -> Flags:
        """By number, who is party to a standing exchange at any time."""
        return self.find_parties(self.columns.is_standing)

    @lazy_property
    def _boundary(self) -> Flags:
        """By number, who is registered as outside the programme."""
        outside = [
            self.index.numbers[name]
            for name, known in self.roster.items()
            if all(each.role == BOUNDARY_ROLE for each in known)
        ]
        return self.index.make_flags(outside)

    def find_day_ranges(self, inside: Flags) -> dict[str, tuple[Day, Day]]:
        """First and last day of each party to an exchange of the mask."""
        legs, joint = self.columns.legs, self.columns.joint
        day = self.columns.exchanges.first_day
        first = np.full(len(self.columns.ids), np.iinfo(np.int32).max, dtype=np.int32)
        last = np.full(len(first), np.iinfo(np.int32).min, dtype=np.int32)
        kept = inside[joint.exchange]
        found = [(joint.party[kept], day[joint.exchange[kept]])]
        for rows in self.iterate_leg_rows(inside):
            of_legs = day[legs.exchange[rows]]
            found += [(side[rows], of_legs) for side in (legs.giver, legs.receiver)]
        for parties, days in found:
            np.minimum.at(first, parties, days)
            np.maximum.at(last, parties, days)
        named: dict[str, tuple[Day, Day]] = {}
        for party in np.flatnonzero(first <= last).tolist():
            name = str(self.index.ids[self.index.organization[party]])
            one, other = int(first[party]), int(last[party])
            before = named.get(name, (one, other))
            named[name] = min(before[0], one), max(before[1], other)
        return named

    def resolve_requested_ids(self, question: Question) -> set[str]:
        """The organizations whose rows are asked for; empty means all."""
        return {resolve(self.aliases, each) for each in question.organization_ids}

    def resolve_question(self, question: Question) -> Question:
        """The same question with nothing left open: ids resolved, the population decided."""
        population = question.population
        if population is Population.UNSPECIFIED:
            population = Population.ROSTER if self.roster else Population.ACTIVE
        return replace(
            question,
            organization_ids=tuple(sorted(self.resolve_requested_ids(question))),
            population=population,
        )

    def find_requested_organizations(self, question: Question) -> Flags | None:
        """By number, whether its rows are asked for; None means all."""
        if not question.organization_ids:
            return None
        numbers = self.index.numbers
        chosen = [numbers[each] for each in self.resolve_requested_ids(question) if each in numbers]
        return self.index.make_flags(chosen)

    def compute_coverage(self, question: Question, inside: Flags) -> Coverage:
        symmetric = self.columns.exchanges.symmetric
        measured = inside & ~self.is_internal
        unknown = measured & ~symmetric & (self.get_minutes(question.lens) < 0)
        roster = self.index.find_in_force(question)
        return Coverage(
            roster_count=int(np.count_nonzero(roster)),
            recorded_count=self.reporters.count_reporters(inside, roster),
            exchange_count=int(np.count_nonzero(inside)),
            unknown_minutes_count=int(np.count_nonzero(unknown)),
            joint_count=int(np.count_nonzero(measured & symmetric)),
            internal_count=int(np.count_nonzero(inside & self.is_internal)),
            possible_double_count=self.doubles.count_doubles(inside),
            **self._straddling(question)._asdict(),
        )

    def find_possible_doubles(self, inside: Flags) -> tuple[Ints, Ints]:
        """The exchanges of the mask that may be one act, by their numbers; see `Doubles.acts`."""
        return self.doubles.group_by_act(inside, self.columns.list_numbers())

    def find_warnings(
        self, question: Question, coverage: Coverage, inside: Flags
    ) -> tuple[str, ...]:
        sets = self.columns.topic_sets
        several = [number for number, topics in sets.items() if len(topics) > 1]
        overlap = bool(question.topics) and bool(self._of_sets(several)[inside].any())
        return find_warnings(
            question, coverage, topics_overlap=overlap, has_unbound=self.has_unbound_names(inside)
        )

    def has_unbound_names(self, inside: Flags) -> bool:
        """Whether a party to an exchange of the mask is one of `spelling.find_unbound_names`."""
        unbound = self.index.is_unbound
        return bool(unbound.any()) and bool((unbound & self.find_parties(inside)).any())

    def _wanted(self, question: Question) -> Flags:
        """Which exchanges every filter but the window lets through."""
        exchanges = self.columns.exchanges
        wanted = self.columns.is_standing.copy()
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

    def _straddling(self, question: Question) -> StraddlingCounts:
        """See `ledger.count_straddling`: exchanges whose period lies on both sides of a window's
        end.
        """
        ends = [day for day in (question.from_day, question.to_day) if day is not None]
        if not ends:
            return StraddlingCounts()
        first, end = self.columns.exchanges.first_day, self.columns.exchanges.end_day
        cut = reduce(np.logical_or, ((first < day) & (end > day) for day in ends))
        rows = np.flatnonzero(cut & self._wanted(question))
        early = rows[first[rows] < question.from_day] if question.from_day is not None else rows[:0]
        is_quarter = end[early] - first[early] > MAX_MONTH_DAYS
        quarter_count = int(np.count_nonzero(is_quarter))
        return StraddlingCounts(
            straddling_count=len(rows),
            straddling_counted_count=len(rows) - len(early),
            straddling_month_count=len(early) - quarter_count,
            straddling_quarter_count=quarter_count,
        )


def _blocks(legs: Legs, inside: Flags) -> Iterator[LegRows]:
    for start in range(0, legs.length, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        exchange = legs.exchange[block]
        touched = inside[exchange[0] : exchange[-1] + 1]
        if touched.all():
            yield block
        elif touched.any():
            yield np.flatnonzero(inside[exchange]) + start


def _one_of(values: Ints, members: Collection[int]) -> Flags:
    return reduce(np.logical_or, (values == member for member in members))
