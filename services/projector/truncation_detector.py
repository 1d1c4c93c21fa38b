"""Detects that a log lost projected records when the leader of a partition changed (KIP-320)."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from services.ledger.errors import ForeignDataError
from services.ledger.ports import ReadableLog
from services.ledger.records import Watermark
from services.projector.watermarks import check_same_log


class ReplicatedLog(ReadableLog, Protocol):
    """A log whose partitions have leaders, and that can be recreated under the same name."""

    def check_identity(self) -> None:
        """Raises ForeignDataError when the log was recreated."""

    def leader_epochs(self) -> Mapping[int, int]:
        """Returns numbers by partition that grow with every change of the partition's leader."""


class LogTruncatedError(ForeignDataError):
    """A partition lost projected records; records that replaced them may be projected, too."""

    def __init__(self, partition: int, message: str) -> None:
        super().__init__(f"partition {partition}: {message}")
        self.partition = partition


class _Checkpoint(NamedTuple):
    """Leader epochs at the last check, the watermarks since, and the last one before."""

    epochs: Mapping[int, int]
    watermarks: Mapping[int, deque[Watermark]]


# decision 0085: truncation is detected by leader epochs
class TruncationDetector:
    """Remembers watermarks and compares them with the log after a change of leader.

    The new leader may lack the last records, or have been restored from a backup, and assign their
    offsets to other records. A consumer that reads by offset does not notice. Call `check` on one
    thread; another thread may add watermarks meanwhile.
    """

    def __init__(self, log: ReplicatedLog) -> None:
        self._log = log
        self._checkpoint = _Checkpoint({}, {})

    def reset(
        self, epochs: Mapping[int, int], partitions: Iterable[int], marks: Iterable[Watermark]
    ) -> None:
        """Watches exactly `partitions`; `marks` were compared with the log under `epochs`."""
        self._checkpoint = _Checkpoint(epochs, {number: deque() for number in partitions})
        for mark in marks:
            self.add_watermark(mark)

    def add_watermark(self, mark: Watermark) -> None:
        self._checkpoint.watermarks[mark.partition].append(mark)

    def check(self) -> None:
        """Raises LogTruncatedError when the log lacks a projected record.

        Raises LogUnavailableError when the log does not answer; the next call checks the same
        watermarks. Call it regularly, because every watermark since the last call is remembered.
        """
        checkpoint = self._checkpoint
        counts = {number: len(marks) for number, marks in checkpoint.watermarks.items()}
        epochs = self._log.leader_epochs()
        for number, count in counts.items():
            marks = checkpoint.watermarks[number]
            if epochs.get(number) != checkpoint.epochs.get(number):
                for place in range(count):
                    self._check(marks[place])
            for _ in range(count - 1):
                marks.popleft()
        if self._checkpoint is checkpoint:
            self._checkpoint = checkpoint._replace(epochs=epochs)

    def _check(self, mark: Watermark) -> None:
        try:
            check_same_log(self._log.get_partition(mark.partition), mark)
        except ForeignDataError as error:
            raise LogTruncatedError(mark.partition, error.message) from error
