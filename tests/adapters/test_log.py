"""The contract of the log port, run against every adapter, and what only a file can go through."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, get_ident
from typing import Protocol

import pytest

from services.adapters import sqlite_log
from services.adapters.sqlite_log import SqliteLog
from services.ledger.errors import DataForeign, LogDown, LogFull, Overloaded, SchemaAhead
from services.ledger.ports import Log, SingleLog
from services.ledger.position import Position

PROGRAMME = "default"
PATIENCE_SECONDS = 20.0


class Clock:
    """Tells the times it was given, then the last one for ever."""

    def __init__(self, *times: int) -> None:
        self.times = list(times)

    def __call__(self) -> int:
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


class OpenLog(SingleLog, Protocol):
    def on_append(self, wake: Callable[[], None]) -> None: ...

    def close(self) -> None: ...


Opened = Callable[..., OpenLog]


def open_sqlite(folder: Path, clock: Callable[[], int]) -> OpenLog:
    return SqliteLog(folder / "log.sqlite", clock=clock)


ADAPTERS = {"sqlite": open_sqlite}


def appended(log: Log, *values: bytes, programme: str = PROGRAMME) -> Position:
    return log.append(programme, values).result(PATIENCE_SECONDS)


@pytest.mark.parametrize("adapter", ADAPTERS)
class TestEveryLog:
    @pytest.fixture
    def open_log(self, adapter: str, tmp_path: Path) -> Iterator[Opened]:
        opened: list[OpenLog] = []

        def open_log(clock: Callable[[], int] | None = None) -> OpenLog:
            opened.append(ADAPTERS[adapter](tmp_path, clock or Clock(1)))
            return opened[-1]

        yield open_log
        for log in opened:
            log.close()

    def test_offsets_start_at_0_and_have_no_gaps(self, open_log: Opened) -> None:
        log = open_log()
        assert log.end() == 0
        assert log.read(0, 10) == []
        assert appended(log, b"a") == Position(log.log_id, 0, 1)
        assert appended(log, b"b", b"c", programme="other") == Position(log.log_id, 0, 3)
        assert log.end() == 3
        found = [(each.offset, each.programme_id, each.value) for each in log.read(0, 10)]
        assert found == [(0, PROGRAMME, b"a"), (1, "other", b"b"), (2, "other", b"c")]

    @pytest.mark.parametrize(
        ("told", "kept"),
        [
            ([10, 20, 30], [10, 20, 30]),
            ([10, 5, 7, 12], [10, 10, 10, 12]),
            ([10, -3], [10, 10]),
            ([10, 10], [10, 10]),
        ],
    )
    def test_record_time_never_goes_back(
        self, open_log: Opened, told: list[int], kept: list[int]
    ) -> None:
        log = open_log(Clock(*told))
        for number in range(len(told)):
            appended(log, b"%d" % number)
        assert [each.record_time for each in log.read(0, 10)] == kept

    def test_record_time_does_not_go_back_over_a_restart(self, open_log: Opened) -> None:
        log = open_log(Clock(10))
        appended(log, b"a")
        log.close()
        again = open_log(Clock(3))
        appended(again, b"b")
        assert [each.record_time for each in again.read(0, 10)] == [10, 10]

    def test_a_log_keeps_its_id_and_its_records_when_opened_again(self, open_log: Opened) -> None:
        log = open_log()
        log_id, before = log.log_id, (appended(log, b"a", b"b"), log.read(0, 10))
        log.close()
        again = open_log()
        assert again.log_id == log_id
        assert len(log_id) == 32
        assert again.read(0, 10) == before[1]
        assert appended(again, b"c") == Position(log_id, 0, 3)

    @pytest.mark.parametrize(
        ("start", "limit", "found"),
        [(0, 2, [0, 1]), (2, 2, [2, 3]), (4, 9, [4]), (5, 9, []), (99, 9, []), (0, 5, [*range(5)])],
    )
    def test_reads_are_pages(
        self, open_log: Opened, start: int, limit: int, found: list[int]
    ) -> None:
        log = open_log()
        appended(log, *(b"%d" % number for number in range(5)))
        assert [each.offset for each in log.read(start, limit)] == found

    def test_what_one_append_brings_stands_next_to_each_other(self, open_log: Opened) -> None:
        """32 threads append at once: everything is durable, in order, whole, and told so."""
        log = open_log()

        def import_one(thread: int) -> list[Position]:
            return [
                appended(log, *(b"%d.%d.%d" % (thread, batch, each) for each in range(3)))
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

    def test_who_waits_is_woken_on_every_append(self, open_log: Opened) -> None:
        log, woken = open_log(), Event()
        log.on_append(woken.set)
        appended(log, b"a")
        assert woken.wait(PATIENCE_SECONDS)

    def test_what_was_admitted_is_written_when_the_log_closes(self, open_log: Opened) -> None:
        log = open_log()
        waiting = [log.append(PROGRAMME, [b"%d" % number]) for number in range(200)]
        log.close()
        assert sorted(each.result(0).next_offset for each in waiting) == [*range(1, 201)]
        with pytest.raises(LogDown):
            log.append(PROGRAMME, [b"late"])
        log.close()
        assert open_log().end() == 200

    def test_a_caller_that_gives_up_harms_nobody(self, open_log: Opened) -> None:
        """Whoever holds the future may cancel it; the next append is answered all the same."""
        times = Event()

        def slow_clock() -> int:
            times.wait(PATIENCE_SECONDS)
            return 1

        log = open_log(slow_clock)
        given_up = log.append(PROGRAMME, [b"a"])
        given_up.cancel()
        times.set()
        assert log.append(PROGRAMME, [b"b"]).result(timeout=2.0).next_offset == 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@contextmanager
def stalled(log: SqliteLog, path: Path) -> Iterator[None]:
    """Holds the file, so that appends queue up behind the first one."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_appends_that_wait_at_the_same_time_share_one_commit(path: Path) -> None:
    commits: list[str] = []
    with closing(SqliteLog(path)) as log:
        log._connection.set_trace_callback(
            lambda statement: commits.append(statement) if statement == "COMMIT" else None
        )
        with stalled(log, path):
            waiting = [log.append(PROGRAMME, [b"%d" % number]) for number in range(500)]
        assert [each.result(PATIENCE_SECONDS).next_offset for each in waiting] == [*range(1, 501)]
        assert len(commits) <= 3
        log._connection.set_trace_callback(None)


