"""TruncationDetector: a change of leader, and only that, compares watermarks with the log."""

from collections.abc import Sequence

import pytest

from services.ledger.errors import LogUnavailableError
from services.ledger.records import Record, Watermark
from services.projector.truncation_detector import LogTruncatedError, TruncationDetector
from services.projector.watermarks import make_watermark
from tests.projector.test_worker import LOG_ID, VALUES, FakeLog

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


def start_detector(log: ReplicatedFakeLog, *projected: int) -> TruncationDetector:
    detector = TruncationDetector(log)
    detector.reset(log.leader_epochs(), [0], [])
    for next_offset in projected:
        detector.add_watermark(watermark_at(log, next_offset))
    return detector


def test_check_reads_nothing_while_the_leader_stays() -> None:
    log = ReplicatedFakeLog(VALUES)
    detector = start_detector(log, 10, 12)
    detector.check()
    detector.add_watermark(watermark_at(log, 20))
    detector.check()
    assert log.read_count == 0


def test_leader_without_truncation_continues() -> None:
    log = ReplicatedFakeLog(VALUES)
    detector = start_detector(log, 10)
    detector.check()
    log.epoch = 1
    detector.add_watermark(watermark_at(log, 15))
    detector.check()
    assert log.read_count == 2  # what was projected before, and since
    detector.check()
    assert log.read_count == 2


@pytest.mark.parametrize("left", [0, 5, 12, 19])
@pytest.mark.parametrize("grown", [[], AFTER], ids=["cut", "cut and grown"])
@pytest.mark.parametrize("looked", [True, False])
def test_truncated_leader_is_detected(left: int, grown: list[bytes], *, looked: bool) -> None:
    """At any time between two checks, and whatever replaced the lost records."""
    log = ReplicatedFakeLog(VALUES)
    detector = start_detector(log, 10, 20)
    if looked:
        detector.check()
    log.cut(left, grown)
    if grown:
        detector.add_watermark(watermark_at(log, len(log.values)))
    log.is_away = True
    with pytest.raises(LogUnavailableError):
        detector.check()
    log.is_away = False
    for _ in range(2):
        with pytest.raises(LogTruncatedError, match="partition 0: the log") as cut:
            detector.check()
        assert cut.value.partition == 0


def test_revoked_partition_is_not_checked() -> None:
    log = ReplicatedFakeLog(VALUES)
    detector = start_detector(log, 10)
    log.cut(0, [])
    detector.reset(log.leader_epochs(), [], [])
    detector.check()
    assert log.read_count == 0
