"""Whole columns of integers out of SQL, three times as fast as rows.

Several fields are packed into one number, the database writes each column of those as one text, and
numpy reads the text: all of it outside of Python.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, func, select

Ints = NDArray[np.int64]

_WORD_BITS: Final = 62
_SEPARATOR: Final = ","


@dataclass(frozen=True, slots=True)
class Packed:
    """A field of 0 or more that fits into so many bits; what is read is less by `excess`."""

    value: ColumnElement[int]
    bits: int
    excess: int = 0


@dataclass(slots=True)
class _Word:
    """Fields beside each other in one number, each with the place of its lowest bit."""

    fields: dict[str, tuple[Packed, int]] = field(default_factory=dict)
    bits: int = 0

    def number(self) -> ColumnElement[Any]:
        (first, _), *others = self.fields.values()
        number = first.value
        for packed, place in others:
            number = number + packed.value * (1 << place)
        return number


def read_columns(
    connection: Connection, fields: Mapping[str, Packed], conditions: Sequence[Any]
) -> dict[str, Ints]:
    """The fields of all rows that meet the conditions, in no order that is promised."""
    words = [_Word()]
    for name, packed in fields.items():
        if words[-1].bits + packed.bits > _WORD_BITS:
            words.append(_Word())
        words[-1].fields[name] = (packed, words[-1].bits)
        words[-1].bits += packed.bits
    texts = (func.aggregate_strings(word.number(), _SEPARATOR) for word in words)
    found = connection.execute(select(*texts).where(*conditions)).one()
    columns = {}
    for word, text in zip(words, found, strict=True):
        numbers = np.fromstring(text or "", dtype=np.int64, sep=_SEPARATOR)
        for name, (packed, place) in word.fields.items():
            columns[name] = (numbers >> place & (1 << packed.bits) - 1) - packed.excess
    return columns


def together(parts: Sequence[dict[str, Ints]], order: Sequence[str]) -> dict[str, Ints]:
    """The rows of all parts, ascending by the fields of `order`, which tell them apart."""
    columns = {
        name: np.concatenate([part[name] for part in parts]) if len(parts) > 1 else parts[0][name]
        for name in parts[0]
    }
    before = np.ones(max(len(columns[order[0]]) - 1, 0), dtype=np.bool_)
    for name in reversed(order):
        one, next_ = columns[name][:-1], columns[name][1:]
        before = (one < next_) | ((one == next_) & before)
    if before.all():
        return columns
    places = np.lexsort([columns[name] for name in reversed(order)])
    return {name: values[places] for name, values in columns.items()}
