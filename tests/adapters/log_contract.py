"""The contract of the log port, run against every adapter."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from services.ledger.errors import LogUnavailableError
from services.ledger.ports import Log, SingleLog
from services.ledger.position import Position

PROGRAMME = "default"
PATIENCE_SECONDS = 120.0


class ClosableLog(SingleLog, Protocol):
    def close(self) -> None: ...


LogOpener = Callable[[], ClosableLog]


def append_durably(log: Log, *values: bytes, programme: str = PROGRAMME) -> Position:
    return log.append(programme, values).result(PATIENCE_SECONDS)


class LogContract:
    """What holds for every log of one partition. A child has a fixture `open_log` that opens the
    same log each time, empty at first, and closes what a test left open.
    """

    def test_offsets_start_at_0_and_have_no_gaps(self, open_log: LogOpener) -> None:
        log = open_log()
        assert log.end() == 0
        assert log.read(0, 10) == []
        assert append_durably(log, b"a") == Position(log.log_id, 0, 1)
        assert append_durably(log, b"b", b"c", programme="other") == Position(log.log_id, 0, 3)
        assert log.end() == 3
        assert 0 == log.queued_bytes < log.queue_limit_bytes
        found = [(each.offset, each.programme_id, each.value) for each in log.read(0, 10)]
        assert found == [(0, PROGRAMME, b"a"), (1, "other", b"b"), (2, "other", b"c")]

    def test_a_log_keeps_its_id_and_its_records_when_opened_again(
        self, open_log: LogOpener
    ) -> None:
        log = open_log()
        log_id, before = log.log_id, (append_durably(log, b"a", b"b"), log.read(0, 10))
        log.close()
        again = open_log()
        assert again.log_id == log_id
        assert len(log_id) == 32
        assert again.read(0, 10) == before[1]
        assert append_durably(again, b"c") == Position(log_id, 0, 3)

    @pytest.mark.parametrize(
        ("start", "limit", "found"),
        [(0, 2, [0, 1]), (2, 2, [2, 3]), (4, 9, [4]), (5, 9, []), (99, 9, []), (0, 5, [*range(5)])],
    )
    def test_reads_are_pages(
        self, open_log: LogOpener, start: int, limit: int, found: list[int]
    ) -> None:
        log = open_log()
        append_durably(log, *(b"%d" % number for number in range(5)))
        assert [each.offset for each in log.read(start, limit)] == found

    def test_what_one_append_brings_stands_next_to_each_other(self, open_log: LogOpener) -> None:
        """32 threads append at once: everything is durable, in order, whole, and told so."""
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
        for thread, told in enumerate(positions):
            assert told == sorted(told, key=lambda each: each.next_offset)
            for batch, position in enumerate(told):
                stands = values[position.next_offset - 3 : position.next_offset]
                assert stands == [b"%d.%d.%d" % (thread, batch, each) for each in range(3)]

    def test_what_was_admitted_is_written_when_the_log_closes(self, open_log: LogOpener) -> None:
        log = open_log()
        waiting = [log.append(PROGRAMME, [b"%d" % number]) for number in range(200)]
        log.close()
        assert sorted(each.result(0).next_offset for each in waiting) == [*range(1, 201)]
        with pytest.raises(LogUnavailableError):
            log.append(PROGRAMME, [b"late"])
        log.close()
        assert open_log().end() == 200

    def test_a_caller_that_gives_up_harms_nobody(self, open_log: LogOpener) -> None:
        log = open_log()
        log.append(PROGRAMME, [b"a"]).cancel()
        assert append_durably(log, b"b").next_offset == 2
