"""Data directories that are locked, foreign, torn, or read-only."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mutua import Client
from mutua import MutuaError as ClientError
from services.adapters.sqlite.data_directory import DataDirectory
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import verify
from services.ledger.errors import (
    DataInUseError,
    ForeignDataError,
    LogUnavailableError,
    MutuaError,
    NewerSchemaError,
)
from tests.faults.server_process import ROOT, facts, make_environment, run_server, start_python
from tests.waiting import PATIENCE_SECONDS, wait_until

READ_MODELS = "read-1.sqlite"
NOBODY = 65534


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A closed directory with 30 facts, 20 of them in one request."""
    data = tmp_path / "data"
    record(data, 0, 20)
    record(data, 20, 30)
    return data


def record(data: Path, start: int, end: int) -> None:
    with open_client(data, write=True) as client:
        client.get_status(min_position=client.record(list(facts(start, end))))


def exchange_count(data: Path, *, write: bool) -> int:
    with open_client(data, write=write) as client:
        status = client.get_status()
        if write:
            status = client.get_status(min_position=status.log_position)
        return status.exchange_count


@contextmanager
def open_client(data: Path, *, write: bool) -> Iterator[Client]:
    with (
        serve_embedded(data, purpose="a test", write=write) as running,
        Client(running.address, deadline_seconds=PATIENCE_SECONDS) as client,
    ):
        yield client


def _remove(*names: str) -> Callable[[Path], None]:
    def remove(data: Path) -> None:
        for name in names:
            (data / name).unlink()

    return remove


def _truncate_log(data: Path) -> None:
    _execute(data / "log.sqlite", "DELETE FROM record WHERE offset >= 20")


def _change_last(data: Path) -> None:
    """A log that was restored from a backup and continued with other facts."""
    with closing(sqlite3.connect(data / "log.sqlite", isolation_level=None)) as log:
        log.execute("DELETE FROM record WHERE offset = 29")
    (data / "aside").mkdir()
    (data / READ_MODELS).rename(data / "aside" / READ_MODELS)
    record(data, 100, 101)
    (data / "aside" / READ_MODELS).rename(data / READ_MODELS)
    (data / "aside").rmdir()
    (data / "current").write_text(READ_MODELS)


def _replace_log(data: Path) -> None:
    other = data.parent / "other"
    record(other, 0, 40)
    shutil.copy(other / "log.sqlite", data / "log.sqlite")


def _execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


TORN = {
    "the log is missing": (
        _remove("log.sqlite"),
        ForeignDataError,
        "log is missing; restore a backup",
    ),
    "the log is empty": (
        lambda data: (data / "log.sqlite").write_bytes(b""),
        ForeignDataError,
        "another log|is empty|damaged",
    ),
    "the log was cut": (_truncate_log, ForeignDataError, "it was truncated or restored"),
    "the log was replaced": (_replace_log, ForeignDataError, "made from another log"),
    "the log has other records": (_change_last, ForeignDataError, "changed or restored"),
    "the log is text": (
        lambda data: (data / "log.sqlite").write_text("no database" * 100),
        ForeignDataError,
        "not an SQLite file",
    ),
    "the log lost its second half": (
        lambda data: os.truncate(data / "log.sqlite", (data / "log.sqlite").stat().st_size // 2),
        ForeignDataError,
        "damaged|truncated",
    ),
    "the read models are text": (
        lambda data: (data / READ_MODELS).write_text("no database" * 100),
        ForeignDataError,
        "not an SQLite file",
    ),
    "the read models lost their second half": (
        lambda data: os.truncate(data / READ_MODELS, (data / READ_MODELS).stat().st_size // 2),
        ForeignDataError,
        "damaged|rebuild",
    ),
    "the log is of a newer mutua": (
        lambda data: _execute(data / "log.sqlite", "PRAGMA user_version = 99"),
        NewerSchemaError,
        "upgrade mutua",
    ),
    "the read models are of a newer mutua": (
        lambda data: _execute(data / READ_MODELS, "PRAGMA user_version = 99"),
        NewerSchemaError,
        "upgrade mutua",
    ),
}


class TestTornDirectory:
    @pytest.mark.parametrize(("tear", "error", "words"), TORN.values(), ids=TORN)
    @pytest.mark.parametrize("write", [True, False])
    def test_is_refused_and_left_unchanged(
        self,
        data: Path,
        tear: Callable[[Path], None],
        error: type[MutuaError],
        words: str,
        *,
        write: bool,
    ) -> None:
        tear(data)
        before = (data / READ_MODELS).read_bytes()
        with pytest.raises(error, match=words):
            exchange_count(data, write=write)
        assert (data / READ_MODELS).read_bytes() == before

    def test_missing_read_models_are_rebuilt(self, data: Path) -> None:
        (data / READ_MODELS).unlink()
        assert exchange_count(data, write=True) == 30
        assert verify(data).differences == []


class TestVerify:
    @pytest.mark.parametrize(
        "names", [[READ_MODELS], [READ_MODELS, "current"]], ids=["one", "both"]
    )
    def test_fails_without_read_models(self, data: Path, names: list[str]) -> None:
        _remove(*names)(data)
        with pytest.raises(MutuaError):
            verify(data)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE exchange SET giver_minutes = 1",
            "DELETE FROM leg WHERE exchange = 3",
            "UPDATE organization_month SET given_exchange_count = given_exchange_count + 1",
            "DELETE FROM fact WHERE offset = 7",
            "UPDATE position SET next_offset = 29",
            "UPDATE party SET organization_id = 'x' WHERE party = 0",
            "INSERT INTO alias VALUES (0, 'x', 'g1', 3)",
        ],
    )
    def test_finds_every_change(self, data: Path, change: str) -> None:
        assert verify(data).ok
        _execute(data / READ_MODELS, change)
        report = verify(data)
        assert not report.ok
        assert report.differences


