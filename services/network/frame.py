"""Columns seen through an identity: recorded ids become organizations, once for many questions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from services.ledger.answers import in_force
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.question import Coverage, Question
from services.ledger.words import Identity, Lens, Side
from services.network.columns import UNKNOWN, Columns, Flags, Ints

_MINUTES: Final = {
    Lens.COUNT: "giver_minutes",
    Lens.BURDEN: "giver_minutes",
    Lens.ATTENTION: "receiver_minutes",
    Lens.BENEFIT: "benefit_minutes",
}


@dataclass(frozen=True, slots=True)
class Involved:
    """Distinct (exchange, organization): indices into the exchanges and the names of a frame."""

    exchange: Ints
    organization: Ints

    def count(self, inside: Flags, size: int) -> Ints:
        """For each organization, in how many exchanges of the mask it is."""
        return np.bincount(self.organization[inside[self.exchange]], minlength=size)


class Frame:
    """What a question is asked of. `names` ascend by code point; organizations are their indices.

    Legs and rows that became internal to one organization are left out of `legs`, `giving`,
    `taking`, `directed` and `joint`; `parties` and `reporting` keep them.
    """

    def __init__(self, columns: Columns, identity: Identity) -> None:
        aliases = {} if identity is Identity.RECORDED else columns.aliases
        self.columns = columns
        self.aliases = aliases
        mapped = [resolve(aliases, recorded) for recorded in columns.ids]
        self.roster: dict[str, list[Organization]] = {}
        for organization in columns.organizations:
            name = resolve(aliases, organization.organization_id)
            self.roster.setdefault(name, []).append(organization)
        self.names = sorted({*mapped, *self.roster})
        self.index = {name: index for index, name in enumerate(self.names)}
        self._target = np.array([self.index[name] for name in mapped] or [0], dtype=np.int64)
        numbers, legs = columns.exchanges.number, columns.legs
        self._of_leg = np.searchsorted(numbers, legs.exchange)
        self._giver, self._receiver = self._target[legs.giver], self._target[legs.receiver]
        outside = self._giver != self._receiver
        self.exchange = self._of_leg[outside]
        self.giver, self.receiver = self._giver[outside], self._receiver[outside]
        self.recorded_giver = legs.giver[outside]
        self.recorded_receiver = legs.receiver[outside]
        self.shares = {
            Lens.BURDEN: legs.burden[outside],
            Lens.ATTENTION: legs.attention[outside],
            Lens.BENEFIT: legs.benefit[outside],
        }
        self._of_joint = np.searchsorted(numbers, columns.joint.exchange)
        self._all_joint = self._distinct(self._of_joint, self._target[columns.joint.party])

    @property
    def size(self) -> int:
        return len(self.names)

    @cached_property
    def giving(self) -> Involved:
        return self._distinct(self.exchange, self.giver)

    @cached_property
    def taking(self) -> Involved:
        return self._distinct(self.exchange, self.receiver)

    @cached_property
    def directed(self) -> Involved:
        return self._union(self.giving, self.taking)

    @cached_property
    def joint(self) -> Involved:
        several = np.bincount(self._all_joint.exchange, minlength=self.exchange_count) > 1
        kept = several[self._all_joint.exchange]
        return Involved(self._all_joint.exchange[kept], self._all_joint.organization[kept])

    @cached_property
    def parties(self) -> Involved:
        return self._union(self._givers, self._receivers, self._all_joint)

    @cached_property
    def reporting(self) -> Involved:
        """Who reported: who recorded it, and a side that was named without them."""
        exchanges = self.columns.exchanges
        known = np.flatnonzero(exchanges.recorder != UNKNOWN)
        recorders = self._key(known, self._target[exchanges.recorder[known]])
        everybody = self._key(self.parties.exchange, self.parties.organization)
        found = [recorders[np.isin(recorders, everybody)]]
        for side, members in ((Side.GIVER, self._givers), (Side.RECEIVER, self._receivers)):
            keys = self._key(members.exchange, members.organization)
            named = exchanges.reported_by == side
            named[known[np.isin(recorders, keys)]] = False
            found.append(keys[named[members.exchange]])
        return self._unpack(np.unique(np.concatenate(found)))

    @cached_property
    def first_of_edge(self) -> Flags:
        """Of the legs of one exchange on one edge, the first."""
        return firsts(self._key(self._key(self.exchange, self.giver), self.receiver))

    @property
    def exchange_count(self) -> int:
        return len(self.columns.exchanges.number)

    def inside(self, question: Question) -> Flags:
        """Which exchanges the question is about."""
        day = self.columns.exchanges.first_day
        inside = np.ones(len(day), dtype=np.bool_)
        if question.from_day is not None:
            inside &= day >= question.from_day
        if question.to_day is not None:
            inside &= day < question.to_day
        return inside

    def unknown(self, lens: Lens) -> Flags:
        """Which directed exchanges have no known minutes under a lens of minutes."""
        minutes: Ints = getattr(self.columns.exchanges, _MINUTES[lens])
        unknown: Flags = (minutes == UNKNOWN) & (self.columns.exchanges.symmetric == 0)
        return unknown

    def quantities(self, lens: Lens) -> Ints:
        """Known minutes of each exchange, whole; 0 where they are unknown."""
        minutes: Ints = getattr(self.columns.exchanges, _MINUTES[lens])
        return np.maximum(minutes, 0)

    def population(self, question: Question) -> set[str]:
        """Names of the roster in force on a day of the window."""
        return {
            name
            for name, organizations in self.roster.items()
            if any(in_force(organization, question) for organization in organizations)
        }

    def has_seen(self, name: str) -> bool:
        """Whether an organization is party to a standing exchange at any time."""
        index = self.index.get(name)
        return index is not None and bool(np.any(self.parties.organization == index))

    def chosen(self, question: Question) -> set[str]:
        """The organizations whose rows are asked for; empty means all."""
        return {resolve(self.aliases, each) for each in question.organization_ids}

    def coverage(self, question: Question, inside: Flags) -> Coverage:
        exchanges = self.columns.exchanges
        roster = self.population(question)
        reporting = np.flatnonzero(self.reporting.count(inside, self.size))
        symmetric = exchanges.symmetric == 1
        return Coverage(
            roster_count=len(roster),
            recorded_count=sum(self.names[each] in roster for each in reporting),
            exchange_count=int(inside.sum()),
            unknown_minutes_count=int((inside & self.unknown(question.lens)).sum()),
            joint_count=int((inside & symmetric).sum()),
            straddling_count=int(_cut(exchanges.first_day, exchanges.end_day, question).sum()),
        )

    @cached_property
    def _givers(self) -> Involved:
        return self._distinct(self._of_leg, self._giver)

    @cached_property
    def _receivers(self) -> Involved:
        return self._distinct(self._of_leg, self._receiver)

    def _distinct(self, exchange: Ints, organization: Ints) -> Involved:
        return self._unpack(np.unique(self._key(exchange, organization)))

    def _union(self, *rows: Involved) -> Involved:
        keys = [self._key(each.exchange, each.organization) for each in rows]
        return self._unpack(np.unique(np.concatenate(keys)))

    def _key(self, major: Ints, organization: Ints) -> Ints:
        return major * max(self.size, 1) + organization

    def _unpack(self, keys: Ints) -> Involved:
        exchange, organization = np.divmod(keys, max(self.size, 1))
        return Involved(exchange, organization)


def exact_sums(index: Ints, amounts: Ints, size: int) -> Ints:
    """Sums of integer amounts by index, exact whatever their size."""
    if float(np.sum(amounts, dtype=np.float64)) < 2**53:
        return np.bincount(index, weights=amounts, minlength=size).astype(np.int64)
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, index, amounts)
    return sums


def firsts(keys: Ints) -> Flags:
    """Of equal keys, the first."""
    first = np.zeros(len(keys), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return first


def _cut(first: Ints, end: Ints, question: Question) -> Flags:
    """Which periods lie partly in the window and partly outside; see `Question.cuts`."""
    from_day = first if question.from_day is None else np.full_like(first, question.from_day)
    to_day = end if question.to_day is None else np.full_like(end, question.to_day)
    meets = np.maximum(first, from_day) < np.minimum(end, to_day)
    return meets & ((first < from_day) | (end > to_day))