def test_what_is_beyond_the_queue_is_refused_and_nothing_of_it_appended(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "_QUEUE_BYTES", 5 * (1_000 + 1))
    with closing(SqliteLog(path)) as log:
        waiting: list[Future[Position]] = []
        with stalled(log, path), suppress(Overloaded):
            while len(waiting) < 20:
                waiting.append(log.append(PROGRAMME, [b"%d" % (len(waiting) % 10)]))
        assert 5 <= len(waiting) < 20
        for each in waiting:
            each.result(PATIENCE_SECONDS)
        assert log.end() == len(waiting)
        appended(log, b"room again")


def test_one_large_append_is_taken_when_nothing_else_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "_QUEUE_BYTES", 10)
    with closing(SqliteLog(path)) as log:
        assert appended(log, b"large").next_offset == 1


def test_a_file_that_somebody_else_holds_is_down_for_the_moment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    with closing(SqliteLog(path, on_failure=failures.append)) as log:
        log._connection.execute("PRAGMA busy_timeout = 1")
        with stalled(log, path), pytest.raises(LogDown):
            appended(log, b"a")
        assert appended(log, b"b").next_offset == 1
    assert failures == []


def test_a_full_disk_appends_nothing_and_takes_facts_again_when_there_is_room(path: Path) -> None:
    failures: list[str] = []
    with closing(SqliteLog(path, on_failure=failures.append)) as log:
        appended(log, b"small")
        (pages,) = log._connection.execute("PRAGMA page_count").fetchone()
        log._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(LogFull, match="free some disk space"):
            appended(log, b"fits", b"x" * 100_000)
        assert log.end() == 1
        assert [each.value for each in log.read(0, 9)] == [b"small"]
        log._connection.execute(f"PRAGMA max_page_count = {pages + 1_000}")
        assert appended(log, b"x" * 100_000).next_offset == 2
    assert failures == []


