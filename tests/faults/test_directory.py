"""Data directories that are taken, foreign, torn, or not ours to write."""

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
from services.app import bootstrap
from services.app.bootstrap import serve_embedded, verify
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


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer waits 5 s for the lock; the tests need not."""
    monkeypatch.setattr(bootstrap, "_LOCK_SECONDS", 0.2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with 30 facts, 20 of them in one request, that nobody has open."""
    data = tmp_path / "data"
    record(data, 0, 20)
    record(data, 20, 30)
    return data


def record(data: Path, start: int, end: int) -> None:
    with opened(data, write=True) as client:
        client.get_status(min_position=client.record(list(facts(start, end))))


def exchange_count(data: Path, *, write: bool) -> int:
    with opened(data, write=write) as client:
        status = client.get_status()
        if write:
            status = client.get_status(min_position=status.log_position)
        return status.exchange_count


@contextmanager
def opened(data: Path, *, write: bool) -> Iterator[Client]:
    with (
        serve_embedded(data, purpose="a test", write=write) as running,
        Client(running.address) as client,
    ):
        yield client


def test_a_second_process_is_refused_and_told_who_holds_the_directory(data: Path) -> None:
    with run_server(data) as (server, _), pytest.raises(DataInUseError) as refused:
        exchange_count(data, write=True)
    assert f"in use by mutua up (process {server.pid})" in refused.value.message
    assert exchange_count(data, write=True) == 30


def test_a_reader_beside_a_writer_follows_it(data: Path) -> None:
    with run_server(data) as (_, address), Client(address) as writer:
        with opened(data, write=False) as reader:
            assert reader.get_status().exchange_count == 30
            position = writer.record(list(facts(30, 35)))
            assert reader.get_status(min_position=position).exchange_count == 35
            with pytest.raises(ClientError) as refused:
                reader.record(list(facts(35, 36)))
            assert refused.value.code.name == "UNIMPLEMENTED"
        assert verify(data).ok


def test_a_reader_answers_many_at_once(data: Path) -> None:
    with run_server(data), opened(data, write=False) as reader, ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(reader.get_status) for _ in range(200)]
        assert {each.result(PATIENCE_SECONDS).exchange_count for each in asked} == {30}


