"""A programme's standing exchanges in columns, and how they advance.

`Columns` are immutable. Columns advanced from others share their memory: new rows are appended, and
a mask leaves out exchanges that were restated or retracted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.ledger.allocation import LENS_FIELDS
from services.ledger.enums import Lens
from services.ledger.flow_rows import ColumnWatermark, FlowRows
from services.ledger.organization import Organization
from services.ledger.times import Day
from services.network.column_table import ColumnTable, Flags, Ints
from services.network.leg_allocation import allocate_burden, allocate_per_receiver, make_leg_grid

Value = TypeVar("Value")
BLOCK_ROWS: Final = 1 << 16
"""Rows computed at a time, so that intermediate arrays fit into the processor's cache."""
NO_DAY: Final = np.iinfo(np.int32).min
"""The contact day of an exchange whose day is unknown, only its month or quarter."""
UNKNOWN_BITS: Final = {lens: 1 << place for place, lens in enumerate(LENS_FIELDS)}
_FRAGMENTED_PARTS: Final = 4
"""Columns are fragmented when more than one row in this many is not standing."""


class Exchanges(ColumnTable):
    """One row per state of an exchange.

    `number` ascends: a restated exchange repeats the number before it, and is found through
    `RestatedExchanges`. `occur_time` is the first instant of the occurrence.
    """

    TYPES: ClassVar = {
        "number": np.int64,
        "occur_time": np.int64,
        "first_day": np.int32,
        "end_day": np.int32,
        "kind": np.uint8,
        "formality": np.uint8,
        "reported_by": np.uint8,
        "symmetric": np.bool_,
        "topic_set": np.int32,
        "recorder": np.int32,
        "giver_minutes": np.int32,
        "receiver_minutes": np.int32,
        "benefit_minutes": np.int32,
    }
    number: Ints
    occur_time: Ints
    first_day: Ints
    end_day: Ints
    kind: Ints
    formality: Ints
    reported_by: Ints
    symmetric: Flags
    topic_set: Ints
    recorder: Ints
    giver_minutes: Ints
    receiver_minutes: Ints
    benefit_minutes: Ints


class Legs(ColumnTable):
    """One row per leg, by exchange (its row), giver and receiver; shares in millionths.

    `leads` has bit 1 on the first leg of a giver in its exchange, bit 2 on that of a receiver;
    `unknown` has UNKNOWN_BITS of the lenses under which minutes are unknown, and shares 0.
    """

    TYPES: ClassVar = {
        "exchange": np.intp,
        "giver": np.int32,
        "receiver": np.int32,
        "leads": np.uint8,
        "unknown": np.uint8,
        "contact_day": np.int32,
        "burden": np.int64,
        "attention": np.int64,
        "benefit": np.int64,
    }
    exchange: Ints
    giver: Ints
    receiver: Ints
    leads: Ints
    unknown: Ints
    contact_day: Ints
    burden: Ints
    attention: Ints
    benefit: Ints


class JointMembers(ColumnTable):
    """One row per party of a joint exchange (its row)."""

    TYPES: ClassVar = {"exchange": np.intp, "party": np.int32}
    exchange: Ints
    party: Ints


class RestatedExchanges(ColumnTable):
    """The rows of `Exchanges` that hold later states, by the numbers of their exchanges."""

    TYPES: ClassVar = {"number": np.int64, "exchange": np.intp}
    number: Ints
    exchange: Ints


# decision 0050: flow questions are answered from memory
@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A programme at a position. Parties are indices into `ids`, their ids as recorded."""

    next_offset: int
    ids: tuple[str, ...]
    rank: Ints
    """The place of each party's id in ascending order."""
    topic_sets: Mapping[int, tuple[str, ...]]
    organizations: Mapping[str, Organization]
    aliases: Mapping[str, str]
    exchanges: Exchanges
    is_standing: Flags
    """The mask of rows with standing exchanges in their current state."""
    restated: RestatedExchanges
    legs: Legs
    joint: JointMembers

    @property
    def watermark(self) -> ColumnWatermark:
        return ColumnWatermark(self.next_offset, len(self.ids), len(self.topic_sets))

    @property
    def is_fragmented(self) -> bool:
        """Whether so many rows are dead that loading the columns again pays."""
        dead_count = len(self.is_standing) - int(np.count_nonzero(self.is_standing))
        return _FRAGMENTED_PARTS * dead_count > len(self.is_standing)

    @property
    def is_dated(self) -> Flags:
        """The mask of exchanges whose day is known."""
        dated: Flags = self.exchanges.end_day - self.exchanges.first_day == 1
        return dated

    def list_numbers(self) -> Ints:
        """Returns the number of the exchange of every row."""
        numbers: Ints = self.exchanges.number.copy()
        numbers[self.restated.exchange] = self.restated.number
        return numbers

    @property
    def day_range(self) -> tuple[Day, Day]:
        """The first and the last first day of an exchange; (0, 0) without any."""
        day = self.exchanges.first_day
        return (int(day.min()), int(day.max())) if len(day) else (0, 0)

    @property
    def nbytes(self) -> int:
        tables = (self.exchanges, self.restated, self.legs, self.joint)
        return self.is_standing.nbytes + sum(table.nbytes for table in tables)


