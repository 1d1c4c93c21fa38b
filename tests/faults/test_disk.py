"""A disk that is full or fails under a server: strace makes system calls on one file fail."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from mutua import Client, MutuaError
from services.app.bootstrap import serve_embedded
from tests.faults.server_process import SERVE, assert_intact, facts, start_python_under
from tests.waiting import PATIENCE_SECONDS, wait_until

LOG: Final = "log.sqlite"
READ_MODELS: Final = "read-1.sqlite"
WRITES: Final = "pwrite64,write"
SYNCS: Final = "fdatasync,fsync"
BATCH: Final = 10


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with ten facts, so that failures occur after opening."""
    data = tmp_path / "data"
    with (
        serve_embedded(data, purpose="a test", write=True) as running,
        Client(running.address, deadline_seconds=PATIENCE_SECONDS) as client,
    ):
        client.get_status(min_position=client.record(list(facts(0, BATCH))))
    return data


@contextmanager
def run_failing_server(
    data: Path,
    file: str,
    calls: str,
    error: str,
    when: str,
    *,
    deadline_seconds: float = PATIENCE_SECONDS,
) -> Iterator[tuple["subprocess.Popen[str]", Client]]:
    """A server whose system calls on one file fail; `when` counts calls of a thread."""
    strace = shutil.which("strace")
    if strace is None:
        assert not os.environ.get("CI"), "CI must have strace: apt install strace"
        pytest.skip("strace is not installed: apt install strace")
    inject = f"inject={calls}:error={error}:when={when}"
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-P", str(data / file), "-e", inject]
    with start_python_under(traced, SERVE, str(data), "127.0.0.1:0") as server:
        try:
            assert server.stdout is not None
            assert server.stderr is not None
            address = server.stdout.readline().strip()
            assert address, server.stderr.read()
            with Client(address, deadline_seconds=deadline_seconds) as client:
                yield server, client
        finally:
            if server.poll() is None:  # killing strace alone leaves the server running
                os.killpg(server.pid, signal.SIGKILL)


def record(client: Client, start: int) -> str:
    return client.record(list(facts(start, start + BATCH)))


def record_until_server_ends(data: Path, file: str, calls: str, when: str) -> tuple[int, str]:
    """The number of facts that are recorded at the end, and the stderr of the server."""
    count = BATCH
    failing = run_failing_server(data, file, calls, "EIO", when, deadline_seconds=2.0)
    with failing as (server, client):
        while server.poll() is None:
            with suppress(MutuaError):
                record(client, count)
                count += BATCH
        assert server.returncode == 1
        assert server.stderr is not None
        return count, server.stderr.read()


class TestLog:
    def test_full_disk_refuses_facts_until_there_is_space(self, data: Path) -> None:
        count, reasons = BATCH, list[str]()

        def was_refused_and_accepted_again() -> bool:
            nonlocal count
            try:
                record(client, count)
            except MutuaError as error:
                reasons.append(error.reason)
                return False
            count += BATCH
            return bool(reasons)

        with run_failing_server(data, f"{LOG}-wal", WRITES, "ENOSPC", "4..7") as (
            server,
            client,
        ):
            wait_until(was_refused_and_accepted_again, "facts are accepted again")
            assert set(reasons) == {"LOG_FULL"}
            assert server.poll() is None
            end = record(client, count)
            assert client.get_status(min_position=end).exchange_count == count + BATCH
        assert_intact(data, count + BATCH)

    @pytest.mark.parametrize(("calls", "when"), [(WRITES, "4"), (SYNCS, "2"), (SYNCS, "1+")])
    def test_failed_write_ends_the_server_and_the_file_decides(
        self, data: Path, calls: str, when: str
    ) -> None:
        """The log does not retry: after a failed fsync the next may succeed without writing."""
        count, errors = record_until_server_ends(data, f"{LOG}-wal", calls, when)
        assert "restart mutua: the file decides" in errors
        assert_intact(data, count)


class TestReadModels:
    def test_projection_waits_for_space_while_facts_are_accepted(self, data: Path) -> None:
        with run_failing_server(data, f"{READ_MODELS}-wal", WRITES, "ENOSPC", "4..12") as (
            server,
            client,
        ):
            *_, end = [record(client, start) for start in range(BATCH, 100, BATCH)]
            wait_until(lambda: bool(client.get_status(min_position=end)), "projection caught up")
            assert client.get_status().exchange_count == 100
            assert server.poll() is None
        assert_intact(data, 100)

    def test_failed_write_ends_the_server_without_losing_facts(self, data: Path) -> None:
        count, errors = record_until_server_ends(data, f"{READ_MODELS}-wal", WRITES, "4+")
        assert "projecting stopped at offset" in errors
        assert_intact(data, count)


@pytest.mark.parametrize("file", [LOG, READ_MODELS])
def test_unreadable_file_is_refused_with_its_name(data: Path, file: str) -> None:
    refusal = pytest.raises(
        AssertionError, match=r"errors\.(LogUnavailableError|ForeignDataError): .*" + file
    )
    with refusal, run_failing_server(data, file, "pread64,read", "EIO", "1+"):
        pass
    assert_intact(data, BATCH)
