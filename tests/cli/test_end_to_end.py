"""The main job on a directory, as a newcomer does it: nothing runs, nothing is faked."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mutua import Client
from mutua.v1.query_service_pb2 import GetStatusResponse
from tests.cli.conftest import RunCommand

CALL = ("log", "--from", "T-01", "--to", "T-02", "--kind", "call", "--minutes", "45")
ROSTER = "organization_id,name,aliases\nT-01,Millbury General,Millbury\nT-02,Thornwick,\n"
EXCHANGES = (
    "date,from,to,kind,minutes,ref\n"
    "2026-03-14,Millbury,Thornwick,call,45,a\n"
    "2026-03-15,Thornwick,Millbury,visit,,b\n"
)


def test_a_fact_typed_in_is_a_balance_printed(run: RunCommand) -> None:
    logged = run(*CALL, "--format", "json")
    told = "New organizations, recorded as written: 'T-01', 'T-02'.\n"
    assert (logged.code, logged.err) == (0, told)
    exchange_id = logged.answer["exchange_id"]
    [giver, receiver] = run("balances", "--lens", "burden", "--format", "json").answer["balances"]
    assert (giver["organization_id"], giver["given"]) == ("T-01", 45)
    assert (receiver["organization_id"], receiver["received"]) == ("T-02", 45)
    assert run("correct", exchange_id, "--minutes", 60).out.splitlines()[1] == "minutes: 45 -> 60"
    [pair] = run("pairs", "--lens", "burden", "--format", "json").answer["pairs"]
    assert (pair["giver_id"], pair["given"]) == ("T-01", 60)
    assert run("retract", exchange_id, "--reason", "typed twice").code == 0
    assert run("pairs", "--format", "json").answer["pairs"] == []
    [exchange] = run("exchanges", "--format", "json").answer["exchanges"]
    assert exchange["state"] == "EXCHANGE_STATE_RETRACTED"
    assert run("verify").out == "ok: 3 facts\n"
    assert run("verify", "--format", "json").answer == {
        "ok": True,
        "fact_count": 3,
        "differences": [],
    }
    assert run("status", "--format", "json").answer["fact_count"] == 3


def test_files_are_imported_once(run: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(ROSTER)
    (tmp_path / "calls.csv").write_text(EXCHANGES)
    assert "2 rows recorded" in run("import", "organizations", "roster.csv").out
    planned = run("import", "exchanges", "calls.csv", "--dry-run")
    assert "giver is column 'from'" in planned.out
    assert "2 rows would be recorded" in planned.out
    assert run("exchanges", "--format", "json").answer["exchanges"] == []
    imported = run("import", "exchanges", "calls.csv")
    assert (imported.code, "2 rows recorded" in imported.out) == (0, True)
    assert "2 of 2 facts recorded" in imported.err
    again = run("import", "exchanges", "calls.csv", "--format", "json")
    assert again.answer["counts"]["unchanged"] == 2
    rows = run("balances", "--format", "json").answer["balances"]
    assert [(row["organization_id"], row["given"], row["received"]) for row in rows] == [
        ("T-01", 1, 1),
        ("T-02", 1, 1),
    ]
    assert run("verify").code == 0


def test_a_file_with_errors_records_nothing_and_says_where(run: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text(EXCHANGES + "someday,Millbury,Thornwick,chat,-1,c\n")
    result = run("import", "exchanges", "calls.csv")
    assert result.code == 1
    mended = [line.split()[2] for line in result.out.splitlines() if re.match(r" +4 ", line)]
    assert set(mended) == {"occur_time", "kind", "giver_minutes"}
    assert run("exchanges", "--format", "json").answer["exchanges"] == []


def test_an_import_that_did_not_wait_for_answers_reports_and_ends_with_130(
    run: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Client.get_status

    def wait(client: Client, *, min_position: str = "") -> GetStatusResponse:
        if min_position:
            raise KeyboardInterrupt
        return ask(client)

    monkeypatch.setattr(Client, "get_status", wait)
    (tmp_path / "calls.csv").write_text(EXCHANGES)
    result = run("import", "exchanges", "calls.csv")
    assert (result.code, "2 rows recorded" in result.out) == (130, True)
    assert "All is recorded, but answers do not show it yet" in result.err


@pytest.mark.parametrize("name", ["no.csv", "table.xlsx"])
def test_what_is_no_csv_is_told(run: RunCommand, tmp_path: Path, name: str) -> None:
    (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04")
    result = run("import", "exchanges", name)
    assert result.code in (1, 2)
    assert name in result.err


def test_an_allocation_that_is_never_added_up_is_refused(run: RunCommand) -> None:
    run(*CALL)
    result = run("balances", "--allocation", "full", "--format", "json")
    assert (result.code, result.out) == (1, "")
    assert json.loads(result.err)["error"]["reason"] == "QUESTION_IMPOSSIBLE"


@pytest.mark.parametrize(
    "words",
    [
        ("--where", "region=Y55"),
        ("--known-at", "2026-01-01"),
        ("--basis", "recorded"),
        ("--report-view", "confirmed"),
        ("--identity", "as-was"),
    ],
)
def test_unimplemented_filters_are_refused(run: RunCommand, words: tuple[str, str]) -> None:
    run(*CALL)
    result = run("balances", *words, "--format", "json")
    assert (result.code, result.out) == (2, "")
    assert json.loads(result.err)["error"]["code"] == "INVALID_ARGUMENT"


def test_the_demo_says_the_same_each_time(run: RunCommand) -> None:
    first, second = run("demo"), run("demo")
    assert first.code == second.code == 0
    *said, position = first.out.splitlines()
    assert said == second.out.splitlines()[:-1]
    assert position.startswith("Position ")
    for part in ("on the roster", "most one-sided pairs", "Nothing seen of", "What to type next"):
        assert part in first.out
    assert run("--data", ".demo", "verify").code == 0


class TestDemoOnADirectoryThatSomebodyLoggedInto:
    LOG = ("--from", "Thornwick", "--to", "Millbury", "--kind", "call", "--minutes", "45")

    @pytest.fixture(autouse=True)
    def logged(self, run: RunCommand) -> None:
        assert run("demo").code == 0
        assert run("--data", ".demo", "log", *self.LOG).code == 0

    def has_it(self, run: RunCommand) -> bool:
        return "625 facts" in run("--data", ".demo", "verify").out

    def test_is_refused_where_nobody_can_be_asked(self, run: RunCommand) -> None:
        result = run("demo")
        assert result.code == 1
        assert ".demo has 1 fact that the demo did not generate" in result.err
        assert "name another directory with --dir, or say --yes to delete it" in result.err
        assert self.has_it(run)

    @pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
    def test_asks_a_person(
        self, run: RunCommand, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
        result = run("demo")
        assert result.code == code
        assert "1 fact that the demo did not generate. Delete everything in it? [y/N]" in result.err
        assert self.has_it(run) is (answer == "n")

    def test_deletes_it_where_that_is_said(self, run: RunCommand) -> None:
        assert run("demo", "--yes").code == 0
        assert not self.has_it(run)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("--server", "127.0.0.1:1", "demo"), "leave out --server 127.0.0.1:1"),
        (("--data", "mine", "demo"), "name it with --dir"),
    ],
)
def test_the_demo_refuses_another_place(
    run: RunCommand, tmp_path: Path, words: tuple[str, ...], remedy: str
) -> None:
    result = run(*words)
    assert result.code == 2
    assert remedy in result.err
    assert list(tmp_path.iterdir()) == []


def test_the_demo_leaves_a_directory_alone_that_it_did_not_make(
    run: RunCommand, tmp_path: Path
) -> None:
    run("--data", "precious", *CALL)
    result = run("demo", "--dir", "precious")
    assert result.code == 1
    assert "was not made by `mutua demo` and is left alone" in result.err
    assert len(run("--data", "precious", "exchanges", "--format", "json").answer["exchanges"]) == 1


def test_a_server_runs_until_it_is_told_to_stop(run: RunCommand, tmp_path: Path) -> None:
    with server(tmp_path / "mutua-data") as (process, ready):
        assert re.fullmatch(r"mutua is ready on 127\.0\.0\.1:\d+\n", ready)
        assert run(*CALL).code == 0  # through the server: it holds the lock
        assert len(run("exchanges", "--format", "json").answer["exchanges"]) == 1
        assert "demo" in run("demo", "--dir", "mutua-data").err
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    assert len(run("exchanges", "--format", "json").answer["exchanges"]) == 1


@contextmanager
def server(data: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    command = "from services.cli.main import main; main()"
    words = ("--data", str(data), "up", "--listen", "127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, "-c", command, *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stdout is not None
    try:
        with process.stdout:
            yield process, process.stdout.readline()
    finally:
        process.kill()
        process.wait()