EMPTY: Final = Columns(
    next_offset=0,
    ids=(),
    rank=np.empty(0, dtype=np.intp),
    topic_sets={},
    organizations={},
    aliases={},
    exchanges=Exchanges.empty(),
    is_standing=np.empty(0, dtype=np.bool_),
    restated=RestatedExchanges.empty(),
    legs=Legs.empty(),
    joint=JointMembers.empty(),
)


def load(rows: FlowRows, next_offset: int) -> Columns:
    """Returns columns of every standing exchange at `next_offset`."""
    return advance(EMPTY, rows, next_offset)


def advance(columns: Columns, rows: FlowRows, next_offset: int) -> Columns:
    """Returns the columns at `next_offset`, after these rows replaced or added exchanges."""
    columns = _add_names(columns, rows)
    first, *others = (_ints(column) for column in rows.exchanges)
    leg_number, giver, receiver = map(_ints, rows.legs)
    joint_number, party = map(_ints, rows.joint)
    restated = int(np.searchsorted(first, columns.next_offset))
    before = len(columns.is_standing)
    last = columns.exchanges.number[-1] if before else -1
    ascending = np.where(np.arange(len(first)) < restated, last, first)
    exchanges = columns.exchanges.extend(ascending, *others)
    added = np.arange(before, before + len(first))
    alive = np.concatenate([columns.is_standing, np.ones(len(first), dtype=np.bool_)])
    alive[_rows_of(columns, _ints(rows.replaced))] = False
    return replace(
        columns,
        next_offset=next_offset,
        exchanges=exchanges,
        is_standing=alive,
        restated=columns.restated.extend(first[:restated], added[:restated]),
        legs=columns.legs.extend(
            *make_leg_columns(
                exchanges,
                before + np.searchsorted(first, leg_number),
                giver,
                receiver,
                columns.rank,
            )
        ),
        joint=columns.joint.extend(before + np.searchsorted(first, joint_number), party),
    )


def _add_names(columns: Columns, rows: FlowRows) -> Columns:
    """Returns the columns with new parties, topics, organizations and aliases."""
    ids, rank = columns.ids, columns.rank
    if rows.parties:
        ids = (*ids, *rows.parties)
        rank = np.empty(len(ids), dtype=np.intp)
        rank[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    return replace(
        columns,
        ids=ids,
        rank=rank,
        topic_sets={**columns.topic_sets, **rows.topic_sets},
        organizations=_merge(
            columns.organizations, [(each.organization_id, each) for each in rows.organizations]
        ),
        aliases=_merge(columns.aliases, rows.aliases),
    )


def _merge(
    mapping: Mapping[str, Value], entries: Sequence[tuple[str, Value]]
) -> Mapping[str, Value]:
    """Returns the same object when there are no entries, by which callers detect a change."""
    return {**mapping, **dict(entries)} if entries else mapping


def _rows_of(columns: Columns, replaced: Ints) -> Ints:
    """Returns every row of one of these exchanges, current and earlier states."""
    number = columns.exchanges.number
    at = np.searchsorted(number, replaced)
    is_present = at < len(number)
    is_present[is_present] = number[at[is_present]] == replaced[is_present]
    restated = columns.restated.exchange[np.isin(columns.restated.number, replaced)]
    return np.concatenate([at[is_present], restated])


def make_leg_columns(
    exchanges: Exchanges, exchange: Ints, giver: Ints, receiver: Ints, rank: Ints
) -> tuple[Ints, ...]:
    """Returns the columns of `Legs` for legs ascending by exchange (its row), giver and receiver.

    `rank` has the place of the id of each giver and receiver among all ids, ascending.
    """
    places = make_leg_grid(exchange, giver, receiver, rank)
    day = exchanges.first_day[exchange]
    giver_minutes = exchanges.giver_minutes[exchange]
    receiver_minutes = exchanges.receiver_minutes[exchange]
    benefit_minutes = exchanges.benefit_minutes[exchange]
    return (
        exchange,
        giver,
        receiver,
        places.leads_giver + 2 * places.leads_receiver.astype(np.uint8),
        UNKNOWN_BITS[Lens.BURDEN] * (giver_minutes < 0)
        + UNKNOWN_BITS[Lens.ATTENTION] * (receiver_minutes < 0)
        + UNKNOWN_BITS[Lens.BENEFIT] * (benefit_minutes < 0),
        np.where(exchanges.end_day[exchange] - day == 1, day, NO_DAY),
        allocate_burden(giver_minutes, places),
        allocate_per_receiver(receiver_minutes, places),
        allocate_per_receiver(benefit_minutes, places),
    )


def _ints(column: Any) -> NDArray[np.int64]:
    return np.frombuffer(column, dtype=np.int64)
