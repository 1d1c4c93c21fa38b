"""Flipped bits, truncated files and a clock that steps back are found before they matter."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mutua import Client
from services.adapters.sql_store.tables import ReadModelRow
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import verify
from services.ledger.errors import MutuaError
from services.ledger.records import Record
from tests.faults.server_process import assert_intact, facts, run_server
from tests.waiting import PATIENCE_SECONDS

LOG = "log.sqlite"
READ_MODELS = "read-1.sqlite"
COUNT = 300
FLIP_COUNT = 60


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("intact") / "data"
    record(data, 0, COUNT)
    return data


def record(data: Path, start: int, end: int) -> None:
    with (
        serve_embedded(data, purpose="a test", write=True) as running,
        Client(running.address, deadline_seconds=PATIENCE_SECONDS) as client,
    ):
        client.get_status(min_position=client.record(list(facts(start, end))))


def read_records(data: Path) -> list[Record]:
    with closing(SqliteLog(data / LOG, read_only=True)) as log:
        return log.read(0, COUNT + 1)


def list_differences(data: Path) -> list[str]:
    try:
        return verify(data).differences
    except MutuaError as error:
        return [error.message]


def read_rows(data: Path) -> list[Any]:
    tables = [model.table() for model in ReadModelRow.__subclasses__()]
    with (
        closing(SqliteStore(data / READ_MODELS, read_only=True)) as store,
        store.open_snapshot(0) as snapshot,
    ):
        return [sorted(map(tuple, snapshot.fetch_all(select(table)))) for table in tables]


def choose_bits(size: int) -> Iterator[tuple[int, int]]:
    dice = random.Random(20261125)
    for _ in range(FLIP_COUNT):
        yield dice.randrange(size), 1 << dice.randrange(8)


@pytest.mark.parametrize(("name", "rows"), [(LOG, read_records), (READ_MODELS, read_rows)])
def test_verify_finds_every_flipped_bit_that_changes_rows(
    intact: Path, tmp_path: Path, name: str, rows: Callable[[Path], list[Any]]
) -> None:
    """A bit that `verify` does not find lies in unused space."""
    data, before, found_count = tmp_path / "data", rows(intact), 0
    shutil.copytree(intact, data)
    whole = (data / name).read_bytes()
    for at, bit in choose_bits(len(whole)):
        (data / name).write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        if list_differences(data):
            found_count += 1
        else:
            assert rows(data) == before, f"bit {bit} of byte {at}"
    assert found_count > FLIP_COUNT / 4


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_verify_finds_a_truncated_log(intact: Path, tmp_path: Path, part: float) -> None:
    data = tmp_path / "data"
    shutil.copytree(intact, data)
    whole = (data / LOG).read_bytes()
    (data / LOG).write_bytes(whole[: int(len(whole) * part)])
    assert list_differences(data)


@pytest.mark.parametrize("cut", [True, False])
def test_verify_finds_a_damaged_wal_of_a_killed_server(tmp_path: Path, *, cut: bool) -> None:
    """The last records are only in the -wal file, and the read models are beyond them."""
    data = tmp_path / "data"
    with run_server(data) as (server, address), Client(address) as client:
        client.get_status(min_position=client.record(list(facts(0, 20))))
        client.get_status(min_position=client.record(list(facts(20, 40))))
        server.kill()
        server.wait()
    wal = data / f"{LOG}-wal"
    whole = wal.read_bytes()
    wal.write_bytes(whole[:-5_000] if cut else whole[:-3_000] + b"\xff" * 3_000)
    assert list_differences(data)
    with pytest.raises(MutuaError):
        record(data, 40, 41)


def test_record_time_never_decreases_when_the_clock_steps_back(tmp_path: Path) -> None:
    data, ahead = tmp_path / "data", time.time_ns() // 1_000 + 3_600_000_000
    events = list(facts(0, 20))
    with closing(SqliteLog(tmp_path / "aside", clock=lambda: ahead)) as log:
        values = []
        for event in events:
            event.programme_id = "default"
            values.append(event.SerializeToString())
        log.append("default", values).result(PATIENCE_SECONDS)
    data.mkdir()
    shutil.copy(tmp_path / "aside", data / LOG)
    record(data, 20, 40)
    assert {each.record_time for each in read_records(data)} == {ahead}
    assert_intact(data, 40)
