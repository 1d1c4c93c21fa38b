"""The supervisor restarts programs and stops them in order."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.dev.programs import ProgramStartError
from services.dev.supervisor import ProcessStatus, RestartBackoff, Supervisor
from tests.dev.shell_programs import (
    PRINT_READY,
    SLEEP,
    is_running,
    read_log_lines,
    shell_program,
    wait_until_ended,
)
from tests.waiting import wait_until

SHORT = RestartBackoff(initial_seconds=0.01, max_seconds=0.04, reset_after_seconds=30.0)


class RecordingSupervisor(Supervisor):
    """Records its notifications."""

    def __init__(self, logs: Path, pause: RestartBackoff = SHORT) -> None:
        self.notifications: list[list[ProcessStatus]] = []
        super().__init__(logs, on_change=self.notifications.append, backoff=pause)

    def one(self) -> ProcessStatus:
        (process,) = self.processes()
        return process


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[RecordingSupervisor]:
    supervisor = RecordingSupervisor(tmp_path)
    yield supervisor
    supervisor.stop()


def test_killed_program_is_restarted(supervisor: RecordingSupervisor) -> None:
    supervisor.start([shell_program("worker", PRINT_READY + SLEEP)])
    first = supervisor.one()
    assert (first.state, first.restarts) == ("ready", 0)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.one().restarts == 1, "it is started again")
    wait_until(lambda: supervisor.one().state == "ready", "it is ready again")
    assert supervisor.one().pid not in (0, first.pid)
    states = [notifications[0].state for notifications in supervisor.notifications]
    assert [state for n, state in enumerate(states) if states[n - 1 : n] != [state]] == [
        *("starting", "ready", "waiting"),
        *("starting", "ready"),
    ]


@pytest.mark.parametrize(
    ("well_seconds", "pauses"),
    [(30.0, ["0.01", "0.02", "0.04", "0.04"]), (0.0, ["0.01", "0.01", "0.01", "0.01"])],
    ids=["crashing", "after it ran well"],
)
def test_restart_delays_grow_until_a_long_run(
    tmp_path: Path, well_seconds: float, pauses: list[str]
) -> None:
    supervisor = RecordingSupervisor(
        tmp_path,
        RestartBackoff(initial_seconds=0.01, max_seconds=0.04, reset_after_seconds=well_seconds),
    )
    supervisor.start([shell_program("worker", PRINT_READY + "exit 3")])
    wait_until(lambda: supervisor.one().restarts >= len(pauses), "it is started again and again")
    supervisor.stop()
    exit_lines = [line for line in read_log_lines(tmp_path, "worker") if "ended with code" in line]
    assert exit_lines[: len(pauses)] == [
        f"mutua dev: worker ended with code 3; it is started again after {pause} s"
        for pause in pauses
    ]


def test_start_error_of_unready_program_has_its_output(
    supervisor: RecordingSupervisor,
) -> None:
    with pytest.raises(
        ProgramStartError, match=r"worker does not start\n(.*\n)*.*no such topic"
    ) as error:
        supervisor.start([shell_program("worker", "echo no such topic; exit 1")])
    assert "ended with code 1" in error.value.message


def test_start_error_names_a_missing_program(
    tmp_path: Path, supervisor: RecordingSupervisor
) -> None:
    program = shell_program("worker", "", PATH=str(tmp_path))
    missing_path = tmp_path / "missing"
    with pytest.raises(ProgramStartError, match=str(missing_path)):
        supervisor.start(
            [type(program)(name="worker", command=(str(missing_path),), ready_text="ready")]
        )


def test_stop_ends_groups_in_reverse_order(tmp_path: Path, supervisor: RecordingSupervisor) -> None:
    stops = tmp_path / "ended"
    postgres, broker, first, second = (
        shell_program(
            name,
            f"trap 'echo {name} >> {stops}; kill $!; exit' TERM; {PRINT_READY} sleep 60 & wait",
        )
        for name in ("postgres", "broker", "ingest-1", "ingest-2")
    )
    supervisor.start([postgres], [broker])
    supervisor.start([first, second])
    supervisor.stop()
    names = stops.read_text().split()
    assert set(names[:2]) == {"ingest-1", "ingest-2"}
    assert names[2:] == ["broker", "postgres"]
    assert {process.state for process in supervisor.processes()} == {"ended"}


def test_stop_kills_a_program_that_ignores_the_signal(supervisor: RecordingSupervisor) -> None:
    supervisor.start(
        [shell_program("worker", f"trap '' TERM; {PRINT_READY}{SLEEP}", grace_seconds=0.05)]
    )
    process = supervisor.one().pid
    assert is_running(process)
    supervisor.stop()
    wait_until_ended(process)


def test_stop_cancels_a_pending_restart(tmp_path: Path) -> None:
    supervisor = RecordingSupervisor(tmp_path, RestartBackoff(initial_seconds=30.0))
    supervisor.start([shell_program("worker", PRINT_READY)])
    wait_until(lambda: supervisor.one().state == "waiting", "it waits to be started again")
    supervisor.stop()
    assert (supervisor.one().state, supervisor.one().restarts) == ("ended", 0)
