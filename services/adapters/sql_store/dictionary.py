"""Dense numbers for ids that tables would otherwise repeat in every row."""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")


class DenseNumbers(Generic[Key]):
    """Numbers of a programme's organization ids or topic sets, in order of first use."""

    def __init__(self, assigned: Iterable[tuple[Key, int]] = (), *, first: int = 0) -> None:
        self.numbers = dict(assigned)
        self._next = max(self.numbers.values(), default=first - 1) + 1
        self._new: list[tuple[int, Key]] = []

    def assign(self, keys: Iterable[Key]) -> None:
        """Assigns a number to every key that has none."""
        for key in keys:
            if key not in self.numbers:
                self.numbers[key] = self._next
                self._new.append((self._next, key))
                self._next += 1

    def take_new(self) -> Sequence[tuple[int, Key]]:
        """Returns the numbers that were assigned since the last call."""
        new, self._new = self._new, []
        return new


class ProgrammeDictionary:
    """The numbers in the rows of one programme."""

    def __init__(
        self,
        programme: int,
        parties: Iterable[tuple[str, int]] = (),
        topic_sets: Iterable[tuple[tuple[str, ...], int]] = (),
    ) -> None:
        self.programme = programme
        self.parties = DenseNumbers(parties)
        self.topic_sets = DenseNumbers([((), 0), *topic_sets], first=1)
