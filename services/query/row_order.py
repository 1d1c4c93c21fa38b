"""The order of rows: `order_by`, sorting, and where a page goes on."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from numpy.typing import NDArray

from mutua.v1.types_pb2 import Date
from services.ledger.errors import ImpossibleQuestionError, Violation

Row = TypeVar("Row")
IntArray = NDArray[np.int64]

_DESCENDING: Final = "desc"


class OrderTerm(NamedTuple):
    """A field of the rows, and which way."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class RowOrder(Generic[Row]):
    """How rows that become messages `row` follow each other.

    By `terms`, absent values last either way, and then by `identity`: the fields that tell two rows
    apart, by which rows stand before they are sorted. A key is what JSON knows of these values.
    """

    row_descriptor: Descriptor
    key_fields: tuple[str, ...]
    to_wire: Callable[[Row], Message]
    terms: tuple[OrderTerm, ...] = ()

    def with_order_by(self, order_by: str) -> "RowOrder[Row]":
        """The order that was asked for. Raises ImpossibleQuestionError, naming the fields there
        are.
        """
        return replace(self, terms=parse_order(order_by, _orderable(self.row_descriptor)))

    def argsort(self, rows: Sequence[Row]) -> IntArray | None:
        """The indices of the rows in this order; None when they stand in it.

        Rows with a `column` of a field are sorted by that, without being made.
        """
        if not self.terms or not rows:
            return None
        column: Callable[[str], Any] = getattr(rows, "column", lambda _: None)
        columns = [column(term.field) for term in self.terms]
        if any(each is None for each in columns):
            messages = [self.to_wire(row) for row in rows]
            columns = [[_value(each, term.field) for each in messages] for term in self.terms]
        keys: list[Any] = []
        for term, values in zip(self.terms, columns, strict=True):
            keys = [*_ranks(values, descending=term.descending), *keys]
        return np.lexsort(keys)  # by the last one first, equal ones as they stand

    def parse_key(self, row: Row) -> list[Any]:
        message = self.to_wire(row)
        fields = (*(term.field for term in self.terms), *self.key_fields)
        return [_value(message, field) for field in fields]

    def find_start(
        self, key: list[Any] | None, rows: Sequence[Row], places: IntArray | None
    ) -> int:
        """How many of the rows in this order stand at or before a key; it may be of no row."""
        if key is None:
            return 0
        return bisect_right(
            range(len(rows)),
            self._comparable(key),
            key=lambda at: self._comparable(
                self.parse_key(rows[at if places is None else int(places[at])])
            ),
        )

    def _comparable(self, key: list[Any]) -> tuple[Any, ...]:
        values = [
            (True,)
            if value is None
            else (False, _DescendingValue(value) if term.descending else value)
            for term, value in zip(self.terms, key, strict=False)
        ]
        return (*values, *key[len(values) :])


def parse_order(order_by: str, fields: Collection[str]) -> tuple[OrderTerm, ...]:
    """The terms of `order_by`, such as "net desc, giver_id"; none when it is empty.

    Raises ImpossibleQuestionError for anything but `fields`, each once, with or without "desc"
    behind.
    """
    if not order_by.strip():
        return ()
    terms: list[OrderTerm] = []
    for part in order_by.split(","):
        field, *way = part.split() or [""]
        if field not in fields or way not in ([], [_DESCENDING]):
            raise _impossible(
                f"has {part.strip()[:60]!r}; name fields, separated by commas, with desc behind "
                f"those whose largest shall come first: {', '.join(fields)}"
            )
        if field in (term.field for term in terms):
            raise _impossible(f"names {field} twice; once is enough")
        terms.append(OrderTerm(field, descending=bool(way)))
    return tuple(terms)


def _orderable(row: Descriptor) -> list[str]:
    """The fields that rows can be sorted by: all but lists and messages, and dates."""
    return [
        field.name
        for field in row.fields
        if not field.is_repeated
        and (field.message_type is None or field.message_type is Date.DESCRIPTOR)
    ]


class _DescendingValue:
    """A value before which larger ones stand."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_DescendingValue") -> bool:
        smaller: bool = other.value < self.value
        return smaller

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _DescendingValue) and bool(self.value == other.value)


def _value(message: Any, field: str) -> Any:
    """What JSON knows of a field; None when it is absent."""
    if message.DESCRIPTOR.fields_by_name[field].has_presence and not message.HasField(field):
        return None
    value = getattr(message, field)
    return [value.year, value.month, value.day] if isinstance(value, Date) else value


def _ranks(values: Any, *, descending: bool) -> tuple[Any, Any]:
    """Two keys for lexsort, the less significant one first: the values, and which are absent."""
    if isinstance(values, list):
        present = sorted({_hashable(value) for value in values if value is not None})
        rank = {value: index for index, value in enumerate(present)}
        ranks = np.array([-1 if each is None else rank[_hashable(each)] for each in values])
        absent = ranks < 0
    else:
        ranks, absent = values, np.isnan(values)
    return np.where(absent, 0, -ranks if descending else ranks), absent


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _impossible(said: str) -> ImpossibleQuestionError:
    return ImpossibleQuestionError(f"order_by {said}", (Violation("order_by", said),))
