"""Backups while a server records, after a kill, and on a full disk."""

from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from mutua import Client
from services.adapters.sqlite.log import SqliteLog
from services.app.backup import backup, restore
from services.app.bootstrap import serve_embedded
from services.ledger.errors import LogFullError
from tests.disks import mount_small_disk
from tests.exports.recorded_logs import make_logged_event
from tests.faults.server_process import assert_intact, facts, run_server, start_python

BATCH = 10
ROUNDS = 4


def ignore_progress(*_: object) -> None:
    """A callback for progress that does nothing."""


def test_backup_during_recording_is_consistent(tmp_path: Path) -> None:
    """Every backup has all facts acknowledged before it, and recording does not stop."""
    data, count_in_log, over = tmp_path / "data", [0], Event()
    files = [tmp_path / f"{number}.mutua" for number in range(ROUNDS)]
    counts: list[tuple[int, int]] = []

    def record(client: Client) -> None:
        while not over.is_set():
            client.record(list(facts(count_in_log[0], count_in_log[0] + BATCH)))
            count_in_log[0] += BATCH

    with run_server(data) as (_, address), Client(address) as client:
        caller = Thread(target=record, args=(client,))
        caller.start()
        try:
            for file in files:
                acknowledged = count_in_log[0]
                note = backup(data, file, now=1, force=False, progress=ignore_progress)
                counts.append((acknowledged, note.record_count))
        finally:
            over.set()
            caller.join()
    for number, (file, (acknowledged, count)) in enumerate(zip(files, counts, strict=True)):
        assert acknowledged <= count <= count_in_log[0]
        _, report = restore(file, tmp_path / f"again-{number}", progress=ignore_progress)
        assert report.differences == []
        assert_intact(tmp_path / f"again-{number}", count)


COMMAND = """
import sys
from pathlib import Path
from services.app.backup import backup, restore
source, target = map(Path, sys.argv[2:])
if sys.argv[1] == "backup":
    backup(source, target, now=1, force=False, progress=lambda *_: None)
else:
    restore(source, target, progress=lambda *_: None)
"""


def make_recorded_directory(data: Path, count: int) -> Path:
    data.mkdir()
    with closing(SqliteLog(data / "log.sqlite")) as log:
        values = [
            make_logged_event(each, "default").SerializeToString() for each in facts(0, count)
        ]
        log.append("default", values).result()
    return data


def kill(crash: str, *words: str | Path) -> None:
    with start_python(COMMAND, *map(str, words), MUTUA_CRASH_AT=crash) as command:
        _, errors = command.communicate()
    assert command.returncode == 137, errors


def test_killed_backup_and_restore_can_be_repeated(tmp_path: Path) -> None:
    data = make_recorded_directory(tmp_path / "data", 20)
    file, again = tmp_path / "one", tmp_path / "again"
    with serve_embedded(data, purpose="a test", write=True):
        kill("before_rename:1", "backup", data, file)
    assert not file.exists()
    backup(data, file, now=1, force=False, progress=ignore_progress)
    kill("before_rename:1", "restore", file, again)
    assert not (again / "log.sqlite").exists()
    kill("before_switch:1", "restore", file, again)
    restore(file, again, progress=ignore_progress)
    assert not list(again.glob(".log.sqlite*"))
    assert_intact(again, 20)


def test_full_disk_is_reported_and_leaves_no_partial_file(tmp_path: Path) -> None:
    data, file = make_recorded_directory(tmp_path / "data", 3_000), tmp_path / "one"
    with mount_small_disk(tmp_path / "disk", megabytes=16) as disk:
        backup(data, file, now=1, force=False, progress=ignore_progress)
        disk.fill_up()
        with pytest.raises(LogFullError, match=f"no room is left for {disk.path}/one"):
            backup(data, disk.path / "one", now=1, force=False, progress=ignore_progress)
        with pytest.raises(LogFullError, match=f"no room is left for {disk.path}/again/log.sqlite"):
            restore(file, disk.path / "again", progress=ignore_progress)
        assert {path.name for path in disk.path.iterdir()} == {"ballast", "again"}
        assert {path.name for path in (disk.path / "again").iterdir()} == {"lock"}
        disk.make_room()
        restore(file, disk.path / "again", progress=ignore_progress)
        assert_intact(disk.path / "again", 3_000)
