"""Who is tied to whom through which leg, seen through an identity; grown as columns grow.

Organizations and pairs of them are numbered in order of appearance, from 1; 0 is nobody and what
became internal to one organization. Of pair p the direction 2p leads from its lower number to its
higher one, 2p + 1 back. Where several ids of one exchange mean one organization, what a simple sum
counts too often stands in `Again`, to be taken away.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

import numpy as np

from services.network.columns import Columns
from services.network.table import Flags, Ints, Table

LEADS_BITS: Final = 2
LEADS: Final = 1 << LEADS_BITS
"""Combinations of `Legs.leads`: a leg counts in place LEADS * direction + leads."""
GIVER_LEADS: Final = (1, 3)
"""With these it leads its giver: it is the one by which an exchange counts for the giver."""
RECEIVER_LEADS: Final = (2, 3)


class Places(Table):
    """One row a leg: where it counts."""

    TYPES: ClassVar = {"place": np.intp}
    place: Ints


class JointParties(Table):
    """One row a joint party: its organization, 0 where it is there a second time or alone."""

    TYPES: ClassVar = {"organization": np.intp}
    organization: Ints


class Members(Table):
    """Rows of exchanges, each with what it has: an organization, a direction, a pair."""

    TYPES: ClassVar = {"exchange": np.intp, "member": np.intp}
    exchange: Ints
    member: Ints

    def count(self, inside: Flags, size: int) -> Ints:
        """How often each member stands in an exchange of the mask."""
        return np.bincount(self.member[inside[self.exchange]], minlength=size)


class Again(NamedTuple):
    """What a sum over legs counts too often, or not at all."""

    giving: Members
    """Organizations, once for each further id under which they give."""
    taking: Members
    both: Members
    """Organizations that both give and take."""
    edges: Members
    """Directions, once for each further leg."""
    pairs: Members
    internal: Members
    """Organizations with an exchange with themselves."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs by number: of pair p the lower and the higher organization."""

    low: Ints
    high: Ints
    keys: Ints
    """Ascending; `numbers` has the pair of each."""
    numbers: Ints

    def grown(self, low: Ints, high: Ints) -> tuple["Pairs", Ints]:
        """With these pairs, and the number of each."""
        keys, inverse = np.unique(low << 32 | high, return_inverse=True)
        at: Ints = np.asarray(np.searchsorted(self.keys, keys))
        known: Flags = np.asarray(at < len(self.keys))
        known[known] = self.keys[at[known]] == keys[known]
        numbers = np.empty(len(keys), dtype=np.intp)
        numbers[known] = self.numbers[at[known]]
        new = ~known
        numbers[new] = len(self.low) + np.arange(np.count_nonzero(new))
        if not new.any():
            return self, numbers[inverse]
        grown = Pairs(
            np.append(self.low, keys[new] >> 32),
            np.append(self.high, keys[new] & 0xFFFF_FFFF),
            np.insert(self.keys, at[new], keys[new]),
            np.insert(self.numbers, at[new], numbers[new]),
        )
        return grown, numbers[inverse]


_NOBODY: Final = np.zeros(1, dtype=np.int64)
_NO_PAIRS: Final = Pairs(_NOBODY, _NOBODY, _NOBODY[:0], _NOBODY[:0].astype(np.intp))


@dataclass(frozen=True, slots=True)
class Ties:
    """The ties of the first legs and joint parties of some columns."""

    pairs: Pairs
    legs: Places
    joint: JointParties
    again: Again

    @property
    def direction_count(self) -> int:
        return 2 * len(self.pairs.low)

    @property
    def nbytes(self) -> int:
        tables = (self.legs, self.joint, *self.again)
        return sum(table.nbytes for table in tables)

    def grown(self, columns: Columns, organization: Ints) -> "Ties":
        """Those of all legs and joint parties; `organization` is that of each party."""
        shared = np.bincount(organization)[organization] > 1
        legs, begin = columns.legs, self.legs.length
        exchange, leads = legs.exchange[begin:], legs.leads[begin:]
        party = legs.giver[begin:], legs.receiver[begin:]
        giver, receiver = organization[party[0]], organization[party[1]]
        outside = giver != receiver
        pairs, numbers = self.pairs.grown(
            np.minimum(giver, receiver)[outside], np.maximum(giver, receiver)[outside]
        )
        direction = np.zeros(len(exchange), dtype=np.intp)
        direction[outside] = 2 * numbers + (giver > receiver)[outside]
        again = self.again
        mixed = _mixed(exchange, shared[party[0]] | shared[party[1]], ~outside)
        if len(mixed):
            found = _Mixed(*(each[mixed] for each in (exchange, *party, giver, receiver)))
            leads = leads.copy()
            leads[mixed] = found.leads()
            again = found.added_to(again, direction[mixed])
        joint, alone = _joint(columns, self.joint.length, organization)
        return Ties(
            pairs,
            self.legs.grown(LEADS * direction + leads),
            self.joint.grown(joint),
            again._replace(internal=again.internal.grown(*alone)),
        )


