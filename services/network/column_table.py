"""Columns that grow together at their end, while readers go on reading what they have."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(slots=True)
class _Buffer:
    """Memory that tables share; each shows the beginning of it, the longest one `used` rows."""

    columns: dict[str, NDArray[Any]]
    used: int


class ColumnTable:
    """Columns of one length, an attribute each. A table never changes: one that is `grown` from it
    lies in the same memory, beyond what this one shows.
    """

    TYPES: ClassVar[dict[str, Any]]
    """The columns in order, with their types."""

    def __init__(self, room: _Buffer, length: int) -> None:
        self._room = room
        self.length = length
        for name, column in room.columns.items():
            setattr(self, name, column[:length])

    @classmethod
    def empty(cls) -> Self:
        return cls(_Buffer({name: np.empty(0, kind) for name, kind in cls.TYPES.items()}, 0), 0)

    def extend(self, *columns: NDArray[Any]) -> Self:
        """This and then more rows, given as columns; copied only when the room is full or taken."""
        length = self.length + len(columns[0])
        room = self._room
        taken = room.used != self.length
        if taken or any(length > len(column) for column in room.columns.values()):
            room = self._moved(2 * length)
        for column, added in zip(room.columns.values(), columns, strict=True):
            column[self.length : length] = added
        room.used = length
        return type(self)(room, length)

    @property
    def nbytes(self) -> int:
        """What its rows take, without the room to grow."""
        return sum(self.length * column.itemsize for column in self._room.columns.values())

    def _moved(self, capacity: int) -> _Buffer:
        # What is never written takes no memory, so that room is cheap.
        columns = {name: np.empty(capacity, kind) for name, kind in self.TYPES.items()}
        for name, column in columns.items():
            column[: self.length] = getattr(self, name)
        return _Buffer(columns, self.length)
