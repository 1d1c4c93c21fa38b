"""The SQLite log: the contract of the port, and failures of files."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, get_ident

import pytest

from services.adapters.sqlite import log as sqlite_log
from services.adapters.sqlite.log import SqliteLog
from services.ledger.errors import (
    ForeignDataError,
    LogFullError,
    LogUnavailableError,
    NewerSchemaError,
    OverloadedError,
)
from services.ledger.position import Position
from tests.adapters.log_contract import (
    PROGRAMME,
    LogContract,
    LogOpener,
    append_durably,
)
from tests.waiting import PATIENCE_SECONDS


class ScriptedClock:
    """Returns the given times in order, then the last one for ever."""

    def __init__(self, *times: int) -> None:
        self.times = list(times)

    def __call__(self) -> int:
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


class TestSqliteLog(LogContract):
    @pytest.fixture
    def open_log(self, path: Path) -> Iterator[LogOpener]:
        with ExitStack() as logs:
            yield lambda: logs.enter_context(closing(SqliteLog(path, clock=lambda: 1)))


class TestRecordTime:
    @pytest.mark.parametrize(
        ("clock_times", "record_times"),
        [
            ([10, 20, 30], [10, 20, 30]),
            ([10, 5, 7, 12], [10, 10, 10, 12]),
            ([10, -3], [10, 10]),
            ([10, 10], [10, 10]),
        ],
    )
    def test_never_decreases(
        self, path: Path, clock_times: list[int], record_times: list[int]
    ) -> None:
        with closing(SqliteLog(path, clock=ScriptedClock(*clock_times))) as log:
            for number in range(len(clock_times)):
                append_durably(log, b"%d" % number)
            assert [each.record_time for each in log.read(0, 10)] == record_times

    def test_never_decreases_across_a_restart(self, path: Path) -> None:
        with closing(SqliteLog(path, clock=ScriptedClock(10))) as log:
            append_durably(log, b"a")
        with closing(SqliteLog(path, clock=ScriptedClock(3))) as again:
            append_durably(again, b"b")
            assert [each.record_time for each in again.read(0, 10)] == [10, 10]


@contextmanager
def stalled(log: SqliteLog, path: Path) -> Iterator[None]:
    """Locks the file, so that appends queue up behind the first one."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


DAMAGE = {
    "another value": "UPDATE record SET value = x'00' WHERE offset = 2",
    "another time": "UPDATE record SET record_time = record_time + 1 WHERE offset = 2",
    "another programme": "UPDATE record SET programme_id = 'x' WHERE offset = 2",
    "another digest": "UPDATE record SET digest = x'00' WHERE offset = 2",
}


FOREIGN = {
    "no database": lambda path: path.write_bytes(b"reference,giver,receiver\n" * 100),
    "another program's": lambda path: _alter(path, "CREATE TABLE theirs (a)"),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "overwritten": lambda path: path.write_bytes(b"\xff" * 8192),
}


