"""Rows of an answer, stored as columns and built on access."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Row = TypeVar("Row")
Column = NDArray[Any]


class LazyRows(Sequence[Row], Generic[Row]):
    """A sequence of rows; slices are lists."""

    def __init__(
        self,
        make: Callable[[Sequence[Any]], Row],
        columns: Sequence[Column],
        order_by: Mapping[str, Column],
    ) -> None:
        """`make` builds a row from one value of each column.

        `order_by` has, for a field, numbers that sort as its values do, NaN where it is absent.
        """
        self._make = make
        self._columns = columns
        self._order_by = order_by

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return self.take(index)
        return self._make(
            [column[index : index + 1 or None].tolist()[0] for column in self._columns]
        )

    def take(self, places: slice | NDArray[np.intp]) -> list[Row]:
        """Returns the rows at these places, in their order."""
        values = (column[places].tolist() for column in self._columns)
        return list(map(self._make, zip(*values, strict=True)))

    def column(self, field: str) -> Column | None:
        """Returns numbers to sort the rows by a field with; None when there are none."""
        return self._order_by.get(field)

    @property
    def nbytes(self) -> int:
        columns = (*self._columns, *self._order_by.values())
        return sum({id(column): column.nbytes for column in columns}.values())
