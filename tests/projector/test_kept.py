"""Whether what was projected is asked for when a leader was replaced, and only then."""

from collections.abc import Sequence

import pytest

from services.ledger.errors import LogUnavailableError
from services.ledger.records import Record, Watermark
from services.projector.slab import make_watermark
from services.projector.truncation_detector import LogTruncatedError, TruncationDetector
from tests.projector.test_worker import LOG_ID, VALUES, FakeLog

AFTER = VALUES[20:]
"""What is recorded once the log was cut."""


class ReplicatedFakeLog(FakeLog):
    """Counts what is asked of it."""

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
    """What a worker says that has projected so far."""
    return make_watermark(LOG_ID, 0, FakeLog.read(log, next_offset - 1, 1)[0])


def start_detector(log: ReplicatedFakeLog, *projected: int) -> TruncationDetector:
    found = TruncationDetector(log)
    found.reset(log.leader_epochs(), [0], [])
    for next_offset in projected:
        found.add_watermark(watermark_at(log, next_offset))
    return found


def test_nothing_is_asked_while_the_leader_stays() -> None:
    log = ReplicatedFakeLog(VALUES)
    looking = start_detector(log, 10, 12)
    looking.check()
    looking.add_watermark(watermark_at(log, 20))
    looking.check()
    assert log.read_count == 0


def test_a_leader_that_has_everything_is_gone_on_with() -> None:
    log = ReplicatedFakeLog(VALUES)
    looking = start_detector(log, 10)
    looking.check()
    log.epoch = 1
    looking.add_watermark(watermark_at(log, 15))
    looking.check()
    assert log.read_count == 2  # what was projected before, and since
    looking.check()
    assert log.read_count == 2


@pytest.mark.parametrize("left", [0, 5, 12, 19])
@pytest.mark.parametrize("grown", [[], AFTER], ids=["cut", "cut and grown"])
@pytest.mark.parametrize("looked", [True, False])
def test_a_leader_that_lacks_something_is_found_out(
    left: int, grown: list[bytes], *, looked: bool
) -> None:
    """Whatever was projected when, between two looks, and whatever is projected of what is new."""
    log = ReplicatedFakeLog(VALUES)
    looking = start_detector(log, 10, 20)
    if looked:
        looking.check()
    log.cut(left, grown)
    if grown:
        looking.add_watermark(watermark_at(log, len(log.values)))
    log.is_away = True
    with pytest.raises(LogUnavailableError):
        looking.check()
    log.is_away = False
    for _ in range(2):
        with pytest.raises(LogTruncatedError, match="partition 0: the log") as cut:
            looking.check()
        assert cut.value.partition == 0


def test_a_partition_that_others_have_by_now_is_theirs() -> None:
    log = ReplicatedFakeLog(VALUES)
    looking = start_detector(log, 10)
    log.cut(0, [])
    looking.reset(log.leader_epochs(), [], [])
    looking.check()
    assert log.read_count == 0
