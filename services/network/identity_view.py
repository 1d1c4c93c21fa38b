"""Columns under an identity: recorded ids become organizations, once for many questions."""

from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray
from propcache.api import cached_property

from services.ledger.allocation import LENS_FIELDS
from services.ledger.enums import BOUNDARY_ROLE, Identity, Lens, Population
from services.ledger.half_life import find_end
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.periods import Period
from services.ledger.question import Coverage, Question, find_warnings
from services.ledger.straddling import StraddlingCounts
from services.ledger.times import DAY, Day
from services.network import doubles, organization_index, reporters, ties
from services.network.column_table import Flags, Ints
from services.network.columns import BLOCK_ROWS, Columns, Legs
from services.network.doubles import PossibleDoubles
from services.network.organization_index import OrganizationIndex
from services.network.reporters import Reporters
from services.network.ties import Ties

MAX_MONTH_DAYS: Final = 31
LegRows = slice | Ints
Floats = NDArray[np.float64]
_NO_ALIASES: Final[Mapping[str, str]] = {}


class IdentityView:
    """The columns of a programme and their organizations under an identity; immutable.

    A mask has a flag for each row of `columns.exchanges`. Flags "by number" have one for each
    organization of `index`, where number 0 is nobody.
    """

    index: OrganizationIndex
    ties: Ties
    reporters: Reporters
    doubles: PossibleDoubles

    def __init__(
        self, columns: Columns, identity: Identity, previous: "IdentityView | None" = None
    ) -> None:
        """Extends `previous`, a view of columns that these were advanced from, if there is one."""
        self.columns = columns
        self.identity = identity
        self.aliases = _NO_ALIASES if identity is Identity.RECORDED else columns.aliases
        if previous is None or previous.aliases is not self.aliases:
            previous = None
        self.index = (previous.index if previous else organization_index.EMPTY_INDEX).extend(
            columns, self.aliases
        )
        organization = self.index.organization
        self.ties = (previous.ties if previous else ties.NO_TIES).extend(columns, self.index)
        self.reporters = (previous.reporters if previous else reporters.NO_REPORTERS).extend(
            columns, organization
        )
        self.doubles = (previous.doubles if previous else doubles.NO_DOUBLES).extend(
            columns, organization
        )

    def move_to(self, next_offset: int) -> "IdentityView":
        """Returns the same view at a position with no record of the programme in between."""
        moved = copy(self)
        moved.columns = replace(self.columns, next_offset=next_offset)
        return moved

    @property
    def nbytes(self) -> int:
        """Bytes in memory in addition to the columns."""
        return self.ties.nbytes + self.reporters.nbytes + self.doubles.nbytes

    @property
    def roster(self) -> Mapping[str, list[Organization]]:
        return self.index.roster

    @property
    def size(self) -> int:
        """Number of organization numbers, 0 included."""
        return len(self.index.numbers)

    @cached_property
    def direction_ends(self) -> tuple[Ints, Ints]:
        """The giver and the receiver of each direction; see `ties`."""
        pairs = self.ties.pairs
        there = np.stack([pairs.low, pairs.high], axis=1).ravel()
        back = np.stack([pairs.high, pairs.low], axis=1).ravel()
        return there, back

    def select_exchanges(self, question: Question) -> Flags:
        """Returns the mask of the exchanges that a question counts."""
        mask = self._match_filters(question)
        first = self.columns.exchanges.first_day
        if question.from_day is not None:
            mask &= first >= question.from_day
        if question.to_day is not None:
            mask &= first < question.to_day
        return mask

    def iterate_leg_rows(self, mask: Flags) -> Iterator[LegRows]:
        """Yields, block by block, the rows of the legs of the exchanges in a mask."""
        return _iterate_blocks(self.columns.legs, mask)

    def iterate_placed_legs(self, mask: Flags) -> Iterator[tuple[Legs, Ints, LegRows]]:
        """Yields legs between organizations, their places and their rows in a mask, in blocks."""
        for legs, places in (
            (self.columns.legs, self.ties.places),
            (self.ties.resolved_legs, self.ties.resolved_places),
        ):
            for rows in _iterate_blocks(legs, mask):
                yield legs, places.place, rows

    @cached_property
    def is_internal(self) -> Flags:
        """The mask of internal exchanges; see `ledger.identity.is_internal`."""
        internal = np.zeros(len(self.columns.is_standing), dtype=np.bool_)
        internal[self.ties.internal.exchange] = True
        return internal

    def compute_weights(self, question: Question) -> Floats:
        """Returns by exchange the part of its amounts that counts under a half-life."""
        assert question.half_life_days is not None, "a question without a half-life"
        age = np.maximum(0, find_end(question) - self.columns.exchanges.occur_time)
        weights: Floats = np.exp2(-age / (question.half_life_days * DAY))
        return weights

    def get_minutes(self, lens: Lens) -> Ints:
        """Returns whole minutes by exchange, negative where unknown; giver minutes under count."""
        minutes: Ints = getattr(
            self.columns.exchanges, LENS_FIELDS[Lens.BURDEN if lens is Lens.COUNT else lens].minutes
        )
        return minutes

    def find_population(self, question: Question, party: Flags) -> Flags:
        """Returns by number the population; `party` flags parties to counted exchanges."""
        match question.population:
            case Population.SEEN:
                return self._ever_parties & ~self._boundary_organizations
            case Population.UNSPECIFIED if not self.roster:
                return party
            case Population.ACTIVE:
                return party & ~self._boundary_organizations
            case _:
                return self.index.find_in_force(question)

    def find_subset(self, question: Question) -> Flags:
        """Returns by number the organizations that have the attributes of a question."""
        if not question.where:
            return np.ones(self.size, dtype=np.bool_)
        return self.index.make_flags(
            [
                self.index.numbers[name]
                for name, registered in self.roster.items()
                if any(question.has_attributes(each) for each in registered)
            ]
        )

    def find_subset_pairs(self, question: Question) -> Flags:
        """Flags the pairs of which both organizations have the attributes of a question."""
        pairs = self.ties.pairs
        subset = self.find_subset(question)
        is_inside: Flags = subset[pairs.low] & subset[pairs.high]
        is_inside[0] = False  # legs of internal exchanges
        return is_inside

    def fits_into(self, period: Period) -> Flags:
        """The mask of exchanges whose time is known at least as exactly as this period."""
        exchanges = self.columns.exchanges
        if period is Period.MONTH:
            return exchanges.end_day - exchanges.first_day <= MAX_MONTH_DAYS
        return np.ones(len(exchanges.first_day), dtype=np.bool_)

    def find_internal_numbers(self, name: str) -> list[int]:
        """Returns the numbers of an organization's standing internal exchanges."""
        internal, columns = self.ties.internal, self.columns
        rows = internal.exchange[internal.member == self.index.numbers.get(name, 0)]
        numbers: list[int] = columns.list_numbers()[rows[columns.is_standing[rows]]].tolist()
        return numbers

    def find_isolates(self, question: Question, party: Flags) -> Flags:
        """Returns by number the population without any exchange in the window, filters aside."""
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
        """Returns by number the organizations with a row: the population and every other party."""
        has_row = self.find_population(question, party) | party
        has_row[0] = False
        return has_row

    def find_parties(self, mask: Flags) -> Flags:
        """Returns by number the parties to the exchanges in a mask."""
        parties = np.zeros(len(self.columns.ids), dtype=np.bool_)
        legs, joint = self.columns.legs, self.columns.joint
        parties[joint.party[mask[joint.exchange]]] = True
        for rows in self.iterate_leg_rows(mask):
            parties[legs.giver[rows]] = True
            parties[legs.receiver[rows]] = True
        return self.index.make_flags(self.index.organization[parties])

    def is_ever_party(self, name: str) -> bool:
        """Whether an organization is party to a standing exchange at any time."""
        number = self.index.numbers.get(name, 0)
        return bool(self._ever_parties[number]) if number else False

    @cached_property
    def _ever_parties(self) -> Flags:
        """By number, the parties to standing exchanges at any time."""
        return self.find_parties(self.columns.is_standing)

    @cached_property
    def _boundary_organizations(self) -> Flags:
        """By number, the organizations registered as outside the programme."""
        outside = [
            self.index.numbers[name]
            for name, registered in self.roster.items()
            if all(each.role == BOUNDARY_ROLE for each in registered)
        ]
        return self.index.make_flags(outside)

    def find_day_ranges(self, mask: Flags) -> dict[str, tuple[Day, Day]]:
        """Returns first and last day of each party to the exchanges in a mask."""
        legs, joint = self.columns.legs, self.columns.joint
        day = self.columns.exchanges.first_day
        first = np.full(len(self.columns.ids), np.iinfo(np.int32).max, dtype=np.int32)
        last = np.full(len(first), np.iinfo(np.int32).min, dtype=np.int32)
        in_mask = mask[joint.exchange]
        party_days = [(joint.party[in_mask], day[joint.exchange[in_mask]])]
        for rows in self.iterate_leg_rows(mask):
            of_legs = day[legs.exchange[rows]]
            party_days += [(side[rows], of_legs) for side in (legs.giver, legs.receiver)]
        for parties, days in party_days:
            np.minimum.at(first, parties, days)
            np.maximum.at(last, parties, days)
        day_ranges: dict[str, tuple[Day, Day]] = {}
        for party in np.flatnonzero(first <= last).tolist():
            name = str(self.index.ids[self.index.organization[party]])
            one, other = int(first[party]), int(last[party])
            previous = day_ranges.get(name, (one, other))
            day_ranges[name] = min(previous[0], one), max(previous[1], other)
        return day_ranges

    def resolve_requested_ids(self, question: Question) -> set[str]:
        """Returns the organizations whose rows are requested; empty means all."""
        return {resolve(self.aliases, each) for each in question.organization_ids}

    def resolve_question(self, question: Question) -> Question:
        """Returns the question with ids resolved and the population decided."""
        population = question.population
        if population is Population.UNSPECIFIED:
            population = Population.ROSTER if self.roster else Population.ACTIVE
        return replace(
            question,
            organization_ids=tuple(sorted(self.resolve_requested_ids(question))),
            population=population,
        )

    def find_requested_organizations(self, question: Question) -> Flags | None:
        """Returns by number the organizations whose rows are requested; None means all."""
        if not question.organization_ids:
            return None
        numbers = self.index.numbers
        requested = [
            numbers[each] for each in self.resolve_requested_ids(question) if each in numbers
        ]
        return self.index.make_flags(requested)

    def compute_coverage(self, question: Question, mask: Flags) -> Coverage:
        symmetric = self.columns.exchanges.symmetric
        measured = mask & ~self.is_internal
        unknown = measured & ~symmetric & (self.get_minutes(question.lens) < 0)
        roster = self.index.find_in_force(question)
        return Coverage(
            roster_count=int(np.count_nonzero(roster)),
            recorded_count=self.reporters.count_reporters(mask, roster),
            exchange_count=int(np.count_nonzero(mask)),
            unknown_minutes_count=int(np.count_nonzero(unknown)),
            joint_count=int(np.count_nonzero(measured & symmetric)),
            internal_count=int(np.count_nonzero(mask & self.is_internal)),
            possible_double_count=self.doubles.count_doubles(mask),
            **self._count_straddling(question)._asdict(),
        )

    def find_possible_doubles(self, mask: Flags) -> tuple[Ints, Ints]:
        """Returns the possible doubles in a mask; see `PossibleDoubles.group_by_act`."""
        return self.doubles.group_by_act(mask, self.columns.list_numbers())

    def find_warnings(self, question: Question, coverage: Coverage, mask: Flags) -> tuple[str, ...]:
        overlap = bool(question.topics) and self.have_several_topics(mask)
        return find_warnings(
            question, coverage, topics_overlap=overlap, has_unbound=self.has_unbound_names(mask)
        )

    def have_several_topics(self, mask: Flags) -> bool:
        """Whether an exchange in a mask has several topics, so that topics do not add up."""
        sets = self.columns.topic_sets
        several = [number for number, topics in sets.items() if len(topics) > 1]
        return bool(self._have_topic_sets(several)[mask].any())

    def list_topics(self, mask: Flags) -> list[str]:
        """Returns the topics of the exchanges in a mask, ascending."""
        sets = self.columns.topic_sets
        numbers = np.unique(self.columns.exchanges.topic_set[mask]).tolist()
        return sorted({topic for number in numbers for topic in sets.get(number, ())})

    def has_unbound_names(self, mask: Flags) -> bool:
        """Whether a party to an exchange in a mask is one of `spelling.find_unbound_names`."""
        unbound = self.index.is_unbound
        return bool(unbound.any()) and bool((unbound & self.find_parties(mask)).any())

    def _match_filters(self, question: Question) -> Flags:
        """Returns the mask of the exchanges that every filter but the window matches."""
        exchanges = self.columns.exchanges
        matching = self.columns.is_standing.copy()
        if question.kinds:
            matching &= _is_one_of(exchanges.kind, question.kinds)
        if question.formalities:
            matching &= _is_one_of(exchanges.formality, question.formalities)
        if question.topics:
            requested_topics = set(question.topics)
            sets = self.columns.topic_sets
            matching &= self._have_topic_sets(
                [each for each in sets if not requested_topics.isdisjoint(sets[each])]
            )
        return matching

    def _have_topic_sets(self, numbers: Collection[int]) -> Flags:
        """Returns the mask of the exchanges with one of these topic sets."""
        is_one = np.zeros(max(self.columns.topic_sets, default=0) + 1, dtype=np.bool_)
        is_one[list(numbers)] = True
        return is_one[self.columns.exchanges.topic_set]

    def _count_straddling(self, question: Question) -> StraddlingCounts:
        """Counts exchanges whose period crosses an end of the window; see `ledger.straddling`."""
        ends = [day for day in (question.from_day, question.to_day) if day is not None]
        if not ends:
            return StraddlingCounts()
        first, end = self.columns.exchanges.first_day, self.columns.exchanges.end_day
        cut = reduce(np.logical_or, ((first < day) & (end > day) for day in ends))
        rows = np.flatnonzero(cut & self._match_filters(question))
        early = rows[first[rows] < question.from_day] if question.from_day is not None else rows[:0]
        is_quarter = end[early] - first[early] > MAX_MONTH_DAYS
        quarter_count = int(np.count_nonzero(is_quarter))
        return StraddlingCounts(
            straddling_count=len(rows),
            straddling_counted_count=len(rows) - len(early),
            straddling_month_count=len(early) - quarter_count,
            straddling_quarter_count=quarter_count,
        )


def _iterate_blocks(legs: Legs, mask: Flags) -> Iterator[LegRows]:
    for start in range(0, legs.length, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        exchange = legs.exchange[block]
        matches = mask[exchange[0] : exchange[-1] + 1]
        if matches.all():
            yield block
        elif matches.any():
            yield np.flatnonzero(mask[exchange]) + start


def _is_one_of(values: Ints, members: Collection[int]) -> Flags:
    return reduce(np.logical_or, (values == member for member in members))
