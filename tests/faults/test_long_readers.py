"""Who reads on for long, and what SQLite has to keep for them: held back, and never a full disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from mutua import Client, MutuaError
from mutua.v1 import event_pb2 as pb
from services.adapters.sqlite import database_file
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.app.bootstrap import verify
from services.ledger.errors import OverloadedError, StoreBusyError
from services.projector.slab import project_slab
from tests.faults.server_process import assert_intact, facts, run_server
from tests.waiting import PATIENCE_SECONDS, wait_until

MOST_BYTES = 64 << 20
PROGRAMME = "default"
REQUEST = 200


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Sees one state of the file, as a program that copies it or thinks over a row would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield
        other.execute("COMMIT")


def wal_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def position(store: SqliteStore) -> int:
    watermark = store.read_watermark(0)
    return 0 if watermark is None else watermark.next_offset


def long_facts(start: int, end: int) -> Iterator[pb.Event]:
    for event in facts(start, end):
        event.exchange_recorded.exchange.note.plain = "n" * 4_000
        yield event


def test_beside_a_reader_the_log_takes_what_there_is_room_for_and_goes_on_after(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.sqlite"
    with closing(SqliteLog(path)) as log:
        log._connection.execute("PRAGMA busy_timeout = 1")
        log.append(PROGRAMME, [b"first"]).result(PATIENCE_SECONDS)
        with reading(path):
            large = [log.append(PROGRAMME, [b"x" * (1 << 20)]) for _ in range(60)]
            refused = [each.exception(20) for each in large]
            with pytest.raises(OverloadedError, match="holds an old state"):
                log.append(PROGRAMME, [b"small"]).result(PATIENCE_SECONDS)
        assert database_file._WAL_BYTES <= wal_bytes(path) < MOST_BYTES
        assert log.end() == 1 + refused.count(None) < 60
        assert log.append(PROGRAMME, [b"last"]).result(PATIENCE_SECONDS).next_offset == log.end()
        assert log.find_damage() == ([], None)
        assert log.read(log.end() - 1, 9)[0].value == b"last"


def test_beside_a_reader_the_read_models_stand_still_before_they_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_file, "_WAL_BYTES", 1 << 20)
    path = tmp_path / "read.sqlite"
    with closing(SqliteLog(tmp_path / "log.sqlite")) as log, closing(SqliteStore(path)) as store:
        store._writer.execute("PRAGMA busy_timeout = 1")
        values = [each.SerializeToString() for each in facts(0, 20_000)]
        log.append(PROGRAMME, values).result(PATIENCE_SECONDS)

        def project() -> int:
            while records := log.read(position(store), 500):
                project_slab(store, log.log_id, records)
            return position(store)

        with reading(path), pytest.raises(StoreBusyError, match="holds an old state"):
            project()
        assert 0 < position(store) < 20_000
        assert wal_bytes(path) < MOST_BYTES
        assert project() == 20_000


def test_a_server_beside_readers_of_both_files_loses_nothing(tmp_path: Path) -> None:
    data, told = tmp_path / "data", 0
    with run_server(data) as (server, address), Client(address, deadline_seconds=4.0) as client:
        client.get_status(min_position=client.record(list(long_facts(0, 1))))
        files = [data / "log.sqlite", next(data.glob("read-*.sqlite"))]
        log, read_models = files
        with reading(log), reading(read_models):
            with suppress(MutuaError):  # OVERLOADED, unless its last attempt met the deadline
                while told < 20_000:
                    client.record(list(long_facts(told, told + REQUEST)))
                    told += REQUEST
            assert database_file._WAL_BYTES < wal_bytes(log) < MOST_BYTES
            wait_until(lambda: wal_bytes(read_models) > database_file._WAL_BYTES, "it is as long")
            assert wal_bytes(read_models) < MOST_BYTES
        assert server.poll() is None
        end = client.record(list(long_facts(told, told + REQUEST)))
        wait_until(lambda: bool(client.get_status(min_position=end)), "it is level again")
        assert max(map(wal_bytes, files)) < MOST_BYTES
    assert_intact(data, told + REQUEST)
    assert verify(data).ok
