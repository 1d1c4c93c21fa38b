"""A restored directory equals the one that was backed up, and no other file is restored."""

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

BACKUP_TIME = START + 60_000_000
FLIPPED_BITS = 100


@pytest.fixture
def data(tmp_path: Path) -> Path:
    append_records(tmp_path / "data", make_records())
    project_log(tmp_path / "data")
    return tmp_path / "data"


def project_log(data: Path) -> None:
    """Opens the directory once, which makes its read models."""
    with serve_embedded(data, purpose="a test", write=True):
        pass


@pytest.fixture
def file(data: Path, tmp_path: Path) -> Path:
    return make_backup(data, tmp_path / "one.mutua")


def make_backup(data: Path, path: Path, *, force: bool = False) -> Path:
    backup(data, path, now=BACKUP_TIME, force=force, progress=lambda *_: None)
    return path


def restore_backup(file: Path, data: Path) -> Path:
    note, report = restore(file, data, progress=lambda *_: None)
    assert (note.made_time, report.differences) == (BACKUP_TIME, [])
    return data


def record(data: Path, giver: str) -> str:
    with (
        serve_embedded(data, purpose="a test", write=True) as running,
        Client(running.address, programme=PROGRAMME) as client,
    ):
        return client.record([facts.exchange(giver, "B")])


def read_position(data: Path, *, min_position: str = "") -> str:
    with open_client(data) as client:
        return client.get_status(min_position=min_position).position


def read_refusal(data: Path, *, min_position: str) -> MutuaError:
    with open_client(data) as client, pytest.raises(MutuaError) as error_info:
        client.get_status(min_position=min_position)
    return error_info.value


class TestRestore:
    def test_gives_equal_records_and_answers(self, data: Path, file: Path, tmp_path: Path) -> None:
        again = restore_backup(file, tmp_path / "again")
        assert read_log(again) == read_log(data)
        for programme in (PROGRAMME, OTHER):
            assert read_answers(again, programme) == read_answers(data, programme)
        assert verify(again).ok

    def test_log_continues_at_the_next_offset(self, data: Path, file: Path, tmp_path: Path) -> None:
        again = restore_backup(file, tmp_path / "again")
        count = len(read_log(data))
        assert record(again, "later").rpartition(".")[2] == str(count + 1)
        second = restore_backup(make_backup(again, tmp_path / "two.mutua"), tmp_path / "second")
        assert [each.offset for each in read_log(second)] == list(range(count + 1))

    def test_directory_with_data_is_refused(self, data: Path, file: Path, tmp_path: Path) -> None:
        with pytest.raises(errors.ForeignDataError, match="holds data already"):
            restore_backup(file, data)
        restored_data = restore_backup(file, tmp_path / "again")
        record(restored_data, "later")
        with pytest.raises(errors.ForeignDataError, match="holds data already"):
            restore_backup(file, restored_data)
        other = tmp_path / "other"
        other.mkdir()
        (other / "letter.txt").touch()
        with pytest.raises(errors.ForeignDataError, match="choose an empty or new directory"):
            restore_backup(file, other)
        torn = tmp_path / "torn"
        torn.mkdir()
        shutil.copy(data / "read-1.sqlite", torn)
        with pytest.raises(errors.ForeignDataError, match="mutua --data DIRECTORY restore FILE"):
            restore_backup(file, torn)


class TestPositions:
    def test_position_before_the_backup_stays_valid(
        self, data: Path, file: Path, tmp_path: Path
    ) -> None:
        before, again = read_position(data), restore_backup(file, tmp_path / "again")
        now = read_position(again, min_position=before)
        assert now != before  # the restored log is another one, because its next facts differ
        assert now.partition(".")[2] == before.partition(".")[2]

    def test_position_of_a_lost_fact_is_refused(
        self, data: Path, file: Path, tmp_path: Path
    ) -> None:
        lost_position, target = record(data, "lost"), restore_backup(file, tmp_path / "again")
        for giver in ("another", "and another"):
            refusal = read_refusal(target, min_position=lost_position)
            assert refusal.reason == "POSITION_OF_ANOTHER_LOG"
            assert "recorded after the backup" in refusal.message
            record(target, giver)

    def test_positions_of_every_origin_are_known(
        self, data: Path, file: Path, tmp_path: Path
    ) -> None:
        first, lost_first = read_position(data), record(data, "lost")
        second_log = restore_backup(file, tmp_path / "again")
        second = record(second_log, "kept")
        second_backup = make_backup(second_log, tmp_path / "two.mutua")
        newest = restore_backup(second_backup, tmp_path / "newest")
        lost_second = record(second_log, "lost too")
        for position in (first, second):
            assert read_position(newest, min_position=position)
        for lost_position in (lost_first, lost_second):
            refusal = read_refusal(newest, min_position=lost_position)
            assert "recorded after the backup" in refusal.message
        foreign = read_refusal(newest, min_position=f"{'0' * 32}.0.1")
        assert "reads a different one" in foreign.message


