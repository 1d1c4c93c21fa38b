"""A disk that is full or fails under a server; strace gives one file of it such a disk."""

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
from tests.faults.server_process import SERVE, assert_intact, facts, start_python
from tests.waiting import PATIENCE_SECONDS, wait_until

LOG: Final = "log.sqlite"
READ_MODELS: Final = "read-1.sqlite"
WRITES: Final = "pwrite64,write"
SYNCS: Final = "fdatasync,fsync"
BATCH: Final = 10


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten facts, so that opening has nothing to make and failures meet what comes after."""
    data = tmp_path / "data"
    with (
        serve_embedded(data, purpose="a test", write=True) as running,
        Client(running.address) as client,
    ):
        client.get_status(min_position=client.record(list(facts(0, BATCH))))
    return data


@contextmanager
def served(
    data: Path, file: str, calls: str, error: str, when: str
) -> Iterator[tuple["subprocess.Popen[str]", Client]]:
    """A server for which these calls of the system fail on one file; strace counts by thread."""
    strace = shutil.which("strace")
    if strace is None:
        assert not os.environ.get("CI"), "CI must have strace: apt install strace"
        pytest.skip("strace is not installed: apt install strace")
    inject = f"inject={calls}:error={error}:when={when}"
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-P", str(data / file), "-e", inject]
    with start_python(SERVE, str(data), "127.0.0.1:0", under=traced) as server:
        try:
            assert server.stdout is not None
            assert server.stderr is not None
            address = server.stdout.readline().strip()
            assert address, server.stderr.read()
            with Client(address, deadline_seconds=2.0) as client:
                yield server, client
        finally:
            if server.poll() is None:  # strace alone would leave the server running
                os.killpg(server.pid, signal.SIGKILL)


def ends(server: "subprocess.Popen[str]") -> tuple[int, str]:
    """The exit status of a server that ends by itself, and what it said."""
    status = server.wait(PATIENCE_SECONDS)
    assert server.stderr is not None
    return status, server.stderr.read()


def record(client: Client, start: int) -> str:
    return client.record(list(facts(start, start + BATCH)))


def test_a_full_disk_refuses_facts_and_takes_them_when_there_is_room(data: Path) -> None:
    told, refused = BATCH, list[str]()

    def another_is_taken_after_a_refusal() -> bool:
        nonlocal told
        try:
            record(client, told)
        except MutuaError as error:
            refused.append(error.reason)
            return False
        told += BATCH
        return bool(refused)

    with served(data, f"{LOG}-wal", WRITES, "ENOSPC", "4..7") as (server, client):
        wait_until(another_is_taken_after_a_refusal, "room again")
        assert set(refused) == {"LOG_FULL"}
        assert server.poll() is None
        end = record(client, told)
        assert client.get_status(min_position=end).exchange_count == told + BATCH
    assert_intact(data, told + BATCH)


def test_read_models_without_room_wait_for_it_while_facts_are_taken(data: Path) -> None:
    with served(data, f"{READ_MODELS}-wal", WRITES, "ENOSPC", "4..12") as (server, client):
        ends_at = [record(client, start) for start in range(BATCH, 100, BATCH)]
        wait_until(lambda: bool(client.get_status(min_position=ends_at[-1])), "it is level")
        assert client.get_status().exchange_count == 100
        assert server.poll() is None
    assert_intact(data, 100)


@pytest.mark.parametrize(("calls", "when"), [(WRITES, "4"), (SYNCS, "2"), (SYNCS, "1+")])
def test_a_log_that_fails_ends_the_server_and_the_file_decides(
    data: Path, calls: str, when: str
) -> None:
    """It is not tried again: after a failed fsync the next one may succeed with nothing written."""
    told = BATCH
    with served(data, f"{LOG}-wal", calls, "EIO", when) as (server, client):
        with suppress(MutuaError):
            while True:
                record(client, told)
                told += BATCH
        status, said = ends(server)
    assert status == 1
    assert "restart mutua: the file decides" in said
    assert_intact(data, told)


def test_read_models_that_fail_end_the_server_and_nothing_is_lost(data: Path) -> None:
    told = BATCH
    with served(data, f"{READ_MODELS}-wal", WRITES, "EIO", "4+") as (server, client):
        with suppress(MutuaError):
            while True:
                record(client, told)
                told += BATCH
        status, said = ends(server)
    assert status == 1
    assert "projecting stopped at offset" in said
    assert_intact(data, told)


@pytest.mark.parametrize("file", [LOG, READ_MODELS])
def test_a_file_that_cannot_be_read_is_refused_in_words(data: Path, file: str) -> None:
    refusal = pytest.raises(
        AssertionError, match=r"errors\.(LogUnavailableError|ForeignDataError): .*" + file
    )
    with refusal, served(data, file, "pread64,read", "EIO", "1+"):
        pass
    assert_intact(data, BATCH)
