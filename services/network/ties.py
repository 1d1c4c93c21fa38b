"""Ties under an identity: which leg ties which organizations. They are extended with the columns.

Organizations and pairs of them are numbered in order of appearance, from 1; 0 is nobody. Of pair p
the direction 2p leads from its lower number to its higher one, 2p + 1 back.

A leg of the columns counts in the direction of its organizations, with two exceptions. The legs of
an internal exchange count nowhere. An exchange that has several legs and names an organization by
an alias is laid out again, between organizations, because what is divided and where a remainder
goes depend on who the parties are; its legs in the columns count nowhere.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from services.network.column_table import ColumnTable, Flags, Ints, find_changes
from services.network.columns import Columns, Legs, make_leg_columns
from services.network.organization_index import OrganizationIndex

LEADS_BITS: Final = 2
LEADS: Final = 1 << LEADS_BITS
"""Combinations of `Legs.leads`: a leg counts in place LEADS * direction + leads."""
GIVER_LEADS: Final = (1, 3)
"""Leads of the leg by which an exchange counts for its giver."""
RECEIVER_LEADS: Final = (2, 3)


class LegPlaces(ColumnTable):
    """One row per leg: the place in which it counts."""

    TYPES: ClassVar = {"place": np.intp}
    place: Ints


class JointOrganizations(ColumnTable):
    """One row per joint party: its organization, 0 for a repetition or a single party."""

    TYPES: ClassVar = {"organization": np.intp}
    organization: Ints


class ExchangeMembers(ColumnTable):
    """Rows of exchanges, each with one of its organizations."""

    TYPES: ClassVar = {"exchange": np.intp, "member": np.intp}
    exchange: Ints
    member: Ints


@dataclass(frozen=True, slots=True)
class PairIndex:
    """Numbers of pairs: pair p is of the organizations `low[p]` and `high[p]`."""

    low: Ints
    high: Ints
    keys: Ints
    """Ascending; `numbers` has the pair of each."""
    numbers: Ints

    def extend(self, low: Ints, high: Ints) -> tuple["PairIndex", Ints]:
        """Returns an index that has these pairs too, and the number of each of them."""
        keys, inverse = np.unique(low << 32 | high, return_inverse=True)
        at: Ints = np.asarray(np.searchsorted(self.keys, keys))
        is_present: Flags = np.asarray(at < len(self.keys))
        is_present[is_present] = self.keys[at[is_present]] == keys[is_present]
        numbers = np.empty(len(keys), dtype=np.intp)
        numbers[is_present] = self.numbers[at[is_present]]
        new = ~is_present
        numbers[new] = len(self.low) + np.arange(np.count_nonzero(new))
        if not new.any():
            return self, numbers[inverse]
        extended = PairIndex(
            np.append(self.low, keys[new] >> 32),
            np.append(self.high, keys[new] & 0xFFFF_FFFF),
            np.insert(self.keys, at[new], keys[new]),
            np.insert(self.numbers, at[new], numbers[new]),
        )
        return extended, numbers[inverse]


_NOBODY: Final = np.zeros(1, dtype=np.int64)
_NO_PAIRS: Final = PairIndex(_NOBODY, _NOBODY, _NOBODY[:0], _NOBODY[:0].astype(np.intp))


# decision 0111: aliases are resolved before allocation
@dataclass(frozen=True, slots=True)
class Ties:
    """The ties of the first legs and joint parties of some columns."""

    pairs: PairIndex
    places: LegPlaces
    """The places of the legs in the columns."""
    resolved_legs: Legs
    """Legs laid out again, between organizations."""
    resolved_places: LegPlaces
    joint: JointOrganizations
    internal: ExchangeMembers
    """Internal exchanges with their parties, each at least once."""

    @property
    def direction_count(self) -> int:
        return 2 * len(self.pairs.low)

    @property
    def nbytes(self) -> int:
        tables = (
            self.places,
            self.resolved_legs,
            self.resolved_places,
            self.joint,
            self.internal,
        )
        return sum(table.nbytes for table in tables)

    def extend(self, columns: Columns, index: OrganizationIndex) -> "Ties":
        """Returns the ties of all legs and joint parties; `index` has every party."""
        legs, begin = columns.legs, self.places.length
        exchange, leads = legs.exchange[begin:], legs.leads[begin:]
        parties = legs.giver[begin:], legs.receiver[begin:]
        giver, receiver = (index.organization[each] for each in parties)
        is_internal, is_resolved = _exceptions(
            exchange, index.is_alias[parties[0]] | index.is_alias[parties[1]], giver == receiver
        )
        is_counted = ~(is_internal | is_resolved)
        direction = np.zeros(len(exchange), dtype=np.intp)
        pairs, direction[is_counted] = _directed(
            self.pairs, giver[is_counted], receiver[is_counted]
        )
        between = _between(*(each[is_resolved] for each in (exchange, giver, receiver)))
        laid_out = make_leg_columns(columns.exchanges, *between, index.rank)
        resolved_legs = self.resolved_legs.extend(*laid_out)
        new = slice(self.resolved_legs.length, None)
        pairs, resolved_direction = _directed(pairs, *between[1:])
        joint, alone = _joint(columns, self.joint.length, index.organization)
        return Ties(
            pairs,
            self.places.extend(LEADS * direction + leads),
            resolved_legs,
            self.resolved_places.extend(LEADS * resolved_direction + resolved_legs.leads[new]),
            self.joint.extend(joint),
            self.internal.extend(exchange[is_internal], giver[is_internal])
            .extend(exchange[is_internal], receiver[is_internal])
            .extend(*alone),
        )


NO_TIES: Final = Ties(
    _NO_PAIRS,
    LegPlaces.empty(),
    Legs.empty(),
    LegPlaces.empty(),
    JointOrganizations.empty(),
    ExchangeMembers.empty(),
)


def _directed(pairs: PairIndex, giver: Ints, receiver: Ints) -> tuple[PairIndex, Ints]:
    """Returns pairs that include these, and the direction of each of these."""
    pairs, numbers = pairs.extend(np.minimum(giver, receiver), np.maximum(giver, receiver))
    return pairs, 2 * numbers + (giver > receiver)


def _exceptions(exchange: Ints, aliased: Flags, same: Flags) -> tuple[Flags, Flags]:
    """Flags legs of internal exchanges, and legs of exchanges that are laid out again.

    `aliased` flags legs that name an organization by an alias, `same` legs from one to itself.
    """
    if not aliased.any():
        return same, same  # no leg is, because ids of an exchange are distinct
    internal = _spread(exchange, same)
    has_one_leg = find_changes(exchange) & find_changes(exchange, -1)
    return internal, _spread(exchange, aliased & ~has_one_leg) & ~internal


def _spread(exchange: Ints, flags: Flags) -> Flags:
    """Flags all legs of an exchange with a flagged leg."""
    row = exchange - exchange[0]
    touched = np.zeros(row[-1] + 1, dtype=np.bool_)
    touched[row[flags]] = True
    spread: Flags = touched[row]
    return spread


def _between(exchange: Ints, giver: Ints, receiver: Ints) -> tuple[Ints, Ints, Ints]:
    """Returns each giver and receiver of an exchange once, ascending."""
    order = np.lexsort((receiver, giver, exchange))
    exchange, giver, receiver = exchange[order], giver[order], receiver[order]
    first = find_changes(exchange) | find_changes(giver) | find_changes(receiver)
    return exchange[first], giver[first], receiver[first]


def find_first_rows(among: Flags, exchange: Ints, member: Ints) -> Flags:
    """Flags the first row of each exchange and member among the rows in `among`."""
    rows = np.flatnonzero(among)
    keys = exchange[rows] * (int(member.max(initial=0)) + 1) + member[rows]
    first = np.zeros(len(among), dtype=np.bool_)
    first[rows[np.unique(keys, return_index=True)[1]]] = True
    return first


def _joint(columns: Columns, begin: int, organization: Ints) -> tuple[Ints, tuple[Ints, Ints]]:
    """Returns the joint parties from row `begin` on, and parties alone in their exchange."""
    exchange, organizations = (
        columns.joint.exchange[begin:],
        organization[columns.joint.party[begin:]],
    )
    first = find_first_rows(np.ones(len(exchange), dtype=np.bool_), exchange, organizations)
    row = exchange - exchange.min(initial=len(columns.is_standing))
    alone = first & (np.bincount(row[first])[row] == 1) if len(row) else first
    return np.where(first & ~alone, organizations, 0), (exchange[alone], organizations[alone])
