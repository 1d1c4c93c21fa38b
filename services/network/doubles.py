"""Possible double reports under an identity; they are extended with the columns.

`ledger.doubles` has the rule. Here parties, kind and day of an exchange become a key of 64 bits, so
that a question looks only at exchanges whose key occurs with two sides or more. Two different acts
share a key once in about 10^19 pairs of exchanges; the answer then warns for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from services.ledger.enums import Side
from services.network.column_table import ColumnTable, Flags, Ints, find_changes
from services.network.columns import Columns
from services.network.ties import find_first_rows

Keys = NDArray[np.uint64]
_GIVES, _TAKES, _JOINS = range(3)
_ROLES: Final = 3


class ReportingSides(ColumnTable):
    """One row per exchange: the side that reported it, as a `Side`.

    For a joint exchange that one of its parties recorded, THIRD_PARTY plus the number of that
    organization.
    """

    TYPES: ClassVar = {"side": np.int32}
    side: Ints


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows of exchanges that name a day, ascending by key."""

    keys: Keys
    rows: Ints

    @classmethod
    def of(cls, keys: Keys, rows: Ints) -> "_Run":
        order = np.argsort(keys, kind="stable")  # which merges what is sorted already
        return cls(keys[order], rows[order])

    def merge(self, other: "_Run") -> "_Run":
        keys, rows = (self.keys, other.keys), (self.rows, other.rows)
        return _Run.of(np.concatenate(keys), np.concatenate(rows))

    def has(self, keys: Keys) -> Flags:
        place = np.searchsorted(self.keys, keys)
        has: Flags = np.asarray(place < len(self.keys))
        has[has] = self.keys[place[has]] == keys[has]
        return has

    def rows_of(self, keys: Keys) -> Ints:
        """All rows with one of these keys."""
        start, counts = np.searchsorted(self.keys, keys), self._counts(keys)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows: Ints = self.rows[np.repeat(start, counts) + within]
        return rows

    def keys_of_rows(self, keys: Keys) -> Keys:
        """The key of each row in `rows_of`."""
        return np.repeat(keys, self._counts(keys))

    def _counts(self, keys: Keys) -> Ints:
        """Number of rows with each key."""
        end = np.searchsorted(self.keys, keys, "right")
        return np.asarray(end - np.searchsorted(self.keys, keys))


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Exchanges whose key occurs with two sides or more, by key, side and row."""

    keys: Keys
    sides: Ints
    rows: Ints

    @classmethod
    def of(cls, keys: Keys, sides: Ints, rows: Ints) -> "_Candidates":
        order = np.lexsort((rows, sides, keys))
        return cls(keys[order], sides[order], rows[order])

    def select(self, which: Flags) -> "_Candidates":
        return _Candidates(self.keys[which], self.sides[which], self.rows[which])

    def groups(self) -> tuple[Ints, Ints]:
        """Number of exchanges of each side in its group, and the first side of each group."""
        is_group = find_changes(self.keys)
        sides = np.flatnonzero(is_group | find_changes(self.sides))
        return np.diff(sides, append=len(self.rows)), np.flatnonzero(is_group[sides])

    def two_sided(self) -> Flags:
        """Which candidates are in a group with two sides or more."""
        counts, groups = self.groups()
        if not len(groups):
            return np.zeros(0, dtype=np.bool_)
        side_counts = np.diff(groups, append=len(counts))
        return np.repeat(side_counts > 1, np.add.reduceat(counts, groups))


@dataclass(frozen=True, slots=True)
class PossibleDoubles:
    """The possible doubles among the first exchanges of some columns, dead ones included."""

    sides: ReportingSides
    runs: tuple[_Run, ...]
    """Each at least twice as long as the next one."""
    candidates: _Candidates

    @property
    def nbytes(self) -> int:
        each = self.candidates
        arrays = [each.keys, each.sides, each.rows]
        arrays += [array for run in self.runs for array in (run.keys, run.rows)]
        return self.sides.nbytes + sum(array.nbytes for array in arrays)

    def extend(self, columns: Columns, organization: Ints) -> "PossibleDoubles":
        """The doubles among all exchanges; `organization` has the organization of each party."""
        begin = self.sides.length
        if begin == len(columns.is_standing):
            return self
        sides = self.sides.extend(_sides(columns, organization, begin))
        first, end = columns.exchanges.first_day[begin:], columns.exchanges.end_day[begin:]
        dated = np.flatnonzero(end - first == 1)
        keys = _keys(columns, organization, begin)[dated]
        run = _Run.of(keys, (dated + begin).astype(np.int32))
        repeated_keys = [run.keys[1:][run.keys[1:] == run.keys[:-1]]]
        repeated_keys += [run.keys[older.has(run.keys)] for older in self.runs]
        candidates = self.candidates
        if len(again := np.unique(np.concatenate(repeated_keys))):
            candidates = self._join((*self.runs, run), again, sides)
        return PossibleDoubles(sides, _merge_runs((*self.runs, run)), candidates)

    def _join(self, runs: Sequence[_Run], keys: Keys, sides: ReportingSides) -> _Candidates:
        """The candidates together with those among all rows that have these keys."""
        rows = np.concatenate([run.rows_of(keys) for run in runs])
        of_rows = np.concatenate([run.keys_of_rows(keys) for run in runs])
        matching = _Candidates.of(of_rows, sides.side[rows], rows)
        matching = matching.select(matching.two_sided())
        before = self.candidates.select(~np.isin(self.candidates.keys, matching.keys))
        return _Candidates.of(
            np.concatenate([before.keys, matching.keys]),
            np.concatenate([before.sides, matching.sides]),
            np.concatenate([before.rows, matching.rows]),
        )

    def count_doubles(self, mask: Flags) -> int:
        """Number of exchanges in a mask that may report another one again."""
        candidates = self.candidates.select(mask[self.candidates.rows])
        counts, groups = candidates.groups()
        if not len(groups):
            return 0
        return len(candidates.rows) - int(np.maximum.reduceat(counts, groups).sum())

    def group_by_act(self, mask: Flags, number: Ints) -> tuple[Ints, Ints]:
        """The exchanges in a mask that are possible doubles, act by act.

        Returns, for each exchange, the number of the first exchange of its act, and its own number;
        ascending by both. `number` has the number of the exchange in each row.
        """
        doubled = self.candidates.select(mask[self.candidates.rows])
        doubled = doubled.select(doubled.two_sided())
        numbers = number[doubled.rows]
        starts = np.flatnonzero(find_changes(doubled.keys))
        if not len(starts):
            return numbers, numbers
        lengths = np.diff(starts, append=len(numbers))
        act = np.repeat(np.minimum.reduceat(numbers, starts), lengths)
        order = np.lexsort((numbers, act))
        return act[order], numbers[order]


def _merge_runs(runs: tuple[_Run, ...]) -> tuple[_Run, ...]:
    """The same rows in fewer runs, so that a key is looked up in few places."""
    while len(runs) > 1 and len(runs[-2].keys) < 2 * len(runs[-1].keys):
        runs = (*runs[:-2], runs[-2].merge(runs[-1]))
    return runs


def _sides(columns: Columns, organization: Ints, begin: int) -> Ints:
    """The side of each exchange from row `begin`; see `ReportingSides`."""
    exchanges = columns.exchanges
    recorder, reported_by = exchanges.recorder[begin:], exchanges.reported_by[begin:]
    symmetric = exchanges.symmetric[begin:]
    recorder_organization = (
        np.where(recorder >= 0, organization[recorder], 0) if len(organization) else recorder
    )
    side = np.full(len(recorder_organization), Side.THIRD_PARTY, dtype=np.int32)
    legs, joint = columns.legs, columns.joint
    new = slice(int(np.searchsorted(legs.exchange, begin)), None)
    of_leg = legs.exchange[new] - begin
    # The givers' side last, as it counts where an organization is on both.
    for of, party in ((Side.RECEIVER, legs.receiver[new]), (Side.GIVER, legs.giver[new])):
        side[of_leg[organization[party] == recorder_organization[of_leg]]] = of
    is_named = (reported_by != Side.UNSPECIFIED) & ~symmetric
    side[is_named] = reported_by[is_named]
    new = slice(int(np.searchsorted(joint.exchange, begin)), None)
    of_joint = joint.exchange[new] - begin
    itself = of_joint[organization[joint.party[new]] == recorder_organization[of_joint]]
    itself = itself[reported_by[itself] != Side.THIRD_PARTY]
    side[itself] = Side.THIRD_PARTY + recorder_organization[itself]
    return side


def _keys(columns: Columns, organization: Ints, begin: int) -> Keys:
    """The key of each exchange from row `begin`, coarse ones included."""
    exchanges, legs, joint = columns.exchanges, columns.legs, columns.joint
    parties = np.zeros(len(columns.is_standing) - begin, dtype=np.uint64)
    for table, party, role in (
        (legs, legs.giver, _GIVES),
        (legs, legs.receiver, _TAKES),
        (joint, joint.party, _JOINS),
    ):
        new = slice(int(np.searchsorted(table.exchange, begin)), None)
        exchange, member = table.exchange[new] - begin, organization[party[new]]
        several = np.bincount(exchange, minlength=len(parties))[exchange] > 1
        once = ~several | find_first_rows(several, exchange, member)
        # A sum does not depend on the order of the parties.
        np.add.at(parties, exchange[once], _mix(member[once] * _ROLES + role))
    when = exchanges.first_day[begin:].astype(np.int64) << 8 | exchanges.kind[begin:]
    return _mix(parties ^ _mix(when))


def _mix(values: Ints) -> Keys:
    """Numbers of 64 bits that look random, one for each value (the finalizer of SplitMix64)."""
    steps = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
    start: Keys = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    last = reduce(
        lambda value, step: (value ^ (value >> np.uint64(step[0]))) * np.uint64(step[1]),
        steps,
        start,
    )
    return last ^ (last >> np.uint64(31))


_NO_KEYS: Final = np.empty(0, dtype=np.uint64)
_NO_INTS: Final = np.empty(0, dtype=np.int32)
NO_DOUBLES: Final = PossibleDoubles(
    ReportingSides.empty(), (), _Candidates(_NO_KEYS, _NO_INTS, _NO_INTS)
)
