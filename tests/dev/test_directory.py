"""The directory of a local cluster: its lock, its processes, its state and its logs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.dev.directory import DIRECTORY_VARIABLE, ClusterState, DevDirectory
from services.dev.supervisor import ProcessStatus
from services.ledger.errors import DataInUseError, ForeignDataError, NotFoundError
from tests.dev.shell_programs import is_running, wait_until_ended
from tests.faults.server_process import make_environment
from tests.waiting import wait_until

SUPERVISOR = """
import signal, sys, threading
from pathlib import Path
from services.dev.directory import DIRECTORY_VARIABLE, DevDirectory
from services.dev.supervisor import Supervisor
from tests.dev.shell_programs import SLEEP, PRINT_READY, shell_program
signal.signal(signal.SIGTERM, signal.default_int_handler)
directory = DevDirectory(Path(sys.argv[1]))
directory.prepare()
with directory.lock():
    supervisor = Supervisor(directory.logs)
    mark = {DIRECTORY_VARIABLE: str(directory.path)}
    supervisor.start(
        [shell_program("obedient", PRINT_READY + SLEEP, **mark)],
        [shell_program("stubborn", "trap '' TERM; " + PRINT_READY + SLEEP, **mark)],
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
    """Yields a supervisor process, and the ids of the processes it runs."""
    command = [sys.executable, "-c", SUPERVISOR, str(directory.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=make_environment()
    ) as supervisor:
        assert supervisor.stdout is not None
        try:
            yield supervisor, [int(word) for word in supervisor.stdout.readline().split()]
        finally:
            supervisor.kill()


def test_lock_refuses_second_cluster_and_names_the_first(directory: DevDirectory) -> None:
    assert directory.find_holder() == 0
    with directory.lock():
        assert directory.find_holder() == os.getpid()
        refusal = pytest.raises(DataInUseError, match=rf"mutua dev up \(process {os.getpid()}\)")
        with refusal, DevDirectory(directory.path).lock():
            pass
    assert directory.find_holder() == 0
    with directory.lock():
        pass


def test_stop_cluster_ends_orphans_of_a_killed_supervisor(directory: DevDirectory) -> None:
    with supervised(directory) as (supervisor, child_pids):
        assert sorted(directory.find_processes()) == sorted(child_pids)
        assert directory.find_holder() == supervisor.pid
        supervisor.kill()
        supervisor.wait()
        assert directory.find_holder() == 0
        directory.stop_cluster()  # what has not ended by itself, as it is on its way to
    assert directory.find_processes() == []
    assert not any(map(is_running, child_pids))
    assert not directory.stop_cluster()


def test_stop_cluster_kills_a_frozen_supervisor(
    directory: DevDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dev.directory._STOP_SECONDS", 0.1)
    with supervised(directory) as (supervisor, child_pids):
        supervisor.send_signal(signal.SIGSTOP)
        assert directory.stop_cluster()
        assert supervisor.wait() == -signal.SIGKILL
    assert not any(map(is_running, child_pids))


def test_stop_cluster_ends_only_processes_of_the_directory(
    directory: DevDirectory, tmp_path: Path
) -> None:
    marks = {"this": str(directory.path), "another": f"{directory.path}-2"}
    processes = {
        name: subprocess.Popen(["sleep", "60"], env={**os.environ, DIRECTORY_VARIABLE: mark})
        for name, mark in marks.items()
    }
    try:
        wait_until(lambda: directory.find_processes() != [], "it is seen")
        assert directory.stop_cluster()
        wait_until_ended(processes["this"].pid)
        assert is_running(processes["another"].pid)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def test_state_is_read_back_and_private(directory: DevDirectory) -> None:
    assert directory.read_state() == ClusterState()
    process = ProcessStatus(name="query", pid=7, state="ready", restarts=2, address="127.0.0.1:1")
    state = ClusterState(
        server="a:1,b:2", store_url="postgresql://", ports={"x": 1}, processes=[process]
    )
    directory.write_state(state)
    assert directory.read_state() == state
    assert (directory.path / "dev.json").stat().st_mode & 0o077 == 0
    (directory.path / "dev.json").write_text("{")
    with pytest.raises(ForeignDataError, match="is damaged"):
        directory.read_state()


def test_prepare_refuses_a_directory_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(ForeignDataError, match=r"thesis\.odt"):
        DevDirectory(tmp_path).prepare()


def test_read_logs_merges_in_order_of_time(directory: DevDirectory) -> None:
    (directory.logs / "broker.log").write_text("2026-01-01 one\n2026-01-04 four\n")
    (directory.logs / "query.log").write_text("2026-01-02 two\n2026-01-03 three\n")
    assert list(directory.read_logs()) == [
        "2026-01-01 broker: one",
        "2026-01-02 query: two",
        "2026-01-03 query: three",
        "2026-01-04 broker: four",
    ]
    assert list(directory.read_logs("query")) == ["2026-01-02 two", "2026-01-03 three"]
    with pytest.raises(NotFoundError, match=r"no log of qery .* but of broker, query"):
        list(directory.read_logs("qery"))


def test_read_logs_follows_complete_lines(directory: DevDirectory) -> None:
    log = directory.logs / "query.log"
    log.write_text("2026-01-01 before\n")
    following = directory.read_logs(follow=True)
    lines = [next(following)]
    with log.open("a", buffering=1) as file:
        file.write("2026-01-02 whole\n2026-01-03 half")
        lines.append(next(following))
        file.write(" and half\n")
        lines.append(next(following))
    assert lines == [
        "2026-01-01 query: before",
        "2026-01-02 query: whole",
        "2026-01-03 query: half and half",
    ]