class TestBackup:
    def test_log_of_an_older_version_is_backed_up(self, data: Path, tmp_path: Path) -> None:
        with closing(sqlite3.connect(data / "log.sqlite")) as connection:
            connection.execute("DROP TABLE origin")
        old = make_backup(data, tmp_path / "old.mutua")
        assert read_log(restore_backup(old, tmp_path / "again")) == read_log(data)

    def test_directory_without_facts_is_backed_up(self, tmp_path: Path) -> None:
        append_records(tmp_path / "data", [])
        project_log(tmp_path / "data")
        empty = make_backup(tmp_path / "data", tmp_path / "none.mutua")
        again = restore_backup(empty, tmp_path / "again")
        assert read_log(again) == []
        record(again, "the first")

    def test_damaged_log_leaves_existing_backup(self, data: Path, file: Path) -> None:
        whole = file.read_bytes()
        with closing(sqlite3.connect(data / "log.sqlite")) as connection, connection:
            connection.execute("UPDATE record SET record_time = record_time + 1 WHERE offset = 7")
        with pytest.raises(errors.ForeignDataError, match=r"offset 7 of .*log\.sqlite is damaged"):
            make_backup(data, file, force=True)
        assert file.read_bytes() == whole
        assert list(file.parent.glob(".*")) == []

    def test_existing_file_is_replaced_only_with_force(
        self, data: Path, file: Path, tmp_path: Path
    ) -> None:
        whole = file.read_bytes()
        with pytest.raises(
            UnusableFileError, match="is there already; choose another name, or say --force"
        ):
            make_backup(data, file)
        assert file.read_bytes() == whole
        record(data, "later")
        make_backup(data, file, force=True)
        assert len(read_log(restore_backup(file, tmp_path / "again"))) == len(read_log(data))

    @pytest.mark.parametrize(
        ("name", "message"),
        [(".", "is a directory; name a file in it"), ("nowhere/one.mutua", "nowhere/one.mutua")],
    )
    def test_unusable_path_is_refused(
        self, data: Path, tmp_path: Path, name: str, message: str
    ) -> None:
        with pytest.raises((UnusableFileError, OSError), match=message):
            make_backup(data, tmp_path / name)

    def test_backup_is_one_readable_file(self, file: Path, tmp_path: Path) -> None:
        with closing(SqliteLog(file, read_only=True)) as log:
            assert log.end() == 23
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "one.mutua"]


def restore_error(file: Path, path: Path) -> str:
    """The error of restoring the log alone, or "" without one."""
    try:
        with open_backup(file) as (log, note):
            restore_log(log, note, path, progress=lambda *_: None)
    except errors.MutuaError as error:
        return error.message
    return ""


def write_text(path: Path, data: Path) -> None:
    path.write_text("no backup at all" * 1_000)


def write_sqlite(path: Path, data: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE backup (record_count, made_time)")


def copy_read_models(path: Path, data: Path) -> None:
    shutil.copy(data / "read-1.sqlite", path)


def copy_log(path: Path, data: Path) -> None:
    shutil.copy(data / "log.sqlite", path)


class TestUnusableBackup:
    def test_flipped_bit_is_found_or_outside_every_row(
        self, data: Path, file: Path, tmp_path: Path
    ) -> None:
        whole, dice, found_count = file.read_bytes(), random.Random(20261126), 0
        with closing(SqliteLog(data / "log.sqlite", read_only=True)) as log:
            log_id = log.log_id
        for number in range(FLIPPED_BITS):
            index, target = dice.randrange(len(whole)), tmp_path / f"again-{number}"
            target.mkdir()
            bit = 1 << dice.randrange(8)
            file.write_bytes(whole[:index] + bytes([whole[index] ^ bit]) + whole[index + 1 :])
            if message := restore_error(file, target / "log.sqlite"):
                found_count += 1
                assert str(file) in message
                assert list(target.iterdir()) == []
                continue
            assert read_log(target) == read_log(data), f"bit {bit} of byte {index}"
            with closing(SqliteLog(target / "log.sqlite", read_only=True)) as log:
                assert log.origins == {log_id: 23}
        assert found_count > FLIPPED_BITS / 10

    @pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9])
    def test_truncated_backup_is_refused(self, file: Path, tmp_path: Path, part: float) -> None:
        whole = file.read_bytes()
        file.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(
            errors.ForeignDataError, match="take another copy of it, or an older backup"
        ):
            restore_backup(file, tmp_path / "again")

    def test_backup_without_its_last_record_is_refused(self, file: Path, tmp_path: Path) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("DELETE FROM record WHERE offset = (SELECT max(offset) FROM record)")
        with pytest.raises(
            errors.ForeignDataError, match=r"offset 22 of .* is damaged or missing; take"
        ):
            restore_backup(file, tmp_path / "again")

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (write_text, "is no backup of mutua, or is damaged"),
            (write_sqlite, "is no backup of mutua, or is damaged"),
            (copy_read_models, "is no backup of mutua, or is damaged|upgrade mutua"),
            (copy_log, "is a log of mutua and no backup of one"),
        ],
    )
    def test_other_file_is_refused(
        self, data: Path, tmp_path: Path, make: Callable[[Path, Path], None], message: str
    ) -> None:
        make(tmp_path / "file", data)
        with pytest.raises(errors.MutuaError, match=message):
            restore_backup(tmp_path / "file", tmp_path / "again")
        assert not (tmp_path / "again").exists()

    def test_backup_of_a_newer_version_is_refused(self, file: Path, tmp_path: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA user_version = 99")
        with pytest.raises(errors.NewerSchemaError, match="upgrade mutua"):
            restore_backup(file, tmp_path / "again")
