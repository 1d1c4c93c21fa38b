"""Whether a log still holds what was projected of it when another broker has come to lead it."""

from collections.abc import Mapping
from typing import Protocol

from services.ledger.errors import DataForeign
from services.ledger.ports import ReadableLog, Watermark
from services.projector.slab import check_same_log


class Log(ReadableLog, Protocol):
    """A log whose partitions have leaders."""

    def epochs(self) -> Mapping[int, int]:
        """A number for each partition, which grows with each change of its leader."""


class LogCut(DataForeign):
    """A partition lacks what was projected of it; other facts may have been projected since."""

    def __init__(self, partition: int, message: str) -> None:
        super().__init__(f"partition {partition}: {message}")
        self.partition = partition


class Kept:
    """Remembers what was projected, and asks for it when a leader was replaced.

    The new leader may lack the last records, or have been restored from a backup, and give their
    offsets to others. Who reads on by offset would not notice.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._marks: Mapping[int, Watermark] = {}
        self._epochs: Mapping[int, int] = {}

    def look(self, marks: Mapping[int, Watermark]) -> None:
        """To be called again and again with what was projected last, of each partition.

        Raises LogCut, and LogDown when the log cannot be asked.
        """
        epochs = self._log.epochs()
        for number, mark in self._marks.items():
            if number in marks and epochs.get(number) != self._epochs.get(number):
                try:
                    check_same_log(self._log.partition(number), mark)
                except DataForeign as foreign:
                    raise LogCut(number, foreign.message) from foreign
        self._marks, self._epochs = marks, epochs
