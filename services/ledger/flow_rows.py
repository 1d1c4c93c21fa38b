"""Rows of the read models from which `services.network` builds its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from services.ledger.organization import Organization


class ColumnWatermark(NamedTuple):
    """How far columns are filled: the next offset, and how many parties and topic sets."""

    next_offset: int = 0
    party_count: int = 0
    topic_set_count: int = 0


Integers = Any
"""A column of native 64-bit integers: anything with the buffer protocol that holds them."""


class ExchangeColumns(NamedTuple):
    """Standing exchanges, ascending by number; days are first and after last, -1 is unknown.

    `occur_time` is the instant, or the first instant of a day, month or quarter.
    """

    number: Integers
    occur_time: Integers
    first_day: Integers
    end_day: Integers
    kind: Integers
    formality: Integers
    reported_by: Integers
    symmetric: Integers
    topic_set: Integers
    recorder: Integers
    giver_minutes: Integers
    receiver_minutes: Integers
    benefit_minutes: Integers


class LegColumns(NamedTuple):
    """Legs of standing exchanges, ascending by number of the exchange, giver and receiver."""

    exchange: Integers
    giver: Integers
    receiver: Integers


class JointColumns(NamedTuple):
    """Parties of standing symmetric exchanges, ascending by number of the exchange and party."""

    exchange: Integers
    party: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRows:
    """New and changed rows for `services.network.columns`. Parties are dense numbers.

    `parties` are new ones, in order of their numbers; `topic_sets` and `organizations` are new or
    changed; `aliases` are all of them where there are new ones. `replaced` are the numbers of
    exchanges whose earlier rows are obsolete.
    """

    parties: Sequence[str]
    topic_sets: Mapping[int, tuple[str, ...]]
    organizations: Sequence[Organization]
    aliases: Sequence[tuple[str, str]]
    exchanges: ExchangeColumns
    legs: LegColumns
    joint: JointColumns
    replaced: Integers


_NONE: Final = memoryview(b"").cast("q")
NO_ROWS: Final = FlowRows(
    parties=(),
    topic_sets={},
    organizations=(),
    aliases=(),
    exchanges=ExchangeColumns(*[_NONE] * len(ExchangeColumns._fields)),
    legs=LegColumns(*[_NONE] * len(LegColumns._fields)),
    joint=JointColumns(*[_NONE] * len(JointColumns._fields)),
    replaced=_NONE,
)
"""The rows of a programme without records."""