class TestAppend:
    def test_calls_on_append(self, path: Path) -> None:
        called = Event()
        with closing(SqliteLog(path)) as log:
            log.on_append(called.set)
            append_durably(log, b"a")
            assert called.wait(PATIENCE_SECONDS)

    def test_cancelled_append_does_not_block_the_next(self, path: Path) -> None:
        """A caller may cancel its future; the next append is still confirmed."""
        times = Event()

        def slow_clock() -> int:
            times.wait(PATIENCE_SECONDS)
            return 1

        with closing(SqliteLog(path, clock=slow_clock)) as log:
            cancelled = log.append(PROGRAMME, [b"a"])
            cancelled.cancel()
            times.set()
            assert log.append(PROGRAMME, [b"b"]).result(PATIENCE_SECONDS).next_offset == 2

    def test_waiting_appends_share_a_commit(self, path: Path) -> None:
        commits: list[str] = []
        with closing(SqliteLog(path)) as log:
            log._connection.set_trace_callback(
                lambda statement: commits.append(statement) if statement == "COMMIT" else None
            )
            with stalled(log, path):
                waiting = [log.append(PROGRAMME, [b"%d" % number]) for number in range(500)]
            assert [each.result(PATIENCE_SECONDS).next_offset for each in waiting] == [
                *range(1, 501)
            ]
            assert len(commits) <= 3
            log._connection.set_trace_callback(None)

    def test_full_queue_refuses_appends(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_log, "_QUEUE_BYTES", 5 * (1_000 + 1))
        with closing(SqliteLog(path)) as log:
            waiting: list[Future[Position]] = []
            with stalled(log, path), suppress(OverloadedError):
                while len(waiting) < 20:
                    waiting.append(log.append(PROGRAMME, [b"%d" % (len(waiting) % 10)]))
            assert 5 <= len(waiting) < 20
            for each in waiting:
                each.result(PATIENCE_SECONDS)
            assert log.end() == len(waiting)
            append_durably(log, b"room again")

    def test_oversized_append_is_accepted_when_nothing_waits(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_log, "_QUEUE_BYTES", 10)
        with closing(SqliteLog(path)) as log:
            assert append_durably(log, b"large").next_offset == 1

    def test_locked_file_refuses_append_temporarily(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures: list[str] = []
        with closing(SqliteLog(path, on_failure=failures.append)) as log:
            log._connection.execute("PRAGMA busy_timeout = 1")
            with stalled(log, path), pytest.raises(LogUnavailableError):
                append_durably(log, b"a")
            assert append_durably(log, b"b").next_offset == 1
        assert failures == []

    def test_full_disk_refuses_append_until_there_is_space(self, path: Path) -> None:
        failures: list[str] = []
        with closing(SqliteLog(path, on_failure=failures.append)) as log:
            append_durably(log, b"small")
            (pages,) = log._connection.execute("PRAGMA page_count").fetchone()
            log._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
            with pytest.raises(LogFullError, match="free some disk space"):
                append_durably(log, b"fits", b"x" * 100_000)
            assert log.end() == 1
            assert [each.value for each in log.read(0, 9)] == [b"small"]
            log._connection.execute(f"PRAGMA max_page_count = {pages + 1_000}")
            assert append_durably(log, b"x" * 100_000).next_offset == 2
        assert failures == []

    def test_failed_commit_is_reported_and_ends_appending(self, path: Path) -> None:
        """After a commit fails for an unknown cause, the log refuses every append."""
        clock_times: list[int] = []
        log = SqliteLog(path, on_failure=lambda _: clock_times.append(get_ident()))
        append_durably(log, b"a")
        _alter(path, "DROP TABLE record")
        outcome = log.append(PROGRAMME, [b"b"]).exception(PATIENCE_SECONDS)
        assert getattr(outcome, "reason", outcome) == "OUTCOME_UNKNOWN"
        assert len(clock_times) == 1
        assert clock_times != [get_ident()]
        with pytest.raises(LogUnavailableError):
            log.append(PROGRAMME, [b"c"])
        closer = Thread(target=log.close)
        closer.start()
        closer.join(PATIENCE_SECONDS)
        assert not closer.is_alive()


class TestOpen:
    @pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
    @pytest.mark.parametrize("read_only", [False, True])
    def test_refuses_a_damaged_last_record(
        self, path: Path, change: str, *, read_only: bool
    ) -> None:
        _write_three(path)
        _alter(path, change)
        with pytest.raises(ForeignDataError, match=r"last record .* damaged; restore"):
            SqliteLog(path, read_only=read_only)

    def test_find_damage_finds_earlier_damage(self, path: Path) -> None:
        _write_three(path)
        _alter(path, "UPDATE record SET value = x'00' WHERE offset = 1")
        with closing(SqliteLog(path, read_only=True)) as log:
            assert log.find_damage() == ([1], None)
        _alter(path, "UPDATE record SET value = 'text' WHERE offset = 0")
        with closing(SqliteLog(path, read_only=True)) as log:
            assert log.find_damage() == ([0, 1], None)
            assert log.read(0, 1)[0].value == b"text"
        _alter(path, "DELETE FROM record WHERE offset = 0")
        with closing(SqliteLog(path, read_only=True)) as log:
            assert log.find_damage() == ([], 0)

    @pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
    def test_refuses_a_foreign_file(
        self, path: Path, make: Callable[[Path], object], tmp_path: Path
    ) -> None:
        if make is FOREIGN["cut short"]:
            _write_three(path)
        make(path)
        before = path.read_bytes()
        with pytest.raises(ForeignDataError, match="--data"):
            SqliteLog(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("read_only", [False, True])
    def test_refuses_a_newer_format(self, path: Path, *, read_only: bool) -> None:
        _write_three(path)
        _alter(path, f"PRAGMA user_version = {sqlite_log.FORMAT_VERSION + 1}")
        with pytest.raises(NewerSchemaError, match="upgrade mutua"):
            SqliteLog(path, read_only=read_only)


class TestRead:
    def test_reader_sees_committed_records_of_a_writer(self, path: Path) -> None:
        with closing(SqliteLog(path)) as log:
            append_durably(log, b"a")
            with closing(SqliteLog(path, read_only=True)) as reader:
                assert (reader.log_id, reader.end()) == (log.log_id, 1)
                append_durably(log, b"b")
                assert [each.value for each in reader.read(0, 9)] == [b"a", b"b"]
                assert reader.end() == 2
                with pytest.raises(LogUnavailableError):
                    reader.append(PROGRAMME, [b"c"])

    def test_many_threads_read_one_log(self, path: Path) -> None:
        """Many threads call `end` and `read` of a reader at once."""
        _write_three(path)
        with closing(SqliteLog(path, read_only=True)) as reader, ThreadPoolExecutor(16) as pool:
            end_futures = [pool.submit(reader.end) for _ in range(300)]
            pages = [pool.submit(reader.read, 0, 9) for _ in range(300)]
            assert {each.result(PATIENCE_SECONDS) for each in end_futures} == {3}
            assert {len(each.result(PATIENCE_SECONDS)) for each in pages} == {3}


def _write_three(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        append_durably(log, b"a", b"b", b"c")


def _alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
