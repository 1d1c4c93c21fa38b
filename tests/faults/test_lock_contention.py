"""Many commands on one directory: one of them is the server of the others, in turns."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import pytest

from mutua import Client
from mutua.location import find_running_server
from services.app.data_maintenance import verify
from tests.faults.server_process import (
    BATCH,
    assert_recorded_once,
    count_acknowledged,
    facts,
    start_python,
)
from tests.fork_server import PipedProcess
from tests.waiting import PATIENCE_SECONDS, wait_until

ROUNDS = int(os.environ.get("MUTUA_TURNS_ROUNDS", "12"))
_RECORDER_STRIDE = 1_000_000
"""Distance between the facts of two recorders."""

RECORD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
from mutua import Client
from tests.faults.server_process import BATCH, facts
from tests.fork_server import PipedProcess
from tests.waiting import PATIENCE_SECONDS
with Client(directory=sys.argv[1], deadline_seconds=PATIENCE_SECONDS) as client:
    for start in range(int(sys.argv[2]), int(sys.argv[3]), BATCH):
        client.record(facts(start, start + BATCH))
        print(BATCH, flush=True)
"""


@contextmanager
def run_recorder(data: Path, first: int, end: int) -> Iterator[PipedProcess]:
    """A process that has begun to record."""
    process = start_python(RECORD, str(data), str(first), str(end))
    try:
        assert process.stdout.readline(), process.stderr.read()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def start_log_command(data: Path, *words: str) -> PipedProcess:
    command = ["--data", str(data), "log", "--from", "A", "--to", "B", "--kind", "call"]
    return start_python("from services.cli.entry import main; main()", *command, *words)


def test_concurrent_commands_record_every_fact_once(tmp_path: Path) -> None:
    """A command opens the directory, or uses the server of another, which may end any time."""
    data, import_is_over = tmp_path / "data", Event()

    def import_often() -> list[int]:
        durable: list[int] = []
        try:
            for number in range(ROUNDS):
                numbers = range(number * 40, number * 40 + 40)
                with Client(directory=data, deadline_seconds=PATIENCE_SECONDS) as client:
                    for _ in client.record_stream(facts(numbers.start, numbers.stop)):
                        durable += numbers
        finally:
            import_is_over.set()
        return durable

    def log_often(thread: int) -> list[int]:
        number, durable = thread * _RECORDER_STRIDE, []
        while not import_is_over.is_set():
            with Client(directory=data, deadline_seconds=PATIENCE_SECONDS) as client:
                position = client.record(facts(number, number + 1))
                client.get_status(min_position=position)
            durable.append(number)
            number += 1
        return durable

    with ThreadPoolExecutor(3) as pool:
        works = [pool.submit(import_often), *(pool.submit(log_often, each) for each in (1, 2))]
        acknowledged = [each.result() for each in works]
    assert all(acknowledged)
    assert_recorded_once(data, {number for each in acknowledged for number in each})
    assert not (data / "server.json").exists()


def test_log_uses_the_server_of_a_running_import(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with run_recorder(data, 0, 1_000_000) as importing:
        published = json.loads((data / "server.json").read_text())
        assert published["pid"] == importing.pid
        command = start_log_command(data)
        output, errors = command.communicate(timeout=PATIENCE_SECONDS)
        assert output.startswith("Recorded: A gave to B: call"), errors
        # The facts of the import may not be projected yet.
        assert errors in ("", "New organizations, recorded as written: 'A', 'B'.\n")
        assert importing.poll() is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_log_continues_when_its_server_ends(tmp_path: Path, number: signal.Signals) -> None:
    """The server is stopped first, so that the command is waiting for it when it ends."""
    data = tmp_path / "data"
    with run_recorder(data, 0, 1_000_000) as importing:
        importing.send_signal(signal.SIGSTOP)
        command = start_log_command(data, "--minutes", "7")
        wait_until(lambda: _is_connected(data, command.pid), "the command uses the server")
        importing.send_signal(number)
        importing.send_signal(signal.SIGCONT)
        output, errors = command.communicate(timeout=PATIENCE_SECONDS)
        assert output.startswith("Recorded: A gave to B: call"), errors
        importing.wait(PATIENCE_SECONDS)
        durable = count_acknowledged(importing) + BATCH  # `run_recorder` has read the first line
    assert find_running_server(data) == ""
    with Client(directory=data) as client:
        logged = [
            each
            for each in client.list_exchanges(page_size=10_000)
            if each.revisions[-1].content.giver_minutes == 7
        ]
        status = client.get_status()
    assert len(logged) == 1
    assert status.exchange_count >= durable + 1
    assert verify(data).differences == []


def _is_connected(data: Path, pid: int) -> bool:
    """Whether a process has a connection to the server of a directory."""
    port = int(json.loads((data / "server.json").read_text())["address"].rpartition(":")[2])
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in tables.splitlines()]
    inodes = {row[9] for row in rows if row[2].endswith(f":{port:04X}")}
    with suppress(FileNotFoundError):  # a file was closed meanwhile
        open_files = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
        return any(f"socket:[{inode}]" in open_files for inode in inodes)
    return False
