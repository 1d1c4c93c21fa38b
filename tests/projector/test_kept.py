"""Whether what was projected is asked for when a leader was replaced, and only then."""

from collections.abc import Mapping

import pytest

from services.ledger.ports import Record, Watermark
from services.projector.kept import Kept, LogCut
from services.projector.slab import mark
from tests.projector.test_worker import LOG_ID, VALUES, Log

AFTER = VALUES[20:]
"""What is recorded once the log was cut."""


class LedLog(Log):
    """A log with a leader."""

    epoch = 0
    asked = 0

    def epochs(self) -> Mapping[int, int]:
        return {0: self.epoch}

    def read(self, next_offset: int, limit: int) -> list[Record]:
        self.asked += 1
        return super().read(next_offset, limit)


def marks(log: Log, next_offset: int) -> dict[int, Watermark]:
    """What a worker says that has projected so far."""
    return {0: mark(LOG_ID, 0, Log.read(log, next_offset - 1, 1)[0])}


def test_nothing_is_asked_while_the_leader_stays() -> None:
    log = LedLog(VALUES)
    kept = Kept(log)
    for next_offset in (10, 12, 20):
        kept.look(marks(log, next_offset))
    assert log.asked == 0


def test_a_leader_that_has_everything_is_gone_on_with() -> None:
    log = LedLog(VALUES)
    kept = Kept(log)
    kept.look(marks(log, 10))
    log.epoch = 1
    kept.look(marks(log, 15))
    kept.look(marks(log, 20))
    assert log.asked == 1


@pytest.mark.parametrize("left", [0, 5, 9])
@pytest.mark.parametrize("grown", [[], AFTER], ids=["cut", "cut and grown"])
def test_a_leader_that_lacks_something_is_found_out(left: int, grown: list[bytes]) -> None:
    log = LedLog(VALUES)
    kept = Kept(log)
    kept.look(before := marks(log, 10))
    log.epoch, log.values = 2, VALUES[:left] + grown
    log.times = log.times[: len(log.values)]
    after = marks(log, len(log.values)) if grown else before
    with pytest.raises(LogCut, match="partition 0: the log") as cut:
        kept.look(after)
    assert cut.value.partition == 0
    with pytest.raises(LogCut):
        kept.look(after)


def test_a_partition_that_others_have_by_now_is_theirs() -> None:
    log = LedLog(VALUES)
    kept = Kept(log)
    kept.look(marks(log, 10))
    log.epoch, log.values = 1, []
    kept.look({})
