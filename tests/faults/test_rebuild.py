"""Read models are rebuilt next to the active ones, and answers stay right through any fault."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from mutua import Client
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.sqlite.data_directory import BUILD_LOCK_FILE, DataDirectory
from services.adapters.sqlite.rebuild import SqliteRebuildStore
from services.app import bootstrap, data_maintenance, embedded_storage
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import delete_superseded, verify
from services.app.stop_signal import StopRequestedError, StopSignal
from services.ledger.errors import DataInUseError, ForeignDataError, LogFullError, NewerSchemaError
from tests.faults.server_process import (
    REBUILD,
    assert_intact,
    facts,
    kill,
    run_server,
    start_python,
)
from tests.waiting import PATIENCE_SECONDS, wait_until

CRASHED = 137


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A closed directory with 30 facts; read-1.sqlite is active."""
    data = tmp_path / "data"
    record(data, 0, 30)
    return data


def record(data: Path, start: int, end: int) -> None:
    with open_client(data, write=True) as client:
        client.get_status(min_position=client.record(list(facts(start, end))))


@contextmanager
def open_client(data: Path, *, write: bool) -> Iterator[Client]:
    with (
        serve_embedded(data, purpose="a test", write=write) as running,
        Client(running.address, deadline_seconds=PATIENCE_SECONDS) as client,
    ):
        yield client


def rebuild(data: Path) -> list[str]:
    """The names of the superseded read models."""
    return [path.name for path in data_maintenance.rebuild(data, on_progress=lambda *_: None)]


def read_current(data: Path) -> str:
    return (data / "current").read_text().strip()


def list_read_models(data: Path) -> set[str]:
    return {path.name for path in data.glob("read-*") if path.name.count("-") == 1}


def set_version(data: Path, name: str, version: int) -> None:
    """Makes read models look written by another version of mutua."""
    execute(data / name, f"PRAGMA user_version = {version}")


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def _wait_for_more_answers(
    answers: list[tuple[int, int, float]], working: list[Future[None]]
) -> None:
    enough = len(answers) + 10
    wait_until(
        lambda: len(answers) > enough or any(each.done() for each in working), "questions are asked"
    )


DAMAGE: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("no database" * 100),
    "gone": lambda path: path.unlink(),
    "wrong": lambda path: execute(path, "UPDATE exchange SET giver_minutes = 1"),
    "older version": lambda path: execute(path, "PRAGMA user_version = 1"),
    "newer version": lambda path: execute(path, "PRAGMA user_version = 99"),
}


class TestModelVersions:
    @pytest.mark.parametrize("write", [True, False])
    def test_upgrade_builds_new_read_models_and_keeps_old_ones(
        self, data: Path, *, write: bool
    ) -> None:
        set_version(data, "read-1.sqlite", MODEL_VERSION - 1)
        old = (data / "read-1.sqlite").read_bytes()
        with open_client(data, write=write) as client:
            assert client.get_status().exchange_count == 30
        assert read_current(data) == "read-2.sqlite"
        assert (data / "read-1.sqlite").read_bytes() == old
        assert verify(data).ok

    def test_reader_of_an_older_mutua_is_refused_with_remedy(self, data: Path) -> None:
        set_version(data, "read-1.sqlite", MODEL_VERSION - 1)
        with (
            DataDirectory(data).lock("an older mutua"),
            pytest.raises(ForeignDataError, match=r"made by an older mutua .*; end that mutua"),
        ):
            verify(data)

    def test_downgrade_returns_to_its_own_read_models(self, data: Path) -> None:
        """Both versions find their own read models and catch up with the log."""
        rebuild(data)
        set_version(data, "read-2.sqlite", MODEL_VERSION + 1)
        record(data, 30, 35)
        assert read_current(data) == "read-1.sqlite"
        assert_intact(data, 35)
        assert list_read_models(data) == {"read-1.sqlite", "read-2.sqlite"}
        set_version(data, "read-1.sqlite", MODEL_VERSION - 1)
        set_version(data, "read-2.sqlite", MODEL_VERSION)
        assert_intact(data, 35)
        assert read_current(data) == "read-2.sqlite"

    def test_newer_read_models_alone_are_refused(self, data: Path) -> None:
        set_version(data, "read-1.sqlite", MODEL_VERSION + 1)
        for write in (True, False):
            with pytest.raises(NewerSchemaError, match=r"upgrade mutua, or .* mutua rebuild"):
                record(data, 30, 31) if write else verify(data)
        assert list_read_models(data) == {"read-1.sqlite"}


def _read_given(client: Client) -> dict[str, float]:
    return {each.organization_id: each.given for each in client.list_balances() if each.given}


