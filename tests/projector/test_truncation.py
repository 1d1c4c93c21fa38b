"""check_not_truncated: a change of leader, and only that, compares watermarks with the log."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from services.ledger.errors import LogUnavailableError
from services.ledger.records import Record, Watermark
from services.projector.partition_projector import PartitionProjector
from services.projector.truncation import LogTruncatedError, check_not_truncated
from services.projector.watermarks import make_watermark
from tests.projector.running_worker import LOG_ID, VALUES, FakeLog, RunningWorker, make_partition

AFTER = VALUES[20:]
"""Records that follow the truncation."""


class ReplicatedFakeLog(FakeLog):
    """Counts reads."""

    read_count, is_away = 0, False

    def leader_epochs(self) -> dict[int, int]:
        if self.is_away:
            raise LogUnavailableError("the broker is away")
        return {0: self.epoch}

    def read(self, next_offset: int, limit: int) -> list[Record]:
        self.read_count += 1
        return super().read(next_offset, limit)

    def cut(self, left: int, grown: Sequence[bytes]) -> None:
        self.epoch, self.values = self.epoch + 1, [*self.values[:left], *grown]


def watermark_at(log: FakeLog, next_offset: int) -> Watermark:
    """The watermark of a worker that projected up to `next_offset`."""
    return make_watermark(LOG_ID, 0, FakeLog.read(log, next_offset - 1, 1)[0])


def start_partition(log: ReplicatedFakeLog, *projected: int) -> PartitionProjector:
    partition = make_partition(log)
    partition.watermarks += [watermark_at(log, next_offset) for next_offset in projected]
    return partition


class TestCheckNotTruncated:
    """Every watermark since the last check is compared after a change of leader."""

    def test_check_reads_nothing_while_the_leader_stays(self) -> None:
        log = ReplicatedFakeLog(VALUES)
        partition = start_partition(log, 10, 12)
        check_not_truncated(log, [partition])
        partition.watermarks.append(watermark_at(log, 20))
        check_not_truncated(log, [partition])
        assert log.read_count == 0

    def test_check_accepts_a_leader_without_truncation(self) -> None:
        log = ReplicatedFakeLog(VALUES)
        partition = start_partition(log, 10)
        check_not_truncated(log, [partition])
        log.epoch = 1
        partition.watermarks.append(watermark_at(log, 15))
        check_not_truncated(log, [partition])
        assert log.read_count == 2  # what was projected before, and since
        check_not_truncated(log, [partition])
        assert log.read_count == 2

    @pytest.mark.parametrize("left", [0, 5, 12, 19])
    @pytest.mark.parametrize("grown", [[], AFTER], ids=["cut", "cut and grown"])
    @pytest.mark.parametrize("looked", [True, False])
    def test_check_detects_a_truncated_leader(
        self, left: int, grown: list[bytes], *, looked: bool
    ) -> None:
        """At any time between two checks, and whatever replaced the lost records."""
        log = ReplicatedFakeLog(VALUES)
        partition = start_partition(log, 10, 20)
        if looked:
            check_not_truncated(log, [partition])
        log.cut(left, grown)
        if grown:
            partition.watermarks.append(watermark_at(log, len(log.values)))
        log.is_away = True
        with pytest.raises(LogUnavailableError):
            check_not_truncated(log, [partition])
        log.is_away = False
        for _ in range(2):
            with pytest.raises(LogTruncatedError, match="partition 0: the log") as cut:
                check_not_truncated(log, [partition])
            assert cut.value.partition == 0

    def test_check_leaves_a_revoked_partition_out(self, tmp_path: Path) -> None:
        log = ReplicatedFakeLog(VALUES)
        running = RunningWorker(log, tmp_path / "read.sqlite")
        with closing(running.worker):
            running.take_over(0)
            running.project(0, 10)
            log.cut(0, [])
            running.take_over()
            running.worker.check_truncation()
        assert log.read_count == 0
        assert running.reasons == []