NONE: Final = Ties(
    _NO_PAIRS,
    Places.empty(),
    JointParties.empty(),
    Again(*(Members.empty() for _ in Again._fields)),
)


class _Mixed(NamedTuple):
    """Legs of exchanges in which an organization may stand under several ids."""

    exchange: Ints
    giver_party: Ints
    receiver_party: Ints
    giver: Ints
    receiver: Ints

    @property
    def outside(self) -> Flags:
        outside: Flags = self.giver != self.receiver
        return outside

    def leads(self) -> Ints:
        """As `Legs.leads`, among the legs that are not internal."""
        leads_giver = firsts(self.outside, self.exchange, self.giver_party)
        leads_receiver = firsts(self.outside, self.exchange, self.receiver_party)
        return leads_giver + 2 * leads_receiver.astype(np.uint8)

    def added_to(self, again: Again, direction: Ints) -> Again:
        outside, exchange = self.outside, self.exchange
        gives = firsts(outside, exchange, self.giver)
        takes = firsts(outside, exchange, self.receiver)
        leads = self.leads()
        giving, taking = (leads & 1 > 0) & ~gives, (leads & 2 > 0) & ~takes
        edges = outside & ~firsts(outside, exchange, direction)
        pairs = outside & ~firsts(outside, exchange, direction >> 1)
        # Whoever takes and also gives is there twice among the givers and takers of an exchange.
        sides = np.concatenate([np.flatnonzero(gives), np.flatnonzero(takes)])
        who = np.where(np.arange(len(sides)) < gives.sum(), self.giver[sides], self.receiver[sides])
        both = ~firsts(np.ones(len(sides), dtype=np.bool_), exchange[sides], who)
        internal = ~outside
        return Again(
            again.giving.grown(exchange[giving], self.giver[giving]),
            again.taking.grown(exchange[taking], self.receiver[taking]),
            again.both.grown(exchange[sides[both]], who[both]),
            again.edges.grown(exchange[edges], direction[edges]),
            again.pairs.grown(exchange[pairs], direction[pairs] >> 1),
            again.internal.grown(exchange[internal], self.giver[internal]),
        )


def firsts(among: Flags, exchange: Ints, member: Ints) -> Flags:
    """Of the rows chosen, the first of each exchange and member."""
    rows = np.flatnonzero(among)
    keys = exchange[rows] * (int(member.max(initial=0)) + 1) + member[rows]
    first = np.zeros(len(among), dtype=np.bool_)
    first[rows[np.unique(keys, return_index=True)[1]]] = True
    return first


def _mixed(exchange: Ints, shared: Flags, internal: Flags) -> Ints:
    """The legs of exchanges in which two ids may mean one organization.

    With one leg it is internal, or they do not.
    """
    alone = _differs(exchange, 1) & _differs(exchange, -1)
    suspected = shared & (internal | ~alone)
    if not suspected.any():
        return np.empty(0, dtype=np.intp)
    row = exchange - exchange[0]
    touched = np.zeros(row[-1] + 1, dtype=np.bool_)
    touched[row[suspected]] = True
    return np.flatnonzero(touched[row])


def _differs(values: Ints, step: int) -> Flags:
    """Which values are not the one `step`, 1 or -1, before; that at the end has none and is."""
    differs = np.ones(len(values), dtype=np.bool_)
    rows = slice(1, None) if step > 0 else slice(None, -1)
    np.not_equal(values[1:], values[:-1], out=differs[rows])
    return differs


def _joint(columns: Columns, begin: int, organization: Ints) -> tuple[Ints, tuple[Ints, Ints]]:
    """The joint parties from a row on, and those that are an exchange with themselves."""
    exchange, who = columns.joint.exchange[begin:], organization[columns.joint.party[begin:]]
    first = firsts(np.ones(len(exchange), dtype=np.bool_), exchange, who)
    row = exchange - exchange.min(initial=len(columns.alive))
    alone = first & (np.bincount(row[first])[row] == 1) if len(row) else first
    return np.where(first & ~alone, who, 0), (exchange[alone], who[alone])
