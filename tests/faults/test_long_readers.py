"""A long read makes SQLite keep its -wal file; writers pause before that fills the disk."""

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
from services.app.data_maintenance import verify
from services.ledger.errors import OverloadedError, StoreBusyError
from services.projector.slab import project_slab
from tests.faults.server_process import assert_intact, facts, run_server
from tests.waiting import PATIENCE_SECONDS, wait_until

MAX_WAL_BYTES = 64 << 20
PROGRAMME = "default"
REQUEST = 200


@contextmanager
def hold_read_transaction(path: Path) -> Iterator[None]:
    """Holds one state of the file, like a program that copies it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield
        other.execute("COMMIT")


def get_wal_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def read_position(store: SqliteStore) -> int:
    watermark = store.read_watermark(0)
    return 0 if watermark is None else watermark.next_offset


def make_long_facts(start: int, end: int) -> Iterator[pb.Event]:
    for event in facts(start, end):
        event.exchange_recorded.exchange.note.plain = "n" * 4_000
        yield event


def test_log_appends_within_its_wal_limit_during_a_long_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.sqlite"
    with closing(SqliteLog(path)) as log:
        log._connection.execute("PRAGMA busy_timeout = 1")
        log.append(PROGRAMME, [b"first"]).result(PATIENCE_SECONDS)
        with hold_read_transaction(path):
            large = [log.append(PROGRAMME, [b"x" * (1 << 20)]) for _ in range(60)]
            errors = [each.exception(PATIENCE_SECONDS) for each in large]
            with pytest.raises(OverloadedError, match="holds an old state"):
                log.append(PROGRAMME, [b"small"]).result(PATIENCE_SECONDS)
        assert database_file._WAL_BYTES <= get_wal_bytes(path) < MAX_WAL_BYTES
        assert log.end() == 1 + errors.count(None) < 60
        assert log.append(PROGRAMME, [b"last"]).result(PATIENCE_SECONDS).next_offset == log.end()
        assert log.find_damage() == ([], None)
        assert log.read(log.end() - 1, 9)[0].value == b"last"


def test_projection_pauses_at_its_wal_limit_during_a_long_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_file, "_WAL_BYTES", 1 << 20)
    path = tmp_path / "read.sqlite"
    with closing(SqliteLog(tmp_path / "log.sqlite")) as log, closing(SqliteStore(path)) as store:
        store._writer.execute("PRAGMA busy_timeout = 1")
        values = [each.SerializeToString() for each in facts(0, 20_000)]
        log.append(PROGRAMME, values).result(PATIENCE_SECONDS)

        def project() -> int:
            while records := log.read(read_position(store), 500):
                project_slab(store, log.log_id, records)
            return read_position(store)

        with hold_read_transaction(path), pytest.raises(StoreBusyError, match="holds an old state"):
            project()
        assert 0 < read_position(store) < 20_000
        assert get_wal_bytes(path) < MAX_WAL_BYTES
        assert project() == 20_000


def test_server_with_long_readers_of_both_files_loses_nothing(tmp_path: Path) -> None:
    data, count = tmp_path / "data", 0
    with (
        run_server(data) as (server, address),
        Client(address, deadline_seconds=4.0) as impatient,
        Client(address, deadline_seconds=PATIENCE_SECONDS) as client,
    ):
        client.get_status(min_position=client.record(list(make_long_facts(0, 1))))
        files = [data / "log.sqlite", next(data.glob("read-*.sqlite"))]
        log, read_models = files
        with hold_read_transaction(log), hold_read_transaction(read_models):
            with suppress(MutuaError):  # OVERLOADED, or the deadline of the last attempt
                while count < 20_000:
                    impatient.record(list(make_long_facts(count, count + REQUEST)))
                    count += REQUEST
            assert database_file._WAL_BYTES < get_wal_bytes(log) < MAX_WAL_BYTES
            wait_until(
                lambda: get_wal_bytes(read_models) > database_file._WAL_BYTES,
                "the -wal file of the read models is as long",
            )
            assert get_wal_bytes(read_models) < MAX_WAL_BYTES
        assert server.poll() is None
        end = client.record(list(make_long_facts(count, count + REQUEST)))
        wait_until(lambda: bool(client.get_status(min_position=end)), "projection caught up")
        assert max(map(get_wal_bytes, files)) < MAX_WAL_BYTES
    assert_intact(data, count + REQUEST)
    assert verify(data).ok
