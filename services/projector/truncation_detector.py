"""Whether a log still holds what was projected of it when another broker has come to lead it."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from services.ledger.errors import ForeignDataError
from services.ledger.ports import ReadableLog
from services.ledger.records import Watermark
from services.projector.slab import check_same_log


class ReplicatedLog(ReadableLog, Protocol):
    """A log whose partitions have leaders, and that can be made anew under the same name."""

    def check_identity(self) -> None:
        """Raises ForeignDataError when it is not the log any more that it was."""

    def leader_epochs(self) -> Mapping[int, int]:
        """A number for each partition, which grows with each change of its leader."""


class LogTruncatedError(ForeignDataError):
    """A partition lacks what was projected of it; other facts may have been projected since."""

    def __init__(self, partition: int, message: str) -> None:
        super().__init__(f"partition {partition}: {message}")
        self.partition = partition


class _Checkpoint(NamedTuple):
    """The leaders, and what was projected since they were looked at, the last before that first."""

    epochs: Mapping[int, int]
    watermarks: Mapping[int, deque[Watermark]]


# decision 0085: truncation is detected by leader epochs
class TruncationDetector:
    """Remembers what is projected, and asks for it when a leader was replaced.

    The new leader may lack the last records, or have been restored from a backup, and give their
    offsets to others. Who reads on by offset would not notice. One thread looks.
    """

    def __init__(self, log: ReplicatedLog) -> None:
        self._log = log
        self._seen = _Checkpoint({}, {})

    def reset(
        self, epochs: Mapping[int, int], partitions: Iterable[int], marks: Iterable[Watermark]
    ) -> None:
        """Watches these partitions and no others: the log had `marks` after it had these epochs."""
        self._seen = _Checkpoint(epochs, {number: deque() for number in partitions})
        for mark in marks:
            self.add_watermark(mark)

    def add_watermark(self, mark: Watermark) -> None:
        """So far a partition is projected."""
        self._seen.watermarks[mark.partition].append(mark)

    def check(self) -> None:
        """Raises LogTruncatedError, and LogUnavailableError when the log cannot be asked: then it
        is asked the next time.

        To be called again and again: what is projected in between is remembered slab by slab.
        """
        seen = self._seen
        counts = {number: len(marks) for number, marks in seen.watermarks.items()}
        epochs = self._log.leader_epochs()
        for number, count in counts.items():
            marks = seen.watermarks[number]
            if epochs.get(number) != seen.epochs.get(number):
                for place in range(count):
                    self._check(marks[place])
            for _ in range(count - 1):
                marks.popleft()
        if self._seen is seen:
            self._seen = seen._replace(epochs=epochs)

    def _check(self, mark: Watermark) -> None:
        try:
            check_same_log(self._log.get_partition(mark.partition), mark)
        except ForeignDataError as foreign:
            raise LogTruncatedError(mark.partition, foreign.message) from foreign
