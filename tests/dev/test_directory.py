"""One cluster a directory, and nothing of it left running once it was ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.dev.directory import MARK, DevDirectory, Told
from services.dev.supervisor import Process
from services.ledger.errors import DataForeign, DataInUse, NotFound
from tests.dev.programs import ends, runs
from tests.faults.processes import environment, eventually

SUPERVISOR = """
import signal, sys, threading
from pathlib import Path
from services.dev.directory import MARK, DevDirectory
from services.dev.supervisor import Supervisor
from tests.dev.programs import FOREVER, READY, shell
signal.signal(signal.SIGTERM, signal.default_int_handler)
directory = DevDirectory(Path(sys.argv[1]))
directory.prepare()
with directory.held():
    supervisor = Supervisor(directory.logs)
    mark = {MARK: str(directory.path)}
    supervisor.start(
        [shell("obedient", READY + FOREVER, **mark)],
        [shell("stubborn", "trap '' TERM; " + READY + FOREVER, **mark)],
    )
    print(*(process.pid for process in supervisor.processes()), flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DevDirectory:
    monkeypatch.setattr("services.dev.directory._GRACE_SECONDS", 0.2)
    directory = DevDirectory(tmp_path / "cluster")
    directory.prepare()
    return directory


@contextmanager
def supervised(directory: DevDirectory) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """A supervisor as a process of its own, and the processes that it keeps."""
    command = [sys.executable, "-c", SUPERVISOR, str(directory.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment()
    ) as supervisor:
        assert supervisor.stdout is not None
        try:
            yield supervisor, [int(word) for word in supervisor.stdout.readline().split()]
        finally:
            supervisor.kill()


def test_a_second_cluster_is_refused_and_told_of_the_first(directory: DevDirectory) -> None:
    assert directory.holder() == 0
    with directory.held():
        assert directory.holder() == os.getpid()
        told = pytest.raises(DataInUse, match=rf"mutua dev up \(process {os.getpid()}\)")
        with told, DevDirectory(directory.path).held():
            pass
    assert directory.holder() == 0
    with directory.held():
        pass


def test_nothing_stays_when_the_supervisor_was_killed(directory: DevDirectory) -> None:
    with supervised(directory) as (supervisor, kept):
        assert sorted(directory.processes()) == sorted(kept)
        assert directory.holder() == supervisor.pid
        supervisor.kill()
        supervisor.wait()
        assert directory.holder() == 0
        directory.end()  # what has not ended by itself, as it is on its way to
    assert directory.processes() == []
    assert not any(map(runs, kept))
    assert not directory.end()


def test_a_supervisor_that_is_frozen_is_ended_by_force(
    directory: DevDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dev.directory._STOP_SECONDS", 0.1)
    with supervised(directory) as (supervisor, kept):
        supervisor.send_signal(signal.SIGSTOP)
        assert directory.end()
        assert supervisor.wait() == -signal.SIGKILL
    assert not any(map(runs, kept))


def test_only_what_belongs_to_the_directory_is_ended(
    directory: DevDirectory, tmp_path: Path
) -> None:
    marks = {"this": str(directory.path), "another": f"{directory.path}-2"}
    started = {
        name: subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark})
        for name, mark in marks.items()
    }
    try:
        eventually(lambda: directory.processes() != [], "it is seen")
        assert directory.end()
        ends(started["this"].pid)
        assert runs(started["another"].pid)
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def test_what_was_told_is_read_and_nobody_else_may(directory: DevDirectory) -> None:
    assert directory.told() == Told()
    process = Process(name="query", pid=7, state="ready", restarts=2, address="127.0.0.1:1")
    told = Told(server="a:1,b:2", store_url="postgresql://", ports={"x": 1}, processes=[process])
    directory.tell(told)
    assert directory.told() == told
    assert (directory.path / "dev.json").stat().st_mode & 0o077 == 0
    (directory.path / "dev.json").write_text("{")
    with pytest.raises(DataForeign, match="is damaged"):
        directory.told()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(DataForeign, match=r"thesis\.odt"):
        DevDirectory(tmp_path).prepare()


def test_logs_are_told_in_the_order_of_time(directory: DevDirectory) -> None:
    (directory.logs / "broker.log").write_text("2026-01-01 one\n2026-01-04 four\n")
    (directory.logs / "query.log").write_text("2026-01-02 two\n2026-01-03 three\n")
    assert list(directory.lines()) == [
        "2026-01-01 broker: one",
        "2026-01-02 query: two",
        "2026-01-03 query: three",
        "2026-01-04 broker: four",
    ]
    assert list(directory.lines("query")) == ["2026-01-02 two", "2026-01-03 three"]
    with pytest.raises(NotFound, match=r"no log of qery .* but of broker, query"):
        list(directory.lines("qery"))


def test_logs_are_followed_line_by_line(directory: DevDirectory) -> None:
    log = directory.logs / "query.log"
    log.write_text("2026-01-01 before\n")
    following = directory.lines(follow=True)
    seen = [next(following)]
    with log.open("a", buffering=1) as file:
        file.write("2026-01-02 whole\n2026-01-03 half")
        seen.append(next(following))
        file.write(" and half\n")
        seen.append(next(following))
    assert seen == [
        "2026-01-01 query: before",
        "2026-01-02 query: whole",
        "2026-01-03 query: half and half",
    ]