def _documents(path: Path) -> None:
    path.mkdir()
    (path / "thesis.docx").write_text("mine")


def _other_database(path: Path) -> None:
    path.mkdir()
    _execute(path / "log.sqlite", "CREATE TABLE theirs (a)")


FOREIGN = {
    "somebody's files": _documents,
    "a file": lambda path: path.write_text("mine"),
    "another database": _other_database,
}


class TestLock:
    def test_second_process_is_refused_with_the_holder(self, data: Path) -> None:
        with run_server(data) as (server, _), pytest.raises(DataInUseError) as raised:
            exchange_count(data, write=True)
        assert f"in use by mutua up (process {server.pid})" in raised.value.message
        assert exchange_count(data, write=True) == 30

    def test_reader_follows_a_running_server(self, data: Path) -> None:
        with run_server(data) as (_, address), Client(address) as writer:
            with open_client(data, write=False) as reader:
                assert reader.get_status().exchange_count == 30
                position = writer.record(list(facts(30, 35)))
                assert reader.get_status(min_position=position).exchange_count == 35
                with pytest.raises(ClientError) as raised:
                    reader.record(list(facts(35, 36)))
                assert raised.value.code.name == "UNIMPLEMENTED"
            assert verify(data).ok

    def test_reader_answers_concurrent_questions(self, data: Path) -> None:
        with (
            run_server(data),
            open_client(data, write=False) as reader,
            ThreadPoolExecutor(16) as pool,
        ):
            answers = [pool.submit(reader.get_status) for _ in range(200)]
            assert {each.result(PATIENCE_SECONDS).exchange_count for each in answers} == {30}

    def test_concurrent_starts_on_a_new_directory_take_turns(self, tmp_path: Path) -> None:
        """A process serves in its turn, or is refused because the directory is in use."""
        program = (
            "import sys; from pathlib import Path\n"
            "from services.app.bootstrap import serve_embedded\n"
            "sys.stdin.readline()\n"
            "with serve_embedded(Path(sys.argv[1]), purpose='a test', write=True): print('served')"
        )
        many = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path / "data")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=make_environment(),
            )
            for _ in range(5)
        ]
        for each in many:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        outputs = [each.communicate(timeout=PATIENCE_SECONDS) for each in many]
        assert [errors for _, errors in outputs if errors and "DataInUse" not in errors] == []
        assert "served\n" in [output for output, _ in outputs]

    def test_server_json_exists_while_a_server_runs(self, data: Path) -> None:
        with run_server(data) as (server, address):
            published = json.loads((data / "server.json").read_text())
            assert (published["pid"], published["address"]) == (server.pid, address)
            server.terminate()
            assert server.wait(PATIENCE_SECONDS) == 0
            assert not (data / "server.json").exists()


