"""A directory that went into one file and out again is the same; nothing else comes out."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mutua import Client, MutuaError
from services.adapters.sqlite.backup import open_backup, restore_log
from services.adapters.sqlite.log import SqliteLog
from services.app.backup import backup, restore
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import verify
from services.exports.export_file import UnusableFileError
from services.ledger import errors
from tests.exports.recorded_logs import (
    OTHER,
    PROGRAMME,
    START,
    append_records,
    make_records,
    open_client,
    read_answers,
    read_log,
)
from tests.services import facts

MADE = START + 60_000_000
TURNED = 100


@pytest.fixture
def data(tmp_path: Path) -> Path:
    append_records(tmp_path / "data", make_records())
    verify_opened(tmp_path / "data")
    return tmp_path / "data"


def verify_opened(data: Path) -> None:
    """Makes the read models too."""
    with serve_embedded(data, purpose="a test", write=True):
        pass


@pytest.fixture
def file(data: Path, tmp_path: Path) -> Path:
    return backed_up(data, tmp_path / "one.mutua")


def backed_up(data: Path, path: Path, *, force: bool = False) -> Path:
    backup(data, path, now=MADE, force=force, progress=lambda *_: None)
    return path


def restored(file: Path, data: Path) -> Path:
    note, report = restore(file, data, progress=lambda *_: None)
    assert (note.made_time, report.differences) == (MADE, [])
    return data


def record(data: Path, giver: str) -> str:
    with (
        serve_embedded(data, purpose="a test", write=True) as running,
        Client(running.address, programme=PROGRAMME) as client,
    ):
        return client.record([facts.exchange(giver, "B")])


def position(data: Path, *, wanted: str = "") -> str:
    with open_client(data) as client:
        return client.get_status(min_position=wanted).position


def refusal(data: Path, *, wanted: str) -> MutuaError:
    with open_client(data) as client, pytest.raises(MutuaError) as refused:
        client.get_status(min_position=wanted)
    return refused.value


def test_records_times_and_answers_are_the_same(data: Path, file: Path, tmp_path: Path) -> None:
    again = restored(file, tmp_path / "again")
    assert read_log(again) == read_log(data)
    for programme in (PROGRAMME, OTHER):
        assert read_answers(again, programme) == read_answers(data, programme)
    assert verify(again).ok


def test_it_goes_on_as_a_log_does(data: Path, file: Path, tmp_path: Path) -> None:
    again = restored(file, tmp_path / "again")
    count = len(read_log(data))
    assert record(again, "later").rpartition(".")[2] == str(count + 1)
    second = restored(backed_up(again, tmp_path / "two.mutua"), tmp_path / "second")
    assert [each.offset for each in read_log(second)] == list(range(count + 1))


def test_positions_before_the_backup_mean_the_same(data: Path, file: Path, tmp_path: Path) -> None:
    before, again = position(data), restored(file, tmp_path / "again")
    now = position(again, wanted=before)
    assert now != before  # it is another log: what comes next is not what came next there
    assert now.partition(".")[2] == before.partition(".")[2]


def test_positions_of_facts_that_are_lost_are_refused_for_ever(
    data: Path, file: Path, tmp_path: Path
) -> None:
    lost, again = record(data, "lost"), restored(file, tmp_path / "again")
    for giver in ("another", "and another"):
        refused = refusal(again, wanted=lost)
        assert refused.reason == "POSITION_OF_ANOTHER_LOG"
        assert "recorded after the backup" in refused.message
        record(again, giver)


def test_positions_of_all_logs_that_it_was_are_known(
    data: Path, file: Path, tmp_path: Path
) -> None:
    first, lost_first = position(data), record(data, "lost")
    again = restored(file, tmp_path / "again")
    second = record(again, "kept")
    newest = restored(backed_up(again, tmp_path / "two.mutua"), tmp_path / "newest")
    lost_second = record(again, "lost too")
    for known in (first, second):
        assert position(newest, wanted=known)
    for lost in (lost_first, lost_second):
        assert "recorded after the backup" in refusal(newest, wanted=lost).message
    assert "reads a different one" in refusal(newest, wanted=f"{'0' * 32}.0.1").message


def test_a_log_of_an_older_mutua_is_backed_up(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "log.sqlite")) as connection:
        connection.execute("DROP TABLE origin")
    assert read_log(
        restored(backed_up(data, tmp_path / "old.mutua"), tmp_path / "again")
    ) == read_log(data)


def test_a_directory_without_facts_is_backed_up(tmp_path: Path) -> None:
    append_records(tmp_path / "data", [])
    verify_opened(tmp_path / "data")
    again = restored(backed_up(tmp_path / "data", tmp_path / "none.mutua"), tmp_path / "again")
    assert read_log(again) == []
    record(again, "the first")


def what_is_said(file: Path, path: Path) -> str:
    """Of a backup as it is made a log, without anything else that a directory has."""
    try:
        with open_backup(file) as (log, note):
            restore_log(log, note, path, progress=lambda *_: None)
    except errors.MutuaError as error:
        return error.message
    return ""


def test_a_bit_that_turned_in_a_backup_is_found_or_was_in_no_row(
    data: Path, file: Path, tmp_path: Path
) -> None:
    whole, dice, found = file.read_bytes(), random.Random(20261126), 0
    with closing(SqliteLog(data / "log.sqlite", read_only=True)) as log:
        log_id = log.log_id
    for number in range(TURNED):
        at, again = dice.randrange(len(whole)), tmp_path / f"again-{number}"
        again.mkdir()
        bit = 1 << dice.randrange(8)
        file.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        if told := what_is_said(file, again / "log.sqlite"):
            found += 1
            assert str(file) in told
            assert list(again.iterdir()) == []
            continue
        assert read_log(again) == read_log(data), f"bit {bit} of byte {at}"
        with closing(SqliteLog(again / "log.sqlite", read_only=True)) as log:
            assert log.origins == {log_id: 23}
    assert found > TURNED / 10


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9])
def test_a_backup_that_was_cut_is_refused(file: Path, tmp_path: Path, part: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(
        errors.ForeignDataError, match="take another copy of it, or an older backup"
    ):
        restored(file, tmp_path / "again")


def test_a_backup_that_lacks_its_last_record_is_refused(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM record WHERE offset = (SELECT max(offset) FROM record)")
    with pytest.raises(
        errors.ForeignDataError, match=r"offset 22 of .* is damaged or missing; take"
    ):
        restored(file, tmp_path / "again")


def text(path: Path, data: Path) -> None:
    path.write_text("no backup at all" * 1_000)


def sqlite(path: Path, data: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE backup (record_count, made_time)")


def read_models(path: Path, data: Path) -> None:
    shutil.copy(data / "read-1.sqlite", path)


def plain_log(path: Path, data: Path) -> None:
    shutil.copy(data / "log.sqlite", path)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (text, "is no backup of mutua, or is damaged"),
        (sqlite, "is no backup of mutua, or is damaged"),
        (read_models, "is no backup of mutua, or is damaged|upgrade mutua"),
        (plain_log, "is a log of mutua and no backup of one"),
    ],
)
def test_what_is_no_backup_is_refused(
    data: Path, tmp_path: Path, make: Callable[[Path, Path], None], told: str
) -> None:
    make(tmp_path / "file", data)
    with pytest.raises(errors.MutuaError, match=told):
        restored(tmp_path / "file", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_backup_of_a_newer_mutua_is_refused(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(errors.NewerSchemaError, match="upgrade mutua"):
        restored(file, tmp_path / "again")


def test_a_directory_with_data_is_never_replaced(data: Path, file: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.ForeignDataError, match="holds data already"):
        restored(file, data)
    gone_on = restored(file, tmp_path / "again")
    record(gone_on, "later")
    with pytest.raises(errors.ForeignDataError, match="holds data already"):
        restored(file, gone_on)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").touch()
    with pytest.raises(errors.ForeignDataError, match="choose an empty or new directory"):
        restored(file, other)
    torn = tmp_path / "torn"
    torn.mkdir()
    shutil.copy(data / "read-1.sqlite", torn)
    with pytest.raises(errors.ForeignDataError, match="mutua --data DIRECTORY restore FILE"):
        restored(file, torn)


def test_a_damaged_log_is_not_backed_up_and_the_backup_before_stays(data: Path, file: Path) -> None:
    whole = file.read_bytes()
    with closing(sqlite3.connect(data / "log.sqlite")) as connection, connection:
        connection.execute("UPDATE record SET record_time = record_time + 1 WHERE offset = 7")
    with pytest.raises(errors.ForeignDataError, match=r"offset 7 of .*log\.sqlite is damaged"):
        backed_up(data, file, force=True)
    assert file.read_bytes() == whole
    assert list(file.parent.glob(".*")) == []


def test_a_file_is_replaced_only_when_that_is_said(data: Path, file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    with pytest.raises(
        UnusableFileError, match="is there already; choose another name, or say --force"
    ):
        backed_up(data, file)
    assert file.read_bytes() == whole
    record(data, "later")
    backed_up(data, file, force=True)
    assert len(read_log(restored(file, tmp_path / "again"))) == len(read_log(data))


@pytest.mark.parametrize(
    ("name", "told"),
    [(".", "is a directory; name a file in it"), ("nowhere/one.mutua", "nowhere/one.mutua")],
)
def test_a_place_that_takes_no_file_is_told(
    data: Path, tmp_path: Path, name: str, told: str
) -> None:
    with pytest.raises((UnusableFileError, OSError), match=told):
        backed_up(data, tmp_path / name)


def test_a_backup_can_be_read_where_nothing_can_be_written(file: Path, tmp_path: Path) -> None:
    """It is one file and needs no other."""
    with closing(SqliteLog(file, read_only=True)) as log:
        assert log.end() == 23
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "one.mutua"]
