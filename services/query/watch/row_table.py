"""The latest rows of a watched answer, from which each subscriber reads what it lacks."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import takewhile
from typing import Final, NamedTuple

from mutua.watched_rows import RowKey

_DIGEST_BITS: Final = 128


class TableChange(NamedTuple):
    """The latest change of a row. `content` is the encoded row, stripped to its key if removed.

    `sequence` numbers the changes of a table from 1.
    """

    sequence: int
    key: RowKey
    content: bytes
    is_removed: bool = False


# decision 0128: watches compute answers again and compare rows
class RowTable:
    """The latest change of every row, in the order of these changes.

    A subscriber's place in the table is the sequence of the last change it was sent. Its memory is
    this number, however slow it is, because later changes of a row replace earlier ones.
    """

    def __init__(self, strip: Callable[[RowKey, bytes], bytes]) -> None:
        """`strip` returns the encoded key of an encoded row."""
        self._strip = strip
        self._changes: dict[RowKey, TableChange] = {}
        self._removals: dict[RowKey, int] = {}
        self._digest = 0
        self.last_sequence = 0

    @property
    def digest(self) -> str:
        """A hash of all rows, whatever changes led to them."""
        return f"{self._digest:032x}"

    def update(self, rows: Mapping[RowKey, bytes]) -> None:
        """Makes these the rows, and records what changed."""
        removed = [
            change
            for change in self._changes.values()
            if not change.is_removed and change.key not in rows
        ]
        for change in removed:
            self._record(change.key, self._strip(change.key, change.content), is_removed=True)
        for key, content in rows.items():
            current = self._changes.get(key)
            if current is None or current.is_removed or current.content != content:
                self._record(key, content)

    def list_changes(self, after: int) -> list[TableChange]:
        """The changes after a sequence, oldest first; without removals if `after` is 0."""
        newest_first = reversed(self._changes.values())
        changes = takewhile(lambda change: change.sequence > after, newest_first)
        return [change for change in changes if after or not change.is_removed][::-1]

    def forget_removals(self, before: int) -> None:
        """Forgets removals up to a sequence that all subscribers have reached."""
        for key in [key for key, sequence in self._removals.items() if sequence <= before]:
            del self._changes[key], self._removals[key]

    def _record(self, key: RowKey, content: bytes, *, is_removed: bool = False) -> None:
        previous = self._changes.pop(key, None)  # so that it is inserted at the end
        if previous is not None and not previous.is_removed:
            self._digest ^= _digest(key, previous.content)
        self.last_sequence += 1
        if is_removed:
            self._removals[key] = self.last_sequence
        else:
            self._removals.pop(key, None)
            self._digest ^= _digest(key, content)
        self._changes[key] = TableChange(self.last_sequence, key, content, is_removed)


def _digest(key: RowKey, content: bytes) -> int:
    text = repr(key).encode() + b"\0" + content
    return int.from_bytes(blake2b(text, digest_size=_DIGEST_BITS // 8).digest())
