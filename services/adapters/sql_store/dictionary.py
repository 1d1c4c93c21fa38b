"""Dense numbers for what tables would otherwise repeat in every row."""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")


class DenseNumbers(Generic[Key]):
    """Numbers of a programme's organization ids or topic sets, given in order of first use."""

    def __init__(self, known: Iterable[tuple[Key, int]] = (), *, first: int = 0) -> None:
        self.numbers = dict(known)
        self._next = max(self.numbers.values(), default=first - 1) + 1
        self._fresh: list[tuple[int, Key]] = []

    def assign(self, keys: Iterable[Key]) -> None:
        """Gives each of the keys a number that has none."""
        for key in keys:
            if key not in self.numbers:
                self.numbers[key] = self._next
                self._fresh.append((self._next, key))
                self._next += 1

    def take_new(self) -> Sequence[tuple[int, Key]]:
        """The numbers given since this was last asked."""
        fresh, self._fresh = self._fresh, []
        return fresh


class ProgrammeDictionary:
    """What the rows of one programme say by number."""

    def __init__(
        self,
        programme: int,
        parties: Iterable[tuple[str, int]] = (),
        topic_sets: Iterable[tuple[tuple[str, ...], int]] = (),
    ) -> None:
        self.programme = programme
        self.parties = DenseNumbers(parties)
        self.topic_sets = DenseNumbers([((), 0), *topic_sets], first=1)