class TestForeignDirectory:
    @pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
    def test_is_refused_and_left_unchanged(
        self, tmp_path: Path, make: Callable[[Path], object]
    ) -> None:
        path = tmp_path / "theirs"
        make(path)
        before = (
            {each.name: each.read_bytes() for each in path.iterdir()} if path.is_dir() else None
        )
        for write in (True, False):
            with pytest.raises(ForeignDataError, match="--data"):
                exchange_count(path, write=write)
        if before is not None:
            after = {each.name: each.read_bytes() for each in path.iterdir() if each.name != "lock"}
            assert after == before

    @pytest.mark.parametrize("ask", [verify, lambda path: exchange_count(path, write=False)])
    def test_reading_an_absent_directory_fails(
        self, tmp_path: Path, ask: Callable[[Path], object]
    ) -> None:
        with pytest.raises(ForeignDataError, match="holds no mutua data"):
            ask(tmp_path / "nowhere")
        assert not (tmp_path / "nowhere").exists()


class TestServe:
    def test_occupied_port_is_an_os_error(self, data: Path) -> None:
        """`serve` raises it, and the directory is free again."""
        with serve_embedded(data, purpose="a test", write=False) as running:
            other = data.parent / "other"
            program = (
                "import sys; from pathlib import Path; from services.app.bootstrap import serve\n"
                "try: serve(Path(sys.argv[1]), listen=sys.argv[2], on_ready=print)\n"
                "except OSError as error: print('OSError', error)"
            )
            process = start_python(program, str(other), running.address)
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert output.startswith("OSError"), errors[-300:]
        assert running.address in output

    def test_failed_projection_ends_an_embedded_server(self, data: Path) -> None:
        """The context manager of the server raises the failure of the projector."""
        with pytest.raises(LogUnavailableError, match="projecting stopped at offset 30"):
            _serve_without_legs(data)


def _serve_without_legs(data: Path) -> None:
    with serve_embedded(data, purpose="a test", write=True) as running:
        _execute(data / READ_MODELS, "DROP TABLE leg")
        with (
            Client(running.address) as recorder,
            Client(running.address, deadline_seconds=1.0) as client,
        ):
            recorder.record(list(facts(30, 31)))
            wait_until(lambda: not _answers(client), "the server ends")


def _answers(client: Client) -> bool:
    try:
        client.get_status()
    except Exception:  # noqa: BLE001 - an ending server fails in several ways
        return False
    return True


class TestReadOnlyDirectory:
    @pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
    def test_is_read_if_it_cannot_be_locked(
        self, data: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        """The directory of another user, or a file system that is mounted read-only."""

        def refuse(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(DataDirectory, "lock", refuse)
        assert exchange_count(data, write=False) == 30
        assert verify(data).ok
        with pytest.raises(OSError, match=os.strerror(code)):
            exchange_count(data, write=True)

    def test_is_read_by_a_user_without_write_permission(self, data: Path) -> None:
        """The test becomes another user, because root can write anywhere."""
        setpriv = shutil.which("setpriv")
        if setpriv is None or os.geteuid() != 0:
            pytest.skip("needs root and setpriv, to become another user")
        # Every folder of the path must be readable; the temporary folder stays writable for all.
        for folder in (data, *data.parents[:4]):
            folder.chmod(folder.stat().st_mode | 0o055)
        program = (
            "import sys; from pathlib import Path; from tests.faults.test_data_directory import *\n"
            "print(exchange_count(Path(sys.argv[1]), write=False), verify(Path(sys.argv[1])).ok)\n"
            "try: record(Path(sys.argv[1]), 30, 31)\n"
            "except PermissionError as error: print(error.filename)"
        )
        as_nobody = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        probe = subprocess.run(
            [*as_nobody, sys.executable, "-c", ""], capture_output=True, check=False
        )
        if probe.returncode != 0:
            pytest.skip("another user cannot run this Python, which lies in a home directory")
        done = subprocess.run(
            [*as_nobody, sys.executable, "-c", program, str(data)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
            cwd=ROOT,
            env=make_environment(HOME="/nonexistent"),
        )
        assert done.stdout.split() == ["30", "True", str(data / "lock")], done.stderr[-2_000:]
        assert exchange_count(data, write=True) == 30
