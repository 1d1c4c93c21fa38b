"""Append-only columns that grow together while readers use the rows they have."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(slots=True)
class _Buffer:
    """Memory shared by tables. Each has its first rows; the longest table has `used` of them."""

    columns: dict[str, NDArray[Any]]
    used: int


class ColumnTable:
    """Columns of one length, each an attribute. A table is immutable.

    A table made by `extend` shares its memory and uses the rows after it.
    """

    TYPES: ClassVar[dict[str, Any]]
    """Column name -> type, in order."""

    def __init__(self, buffer: _Buffer, length: int) -> None:
        self._buffer = buffer
        self.length = length
        for name, column in buffer.columns.items():
            setattr(self, name, column[:length])

    @classmethod
    def empty(cls) -> Self:
        return cls(_Buffer({name: np.empty(0, kind) for name, kind in cls.TYPES.items()}, 0), 0)

    def extend(self, *columns: NDArray[Any]) -> Self:
        """Returns a table with more rows, one argument for each column.

        Rows are copied only when the buffer is full or another table uses the rows after this one.
        """
        length = self.length + len(columns[0])
        buffer = self._buffer
        is_used = buffer.used != self.length
        if is_used or any(length > len(column) for column in buffer.columns.values()):
            buffer = self._copy_to_buffer(2 * length)
        for column, added in zip(buffer.columns.values(), columns, strict=True):
            column[self.length : length] = added
        buffer.used = length
        return type(self)(buffer, length)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows, without spare capacity."""
        return sum(self.length * column.itemsize for column in self._buffer.columns.values())

    def _copy_to_buffer(self, capacity: int) -> _Buffer:
        # Spare capacity is cheap, because pages that are never written take no memory.
        columns = {name: np.empty(capacity, kind) for name, kind in self.TYPES.items()}
        for name, column in columns.items():
            column[: self.length] = getattr(self, name)
        return _Buffer(columns, self.length)


def find_changes(values: Any, step: int = 1) -> Flags:
    """Flags values that differ from the one before, or after for `step` -1, and the outermost."""
    is_change = np.ones(len(values), dtype=np.bool_)
    rows = slice(1, None) if step > 0 else slice(None, -1)
    np.not_equal(values[1:], values[:-1], out=is_change[rows])
    return is_change
