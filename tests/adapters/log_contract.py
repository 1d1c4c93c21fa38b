"""Contract tests of the log port, which every adapter runs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from services.ledger.errors import LogUnavailableError
from services.ledger.ports import Log, SingleLog
from services.ledger.position import Position
from tests.waiting import PATIENCE_SECONDS

PROGRAMME = "default"


class ClosableLog(SingleLog, Protocol):
    def close(self) -> None: ...


LogOpener = Callable[[], ClosableLog]


def append_durably(log: Log, *values: bytes, programme: str = PROGRAMME) -> Position:
    return log.append(programme, values).result(PATIENCE_SECONDS)


class LogContract:
    """The contract of logs with one partition.

    A subclass has a fixture `open_log`, which opens the same log every time, empty at first, and
    closes it after the test.
    """

    def test_offsets_start_at_0_without_gaps(self, open_log: LogOpener) -> None:
        log = open_log()
        assert log.end() == 0
        assert log.read(0, 10) == []
        assert append_durably(log, b"a") == Position(log.log_id, 0, 1)
        assert append_durably(log, b"b", b"c", programme="other") == Position(log.log_id, 0, 3)
        assert log.end() == 3
        assert 0 == log.queued_bytes < log.queue_limit_bytes
        rows = [(each.offset, each.programme_id, each.value) for each in log.read(0, 10)]
        assert rows == [(0, PROGRAMME, b"a"), (1, "other", b"b"), (2, "other", b"c")]

    def test_reopened_log_has_same_id_and_records(self, open_log: LogOpener) -> None:
        log = open_log()
        log_id, before = log.log_id, (append_durably(log, b"a", b"b"), log.read(0, 10))
        log.close()
        again = open_log()
        assert again.log_id == log_id
        assert len(log_id) == 32
        assert again.read(0, 10) == before[1]
        assert append_durably(again, b"c") == Position(log_id, 0, 3)

    @pytest.mark.parametrize(
        ("start", "limit", "offsets"),
        [(0, 2, [0, 1]), (2, 2, [2, 3]), (4, 9, [4]), (5, 9, []), (99, 9, []), (0, 5, [*range(5)])],
    )
    def test_read_returns_pages(
        self, open_log: LogOpener, start: int, limit: int, offsets: list[int]
    ) -> None:
        log = open_log()
        append_durably(log, *(b"%d" % number for number in range(5)))
        assert [each.offset for each in log.read(start, limit)] == offsets

    def test_records_of_an_append_are_contiguous(self, open_log: LogOpener) -> None:
        """32 threads append at once: every append is durable, contiguous and in order."""
        log = open_log()

        def import_one(thread: int) -> list[Position]:
            return [
                append_durably(log, *(b"%d.%d.%d" % (thread, batch, each) for each in range(3)))
                for batch in range(10)
            ]

        with ThreadPoolExecutor(32) as pool:
            positions = list(pool.map(import_one, range(32)))
        assert log.end() == 32 * 10 * 3
        values = [each.value for each in log.read(0, 10_000)]
        for thread, thread_positions in enumerate(positions):
            assert thread_positions == sorted(
                thread_positions, key=lambda position: position.next_offset
            )
            for batch, position in enumerate(thread_positions):
                appended = values[position.next_offset - 3 : position.next_offset]
                assert appended == [b"%d.%d.%d" % (thread, batch, each) for each in range(3)]

    def test_close_writes_admitted_records(self, open_log: LogOpener) -> None:
        log = open_log()
        waiting = [log.append(PROGRAMME, [b"%d" % number]) for number in range(200)]
        log.close()
        assert sorted(each.result(0).next_offset for each in waiting) == [*range(1, 201)]
        with pytest.raises(LogUnavailableError):
            log.append(PROGRAMME, [b"late"])
        log.close()
        assert open_log().end() == 200

    def test_cancelled_append_does_not_affect_the_next(self, open_log: LogOpener) -> None:
        log = open_log()
        log.append(PROGRAMME, [b"a"]).cancel()
        assert append_durably(log, b"b").next_offset == 2
