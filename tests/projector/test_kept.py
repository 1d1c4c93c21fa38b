"""Whether what was projected is asked for when a leader was replaced, and only then."""

from collections.abc import Sequence

import pytest

from services.ledger.errors import LogDown
from services.ledger.ports import Record, Watermark
from services.projector.kept import Kept, LogCut
from services.projector.slab import mark
from tests.projector.test_worker import LOG_ID, VALUES, Log

AFTER = VALUES[20:]
"""What is recorded once the log was cut."""


class LedLog(Log):
    """Counts what is asked of it."""

    asked, is_away = 0, False

    def epochs(self) -> dict[int, int]:
        if self.is_away:
            raise LogDown("the broker is away")
        return {0: self.epoch}

    def read(self, next_offset: int, limit: int) -> list[Record]:
        self.asked += 1
        return super().read(next_offset, limit)

    def cut(self, left: int, grown: Sequence[bytes]) -> None:
        self.epoch, self.values = self.epoch + 1, [*self.values[:left], *grown]


def marked(log: Log, next_offset: int) -> Watermark:
    """What a worker says that has projected so far."""
    return mark(LOG_ID, 0, Log.read(log, next_offset - 1, 1)[0])


def kept(log: LedLog, *projected: int) -> Kept:
    found = Kept(log)
    found.begin(log.epochs(), [0], [])
    for next_offset in projected:
        found.add(marked(log, next_offset))
    return found


def test_nothing_is_asked_while_the_leader_stays() -> None:
    log = LedLog(VALUES)
    looking = kept(log, 10, 12)
    looking.look()
    looking.add(marked(log, 20))
    looking.look()
    assert log.asked == 0


def test_a_leader_that_has_everything_is_gone_on_with() -> None:
    log = LedLog(VALUES)
    looking = kept(log, 10)
    looking.look()
    log.epoch = 1
    looking.add(marked(log, 15))
    looking.look()
    assert log.asked == 2  # what was projected before, and since
    looking.look()
    assert log.asked == 2


@pytest.mark.parametrize("left", [0, 5, 12, 19])
@pytest.mark.parametrize("grown", [[], AFTER], ids=["cut", "cut and grown"])
@pytest.mark.parametrize("looked", [True, False])
def test_a_leader_that_lacks_something_is_found_out(
    left: int, grown: list[bytes], *, looked: bool
) -> None:
    """Whatever was projected when, between two looks, and whatever is projected of what is new."""
    log = LedLog(VALUES)
    looking = kept(log, 10, 20)
    if looked:
        looking.look()
    log.cut(left, grown)
    if grown:
        looking.add(marked(log, len(log.values)))
    log.is_away = True
    with pytest.raises(LogDown):
        looking.look()
    log.is_away = False
    for _ in range(2):
        with pytest.raises(LogCut, match="partition 0: the log") as cut:
            looking.look()
        assert cut.value.partition == 0


def test_a_partition_that_others_have_by_now_is_theirs() -> None:
    log = LedLog(VALUES)
    looking = kept(log, 10)
    log.cut(0, [])
    looking.begin(log.epochs(), [], [])
    looking.look()
    assert log.asked == 0