DAMAGE = {
    "another value": "UPDATE record SET value = x'00' WHERE offset = 2",
    "another time": "UPDATE record SET record_time = record_time + 1 WHERE offset = 2",
    "another programme": "UPDATE record SET programme_id = 'x' WHERE offset = 2",
    "another digest": "UPDATE record SET digest = x'00' WHERE offset = 2",
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_last_record_is_refused(path: Path, change: str, *, read_only: bool) -> None:
    _write_three(path)
    _alter(path, change)
    with pytest.raises(DataForeign, match=r"last record .* damaged; restore"):
        SqliteLog(path, read_only=read_only)


def test_damage_further_back_is_found_by_looking(path: Path) -> None:
    _write_three(path)
    _alter(path, "UPDATE record SET value = x'00' WHERE offset = 1")
    with closing(SqliteLog(path, read_only=True)) as log:
        assert log.damage() == ([1], None)
    _alter(path, "UPDATE record SET value = 'text' WHERE offset = 0")
    with closing(SqliteLog(path, read_only=True)) as log:
        assert log.damage() == ([0, 1], None)
        assert log.read(0, 1)[0].value == b"text"
    _alter(path, "DELETE FROM record WHERE offset = 0")
    with closing(SqliteLog(path, read_only=True)) as log:
        assert log.damage() == ([], 0)


FOREIGN = {
    "no database": lambda path: path.write_bytes(b"reference,giver,receiver\n" * 100),
    "another program's": lambda path: _alter(path, "CREATE TABLE theirs (a)"),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "overwritten": lambda path: path.write_bytes(b"\xff" * 8192),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_is_not_ours_is_refused(
    path: Path, make: Callable[[Path], object], tmp_path: Path
) -> None:
    if make is FOREIGN["cut short"]:
        _write_three(path)
    make(path)
    before = path.read_bytes()
    with pytest.raises(DataForeign, match="--data"):
        SqliteLog(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_format_is_refused(path: Path, *, read_only: bool) -> None:
    _write_three(path)
    _alter(path, f"PRAGMA user_version = {sqlite_log.FORMAT + 1}")
    with pytest.raises(SchemaAhead, match="upgrade mutua"):
        SqliteLog(path, read_only=read_only)


def test_a_reader_beside_the_writer_sees_what_was_committed(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        appended(log, b"a")
        with closing(SqliteLog(path, read_only=True)) as reader:
            assert (reader.log_id, reader.end()) == (log.log_id, 1)
            appended(log, b"b")
            assert [each.value for each in reader.read(0, 9)] == [b"a", b"b"]
            assert reader.end() == 2
            with pytest.raises(LogDown):
                reader.append(PROGRAMME, [b"c"])


def test_many_threads_may_read_one_log(path: Path) -> None:
    """A reader's `end` and `read` are asked from any number of threads at once."""
    _write_three(path)
    with closing(SqliteLog(path, read_only=True)) as reader, ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(reader.end) for _ in range(300)]
        pages = [pool.submit(reader.read, 0, 9) for _ in range(300)]
        assert {each.result(PATIENCE_SECONDS) for each in asked} == {3}
        assert {len(each.result(PATIENCE_SECONDS)) for each in pages} == {3}


def test_a_failure_is_told_on_the_writers_thread_and_ends_appending(path: Path) -> None:
    """A commit that fails in a way nobody understands: the outcome is unknown, once and for all."""
    told: list[int] = []
    log = SqliteLog(path, on_failure=lambda _: told.append(get_ident()))
    appended(log, b"a")
    _alter(path, "DROP TABLE record")
    outcome = log.append(PROGRAMME, [b"b"]).exception(PATIENCE_SECONDS)
    assert getattr(outcome, "reason", outcome) == "OUTCOME_UNKNOWN"
    assert len(told) == 1
    assert told != [get_ident()]
    with pytest.raises(LogDown):
        log.append(PROGRAMME, [b"c"])
    closer = Thread(target=log.close)
    closer.start()
    closer.join(PATIENCE_SECONDS)
    assert not closer.is_alive()


def _write_three(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        appended(log, b"a", b"b", b"c")


def _alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