def test_many_that_start_at_once_on_a_new_directory_take_turns(tmp_path: Path) -> None:
    """Each serves, one after the other, or hears that the directory is in use."""
    program = (
        "import sys; from pathlib import Path; from services.app.bootstrap import serve_embedded\n"
        "sys.stdin.readline()\n"
        "with serve_embedded(Path(sys.argv[1]), purpose='one of many', write=True): print('served')"
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
    ended = [each.communicate(timeout=PATIENCE_SECONDS) for each in many]
    assert [errors for _, errors in ended if errors and "DataInUse" not in errors] == []
    assert "served\n" in [output for output, _ in ended]


def _remove(*names: str) -> Callable[[Path], None]:
    def remove(data: Path) -> None:
        for name in names:
            (data / name).unlink()

    return remove


def _truncate_log(data: Path) -> None:
    _execute(data / "log.sqlite", "DELETE FROM record WHERE offset >= 20")


def _change_last(data: Path) -> None:
    """As a log restored from a backup and continued otherwise would be."""
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
    "the log was cut": (_truncate_log, ForeignDataError, "it was cut or restored"),
    "the log was replaced": (_replace_log, ForeignDataError, "made from another log"),
    "the log went another way": (_change_last, ForeignDataError, "changed or restored"),
    "the log is text": (
        lambda data: (data / "log.sqlite").write_text("no database" * 100),
        ForeignDataError,
        "not an SQLite file",
    ),
    "the log lost its second half": (
        lambda data: os.truncate(data / "log.sqlite", (data / "log.sqlite").stat().st_size // 2),
        ForeignDataError,
        "damaged|cut",
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


@pytest.mark.parametrize(("tear", "error", "words"), TORN.values(), ids=TORN)
@pytest.mark.parametrize("write", [True, False])
def test_a_torn_directory_is_refused_with_words_and_left_as_it_is(
    data: Path, tear: Callable[[Path], None], error: type[MutuaError], words: str, *, write: bool
) -> None:
    tear(data)
    kept = (data / READ_MODELS).read_bytes()
    with pytest.raises(error, match=words):
        exchange_count(data, write=write)
    assert (data / READ_MODELS).read_bytes() == kept


def test_missing_read_models_are_made_again(data: Path) -> None:
    (data / READ_MODELS).unlink()
    assert exchange_count(data, write=True) == 30
    assert verify(data).differences == []


@pytest.mark.parametrize("names", [[READ_MODELS], [READ_MODELS, "current"]], ids=["one", "both"])
def test_verify_says_so_when_there_are_no_read_models(data: Path, names: list[str]) -> None:
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
def test_verify_finds_every_change(data: Path, change: str) -> None:
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


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_directory_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "theirs"
    make(path)
    before = {each.name: each.read_bytes() for each in path.iterdir()} if path.is_dir() else None
    for write in (True, False):
        with pytest.raises(ForeignDataError, match="--data"):
            exchange_count(path, write=write)
    if before is not None:
        after = {each.name: each.read_bytes() for each in path.iterdir() if each.name != "lock"}
        assert after == before


@pytest.mark.parametrize("ask", [verify, lambda path: exchange_count(path, write=False)])
def test_reading_where_nothing_was_recorded_says_so(
    tmp_path: Path, ask: Callable[[Path], object]
) -> None:
    with pytest.raises(ForeignDataError, match="holds no mutua data"):
        ask(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_taken_port_is_an_os_error(data: Path) -> None:
    """As `serve` promises; and the directory is free again."""
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


def test_server_json_is_there_while_a_server_runs(data: Path) -> None:
    with run_server(data) as (server, address):
        told = json.loads((data / "server.json").read_text())
        assert (told["pid"], told["address"]) == (server.pid, address)
        server.terminate()
        assert server.wait(PATIENCE_SECONDS) == 0
        assert not (data / "server.json").exists()


def test_an_embedded_server_that_failed_ends_and_takes_nothing_more(data: Path) -> None:
    """The read models are taken away under the projector; who served them hears of it."""
    with pytest.raises(LogUnavailableError, match="projecting stopped at offset 30"):
        _lose_the_legs(data)


def _lose_the_legs(data: Path) -> None:
    with serve_embedded(data, purpose="a test", write=True) as running:
        _execute(data / READ_MODELS, "DROP TABLE leg")
        with Client(running.address, deadline_seconds=1.0) as client:
            client.record(list(facts(30, 31)))
            wait_until(lambda: not _answers(client), "the server ends")


def _answers(client: Client) -> bool:
    try:
        client.get_status()
    except Exception:  # noqa: BLE001 - whatever a server that ends says
        return False
    return True


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_where_nothing_can_be_written_what_is_there_is_read(
    data: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A directory of somebody else, or a file system that is mounted to be read."""

    def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(DataDirectory, "lock", refused)
    assert exchange_count(data, write=False) == 30
    assert verify(data).ok
    with pytest.raises(OSError, match=os.strerror(code)):
        exchange_count(data, write=True)


def test_who_may_only_read_reads(data: Path) -> None:
    """A directory of another user, as root writes through any permission."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        pytest.skip("needs root and setpriv, to become somebody else")
    # Everything on the way must be readable, and nothing writable.
    for folder in (data, *data.parents[:4]):
        folder.chmod(0o755)
    program = (
        "import sys; from pathlib import Path; from tests.faults.test_directory import *\n"
        "print(exchange_count(Path(sys.argv[1]), write=False), verify(Path(sys.argv[1])).ok)\n"
        "try: record(Path(sys.argv[1]), 30, 31)\n"
        "except PermissionError as refused: print(refused.filename)"
    )
    as_nobody = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    probe = subprocess.run([*as_nobody, sys.executable, "-c", ""], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("somebody else cannot run this Python, which lies in a home of its own")
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
