"""Whether a log still holds what was projected of it when another broker has come to lead it."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from services.ledger.errors import DataForeign
from services.ledger.ports import ReadableLog, Watermark
from services.projector.slab import check_same_log


class Log(ReadableLog, Protocol):
    """A log whose partitions have leaders, and that can be made anew under the same name."""

    def check_same(self) -> None:
        """Raises DataForeign when it is not the log any more that it was."""

    def epochs(self) -> Mapping[int, int]:
        """A number for each partition, which grows with each change of its leader."""


class LogCut(DataForeign):
    """A partition lacks what was projected of it; other facts may have been projected since."""

    def __init__(self, partition: int, message: str) -> None:
        super().__init__(f"partition {partition}: {message}")
        self.partition = partition


class _Seen(NamedTuple):
    """The leaders, and what was projected since they were looked at, the last before that first."""

    epochs: Mapping[int, int]
    marks: Mapping[int, deque[Watermark]]


class Kept:
    """Remembers what is projected, and asks for it when a leader was replaced.

    The new leader may lack the last records, or have been restored from a backup, and give their
    offsets to others. Who reads on by offset would not notice. One thread looks.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._seen = _Seen({}, {})

    def begin(
        self, epochs: Mapping[int, int], partitions: Iterable[int], marks: Iterable[Watermark]
    ) -> None:
        """Watches these partitions and no others: the log had `marks` after it had these epochs."""
        self._seen = _Seen(epochs, {number: deque() for number in partitions})
        for mark in marks:
            self.add(mark)

    def add(self, mark: Watermark) -> None:
        """So far a partition is projected."""
        self._seen.marks[mark.partition].append(mark)

    def look(self) -> None:
        """Raises LogCut, and LogDown when the log cannot be asked: then it is asked the next time.

        To be called again and again: what is projected in between is remembered slab by slab.
        """
        seen = self._seen
        counts = {number: len(marks) for number, marks in seen.marks.items()}
        epochs = self._log.epochs()
        for number, count in counts.items():
            marks = seen.marks[number]
            if epochs.get(number) != seen.epochs.get(number):
                for place in range(count):
                    self._check(marks[place])
            for _ in range(count - 1):
                marks.popleft()
        if self._seen is seen:
            self._seen = seen._replace(epochs=epochs)

    def _check(self, mark: Watermark) -> None:
        try:
            check_same_log(self._log.partition(mark.partition), mark)
        except DataForeign as foreign:
            raise LogCut(mark.partition, foreign.message) from foreign
