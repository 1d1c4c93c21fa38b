"""A programme's standing exchanges in columns, and how they advance.

Arrays are never changed in place: whoever holds a `Columns` holds one consistent state.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.ledger.organization import Organization
from services.ledger.ports import FlowRows

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNKNOWN: Final = -1
"""Stands for unknown minutes and for nobody; known values are never negative."""


@dataclass(frozen=True, slots=True)
class Exchanges:
    """One element a standing exchange, ascending by `number`."""

    number: Ints
    first_day: Ints
    end_day: Ints
    dated: Ints
    kind: Ints
    formality: Ints
    reported_by: Ints
    recorder: Ints
    giver_minutes: Ints
    receiver_minutes: Ints
    benefit_minutes: Ints
    symmetric: Ints


@dataclass(frozen=True, slots=True)
class Legs:
    """One element a leg, ascending by exchange, giver, receiver; shares in millionths."""

    exchange: Ints
    giver: Ints
    receiver: Ints
    burden: Ints
    attention: Ints
    benefit: Ints


@dataclass(frozen=True, slots=True)
class Joint:
    """One element a party of a symmetric exchange, ascending by exchange and party."""

    exchange: Ints
    party: Ints


@dataclass(frozen=True, slots=True)
class Columns:
    """A programme at a position. Parties are indices into `ids`, their ids as recorded."""

    next_offset: int
    ids: tuple[str, ...]
    exchanges: Exchanges
    legs: Legs
    joint: Joint
    organizations: tuple[Organization, ...]
    aliases: dict[str, str]


def load(rows: FlowRows, next_offset: int) -> Columns:
    """Columns of everything that stands at `next_offset`."""
    return Columns(
        next_offset=next_offset,
        ids=tuple(organization_id for _, organization_id in rows.parties),
        exchanges=Exchanges(*_arrays(rows.exchanges, len(fields(Exchanges)))),
        legs=Legs(*_arrays(rows.legs, len(fields(Legs)))),
        joint=Joint(*_arrays(rows.joint, len(fields(Joint)))),
        organizations=tuple(rows.organizations),
        aliases=dict(rows.aliases),
    )


def advance(columns: Columns, rows: FlowRows, next_offset: int) -> Columns:
    """The columns at `next_offset`: exchanges that were replaced go, fresh ones come."""
    fresh = load(rows, next_offset)
    replaced = np.array(sorted(rows.replaced), dtype=np.int64)
    return Columns(
        next_offset=next_offset,
        ids=fresh.ids,
        exchanges=_merge(columns.exchanges, fresh.exchanges, "number", replaced),
        legs=_merge(columns.legs, fresh.legs, "exchange", replaced),
        joint=_merge(columns.joint, fresh.joint, "exchange", replaced),
        organizations=fresh.organizations,
        aliases=fresh.aliases,
    )


def _merge(old: Any, fresh: Any, key: str, replaced: Ints) -> Any:
    """Two blocks of columns as one, in order of `key`; rows of replaced exchanges left out."""
    kept = ~np.isin(getattr(old, key), replaced)
    block = {
        each.name: np.concatenate([getattr(old, each.name)[kept], getattr(fresh, each.name)])
        for each in fields(old)
    }
    if replaced.size:
        order = np.argsort(block[key], kind="stable")
        block = {name: values[order] for name, values in block.items()}
    return type(old)(**block)


def _arrays(rows: Any, width: int) -> list[Ints]:
    """Rows of integers as one contiguous array a column; None becomes UNKNOWN."""
    if not rows:
        return [np.empty(0, dtype=np.int64) for _ in range(width)]
    return [
        np.array([UNKNOWN if value is None else value for value in column], dtype=np.int64)
        for column in zip(*rows, strict=True)
    ]
