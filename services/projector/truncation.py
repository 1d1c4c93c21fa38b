"""Detects that a log lost projected records when the leader of a partition changed (KIP-320)."""

from collections.abc import Collection, Mapping
from typing import Protocol

from services.ledger.errors import ForeignDataError
from services.ledger.ports import ReadableLog
from services.projector.partition_projector import PartitionProjector
from services.projector.watermarks import check_log_holds_watermark


class ReplicatedLog(ReadableLog, Protocol):
    """A log whose partitions have leaders, and that can be recreated under the same name."""

    def check_identity(self) -> None:
        """Raises ForeignDataError when the log was recreated."""

    def leader_epochs(self) -> Mapping[int, int]:
        """Returns numbers by partition that grow with every change of the partition's leader."""


class LogTruncatedError(ForeignDataError):
    """A partition lost projected records; records that replaced them may be projected, too."""

    def __init__(self, partition: int, cause: ForeignDataError) -> None:
        super().__init__(f"partition {partition}: {cause.problem}", remedy=cause.remedy)
        self.partition = partition


# decision 0085: truncation is detected by leader epochs
def check_not_truncated(log: ReplicatedLog, partitions: Collection[PartitionProjector]) -> None:
    """Compares watermarks with the log after a change of leader.

    The new leader may lack the last records, or have been restored from a backup, and assign their
    offsets to other records. A consumer that reads by offset does not notice.

    Every slab since the last call left a watermark. After the comparison this function deletes all
    but the latest, which the next call compares, too: it shows whether a later leader still holds
    everything up to here. Call it regularly, on one thread, because watermarks accumulate until
    then. Other threads may project meanwhile.

    Raises LogTruncatedError when the log lacks a projected record, and LogUnavailableError when it
    does not answer; the next call then compares the same watermarks.
    """
    # Counted before the epochs are read, because a later watermark may be from a later leader.
    counts = [len(partition.watermarks) for partition in partitions]
    epochs = log.leader_epochs()
    for partition, count in zip(partitions, counts, strict=True):
        number, watermarks = partition.number, partition.watermarks
        if epochs.get(number) != partition.leader_epoch:
            for place in range(count):
                try:
                    check_log_holds_watermark(log.get_partition(number), watermarks[place])
                except ForeignDataError as error:
                    raise LogTruncatedError(number, error) from error
        for _ in range(count - 1):
            watermarks.popleft()
        partition.leader_epoch = epochs.get(number)