class TestRebuild:
    def test_keeps_superseded_read_models_until_deleted(self, data: Path) -> None:
        assert rebuild(data) == ["read-1.sqlite"]
        assert rebuild(data) == ["read-1.sqlite", "read-2.sqlite"]
        assert read_current(data) == "read-3.sqlite"
        assert verify(data).ok
        assert [path.name for path in delete_superseded(data)] == ["read-1.sqlite", "read-2.sqlite"]
        assert list_read_models(data) == {"read-3.sqlite"}
        assert delete_superseded(data) == []
        assert_intact(data, 30)

    @pytest.mark.parametrize("damage", DAMAGE)
    def test_replaces_damaged_read_models(self, data: Path, damage: str) -> None:
        DAMAGE[damage](data / "read-1.sqlite")
        rebuild(data)
        assert read_current(data) == "read-2.sqlite"
        assert verify(data).ok
        assert_intact(data, 30)

    @pytest.mark.parametrize("point", ["in_slab:1", "before_switch:1", "after_switch:1"])
    def test_crash_leaves_read_models_that_answer(self, data: Path, point: str) -> None:
        with start_python(REBUILD, str(data), MUTUA_CRASH_AT=point) as process:
            assert process.wait(PATIENCE_SECONDS) == CRASHED
        assert read_current(data) == (
            "read-2.sqlite" if point == "after_switch:1" else "read-1.sqlite"
        )
        assert_intact(data, 30)
        assert verify(data).ok
        rebuild(data)
        assert not list(data.glob("*.building*"))
        assert not (data / "next").exists()
        delete_superseded(data)
        assert_intact(data, 30)

    @pytest.mark.parametrize("after_seconds", [0.2, 0.35, 0.42, 0.5, 0.6])
    def test_kill_at_any_moment_does_no_harm(self, data: Path, after_seconds: float) -> None:
        with run_server(data) as (server, address), Client(address) as client:
            with start_python(REBUILD, str(data)) as process:
                kill(process, after_seconds=after_seconds)
            client.get_status(min_position=client.record(list(facts(30, 35))))
            rebuild(data)
            assert client.get_status().exchange_count == 35
            assert server.poll() is None
        assert not list(data.glob("*.building*"))
        assert_intact(data, 35)

    def test_full_disk_keeps_active_read_models(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        initialize = SqliteRebuildStore.__init__

        def initialize_small(store: SqliteRebuildStore, path: Path) -> None:
            initialize(store, path)
            store._writer.execute("PRAGMA max_page_count = 1")

        monkeypatch.setattr(SqliteRebuildStore, "__init__", initialize_small)
        with run_server(data) as (_, address), Client(address) as client:
            with pytest.raises(LogFullError, match="no room is left"):
                rebuild(data)
            assert client.get_status().exchange_count == 30
        assert list_read_models(data) == {"read-1.sqlite"}
        assert not list(data.glob("*.building*"))
        assert_intact(data, 30)

    def test_second_rebuild_is_refused(self, data: Path) -> None:
        with DataDirectory(data).lock("mutua rebuild", BUILD_LOCK_FILE):
            for again in (rebuild, delete_superseded):
                with pytest.raises(DataInUseError, match="in use by mutua rebuild"):
                    again(data)


class TestSwitchOver:
    def test_answers_stay_consistent_under_load(self, data: Path) -> None:
        """No answer is older than one before it, and none mixes old and new read models."""
        is_over, answers, counts = Event(), list[tuple[int, int, float]](), [30]
        with run_server(data) as (server, address), open_client(data, write=False) as beside:

            def ask() -> None:
                with Client(address) as client:
                    while not is_over.is_set():
                        status = client.get_status()
                        offset = int(status.position.rpartition(".")[2])
                        answer = client.list_balances()
                        answers.append(
                            (offset, status.exchange_count, sum(row.given for row in answer))
                        )

            def write() -> None:
                with Client(address) as client:
                    while not is_over.is_set():
                        client.record(list(facts(counts[0], counts[0] + 10)))
                        counts[0] += 10

            with ThreadPoolExecutor(3) as pool:
                working = [pool.submit(work) for work in (ask, ask, write)]
                try:
                    for number in (2, 3):
                        rebuild(data)
                        assert read_current(data) == f"read-{number}.sqlite"
                        _wait_for_more_answers(answers, working)
                finally:
                    is_over.set()
                for each in working:
                    each.result()
            assert server.poll() is None
            for offset, exchanges, given in answers:
                assert offset == exchanges
                assert given >= exchanges
            with Client(address) as client:
                status = client.get_status(min_position=client.get_status().log_position)
                assert status.exchange_count == counts[0]
                assert beside.get_status(min_position=status.position).exchange_count == counts[0]
            delete_superseded(data)
            assert beside.get_status().exchange_count == counts[0]
            assert verify(data).ok
            server.terminate()
            assert server.wait(PATIENCE_SECONDS) == 0
            assert "Traceback" not in server.stderr.read()
        assert list_read_models(data) == {"read-3.sqlite"}
        assert_intact(data, counts[0])

    @pytest.mark.parametrize("point", ["before_switch:1", "after_switch:1"])
    def test_crash_of_the_server_does_no_harm(self, data: Path, point: str) -> None:
        with (
            run_server(data, MUTUA_CRASH_AT=point) as (server, _),
            start_python(REBUILD, str(data)) as process,
        ):
            assert server.wait(PATIENCE_SECONDS) == CRASHED
            assert process.wait(PATIENCE_SECONDS) == 0, "the command takes over itself"
        assert read_current(data) == "read-2.sqlite"
        assert_intact(data, 30)
        assert not (data / "next").exists()

    def test_offered_read_models_catch_up_first(self, data: Path) -> None:
        directory = DataDirectory(data)
        rebuild(data)
        directory.switch_to(data / "read-1.sqlite")
        record(data, 30, 35)
        directory.offer(data / "read-2.sqlite")
        with directory.lock("a test"), ExitStack() as resources:
            log, store = embedded_storage.open_storage(directory, resources, write=True)
            watermark = store.read_watermark(0)
            assert watermark is not None
            assert watermark.next_offset == log.end() == 35
        assert read_current(data) == "read-2.sqlite"

    def test_discards_party_numbers_of_previous_read_models(self, data: Path) -> None:
        """The offered read models have other party numbers for the same facts."""
        (old, new), tables = (
            ("read-1.sqlite", "read-2.sqlite"),
            {
                "party": ["party"],
                "leg": ["giver", "receiver"],
                "organization_month": ["party"],
            },
        )
        rebuild(data)
        DataDirectory(data).switch_to(data / old)
        for table, columns in tables.items():
            for sign in ("-1 -", "12 +"):  # 0 to 11 become 11 to 0 without a collision
                assignments = ", ".join(f"{column} = {sign} {column}" for column in columns)
                execute(data / new, f"UPDATE {table} SET {assignments}")
        with run_server(data) as (_, address), Client(address) as client:
            before = _read_given(client)
            DataDirectory(data).offer(data / new)
            wait_until(lambda: read_current(data) == new, "the server switches over")
            client.get_status(min_position=client.record(list(facts(30, 65))))
            assert _read_given(client) == {giver: count + 5 for giver, count in before.items()}
        assert verify(data).ok

    def test_starting_server_accepts_an_offer(self, data: Path) -> None:
        directory = DataDirectory(data)
        rebuild(data)
        directory.switch_to(data / "read-1.sqlite")
        record(data, 30, 35)
        directory.offer(data / "read-2.sqlite")
        with run_server(data) as (_, address), Client(address) as client:
            assert client.get_status().exchange_count == 35
            assert read_current(data) == "read-2.sqlite"
            assert not (data / "next").exists()

    def test_next_process_accepts_an_ignored_offer(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded_storage, "_SWITCH_SECONDS", 0.2)
        with (
            DataDirectory(data).lock("an older mutua"),
            pytest.raises(DataInUseError, match=r"takes over when .* in use by an older mutua"),
        ):
            rebuild(data)
        assert read_current(data) == "read-1.sqlite"
        assert_intact(data, 30)
        assert read_current(data) == "read-2.sqlite"

    def test_server_refuses_read_models_of_another_log(self, data: Path) -> None:
        other = data.parent / "other"
        record(other, 0, 40)
        (other / "read-1.sqlite").rename(data / "read-9.sqlite")
        with run_server(data) as (server, address), Client(address) as client:
            DataDirectory(data).offer(data / "read-9.sqlite")
            wait_until(lambda: not (data / "next").exists(), "the server refuses the offer")
            client.get_status(min_position=client.record(list(facts(30, 35))))
            assert client.get_status().exchange_count == 35
            assert read_current(data) == "read-1.sqlite"
            server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE_SECONDS) == 0
            assert "made from another log" in server.stderr.read()


class TestShutdown:
    def test_stop_request_ends_a_build(self, data: Path) -> None:
        (data / "read-1.sqlite").unlink()
        with DataDirectory(data).lock("a test"), ExitStack() as resources:

            def check() -> None:
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                embedded_storage.open_storage(
                    DataDirectory(data), resources, write=True, raise_if_stopped=check
                )
        assert list_read_models(data) == set()
        assert_intact(data, 30)

    def test_signal_ends_waiting_for_the_directory(self, data: Path) -> None:
        async def wait() -> None:
            stop = StopSignal()
            entering = bootstrap._enter_to_write(DataDirectory(data), "mutua up", resources, stop)
            waiting = asyncio.create_task(entering)
            await asyncio.sleep(0)
            assert not waiting.done()
            stop.now()
            await waiting

        with DataDirectory(data).lock("a test"), ExitStack() as resources:
            start = time.monotonic()
            with pytest.raises(StopRequestedError):
                asyncio.run(wait())
            assert time.monotonic() - start < 3  # it would wait 5 s for the directory
