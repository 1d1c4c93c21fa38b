"""The order of rows in a list: parsing `order_by`, sorting, and finding where a page starts."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from numpy.typing import NDArray

from mutua.v1.types_pb2 import Date
from services.ledger.errors import ImpossibleQuestionError

Row = TypeVar("Row")
IntArray = NDArray[np.int64]

_DESCENDING: Final = "desc"


class OrderTerm(NamedTuple):
    """A field to sort by, and its direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class RowOrder(Generic[Row]):
    """Sorts rows by `terms`, and equal rows by `key_fields`.

    `row_descriptor` describes the message a row becomes. `key_fields` identify a row, and the rows
    are already sorted by them. Absent values come last in both directions. A row's key is the list
    of its values in all these fields, as JSON represents them.
    """

    row_descriptor: Descriptor
    key_fields: tuple[str, ...]
    to_wire: Callable[[Row], Message]
    terms: tuple[OrderTerm, ...] = ()

    def with_order_by(self, order_by: str) -> "RowOrder[Row]":
        """This order with the terms of a request, or with its own if the request has none.

        Raises ImpossibleQuestionError, which lists the sortable fields.
        """
        terms = parse_order(order_by, _orderable(self.row_descriptor))
        return replace(self, terms=terms or self.terms)

    def argsort(self, rows: Sequence[Row]) -> IntArray | None:
        """The indices that sort the rows; None if the rows are already in this order.

        Rows that have a `column` for each field are sorted by it, without making the rows.
        """
        if not self.terms or not rows:
            return None
        column: Callable[[str], Any] = getattr(rows, "column", lambda _: None)
        columns = [column(term.field) for term in self.terms]
        if any(values is None for values in columns):
            messages = [self.to_wire(row) for row in rows]
            columns = [
                [_json_value(message, term.field) for message in messages] for term in self.terms
            ]
        keys: list[Any] = []
        for term, values in zip(self.terms, columns, strict=True):
            keys = [*_ranks(values, descending=term.descending), *keys]
        return np.lexsort(keys)  # the last key is the most significant; the sort is stable

    def make_key(self, row: Row) -> list[Any]:
        message = self.to_wire(row)
        fields = (*(term.field for term in self.terms), *self.key_fields)
        return [_json_value(message, field) for field in fields]

    def find_start(
        self, key: list[Any] | None, rows: Sequence[Row], indices: IntArray | None
    ) -> int:
        """How many rows come up to and including a key, which need not be the key of a row."""
        if key is None:
            return 0
        return bisect_right(
            range(len(rows)),
            self._comparable(key),
            key=lambda number: self._comparable(
                self.make_key(rows[number if indices is None else int(indices[number])])
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
    """The terms of `order_by`, such as "net desc, giver_id"; none if it is empty.

    Raises ImpossibleQuestionError unless every part is one of `fields`, optionally followed by
    "desc", and no field occurs twice.
    """
    if not order_by.strip():
        return ()
    terms: list[OrderTerm] = []
    for part in order_by.split(","):
        field, *direction = part.split() or [""]
        if field not in fields or direction not in ([], [_DESCENDING]):
            raise ImpossibleQuestionError.for_field(
                "order_by",
                f"has {part.strip()[:60]!r}",
                "name fields, separated by commas, with desc after a field whose largest values "
                f"come first: {', '.join(fields)}",
            )
        if field in (term.field for term in terms):
            raise ImpossibleQuestionError.for_field(
                "order_by", f"names {field} twice", "once is enough"
            )
        terms.append(OrderTerm(field, descending=bool(direction)))
    return tuple(terms)


def _orderable(row: Descriptor) -> list[str]:
    """The fields that rows can be sorted by: scalars and dates."""
    return [
        field.name
        for field in row.fields
        if not field.is_repeated
        and (field.message_type is None or field.message_type is Date.DESCRIPTOR)
    ]


class _DescendingValue:
    """A value that sorts before smaller values."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_DescendingValue") -> bool:
        smaller: bool = other.value < self.value
        return smaller

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _DescendingValue) and bool(self.value == other.value)


def _json_value(message: Any, field: str) -> Any:
    """A field's value as JSON represents it; None if it is absent."""
    if message.DESCRIPTOR.fields_by_name[field].has_presence and not message.HasField(field):
        return None
    value = getattr(message, field)
    return [value.year, value.month, value.day] if isinstance(value, Date) else value


def _ranks(values: Any, *, descending: bool) -> tuple[Any, Any]:
    """Two lexsort keys, the less significant first: the ranks, and which values are absent."""
    if isinstance(values, list):
        present = sorted({_hashable(value) for value in values if value is not None})
        rank = {value: index for index, value in enumerate(present)}
        ranks = np.array([-1 if value is None else rank[_hashable(value)] for value in values])
        absent = ranks < 0
    else:
        ranks, absent = values, np.isnan(values)
    return np.where(absent, 0, -ranks if descending else ranks), absent


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
