"""The main job on a data directory, as a newcomer does it; no part is faked."""

import json
import re
import signal
from pathlib import Path

import pytest

from mutua import Client
from mutua.v1.query_service_pb2 import GetStatusResponse
from tests.cli.cli_process import run_up
from tests.cli.conftest import RunCommand, TypeAnswers

CALL = ("log", "--from", "T-01", "--to", "T-02", "--kind", "call", "--minutes", "45")
ROSTER = "organization_id,name,aliases\nT-01,Millbury General,Millbury\nT-02,Thornwick,\n"
EXCHANGES = (
    "date,from,to,kind,minutes,ref\n"
    "2026-03-14,Millbury,Thornwick,call,45,a\n"
    "2026-03-15,Thornwick,Millbury,visit,,b\n"
)


def test_recorded_exchange_is_in_every_answer(run: RunCommand) -> None:
    log_result = run(*CALL, "--format", "json")
    note = "New organizations, recorded as written: 'T-01', 'T-02'.\n"
    assert (log_result.code, log_result.err) == (0, note)
    exchange_id = log_result.answer["exchange_id"]
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


class TestImport:
    def test_repeated_import_records_nothing(self, run: RunCommand, tmp_path: Path) -> None:
        (tmp_path / "roster.csv").write_text(ROSTER)
        (tmp_path / "calls.csv").write_text(EXCHANGES)
        assert "2 rows recorded" in run("import", "organizations", "roster.csv").out
        dry_run = run("import", "exchanges", "calls.csv", "--dry-run")
        assert "giver is column 'from'" in dry_run.out
        assert "2 rows would be recorded" in dry_run.out
        assert run("exchanges", "--format", "json").answer["exchanges"] == []
        first = run("import", "exchanges", "calls.csv")
        assert (first.code, "2 rows recorded" in first.out) == (0, True)
        assert "2 of 2 facts recorded" in first.err
        second = run("import", "exchanges", "calls.csv", "--format", "json")
        assert second.answer["counts"]["unchanged"] == 2
        rows = run("balances", "--format", "json").answer["balances"]
        assert [(row["organization_id"], row["given"], row["received"]) for row in rows] == [
            ("T-01", 1, 1),
            ("T-02", 1, 1),
        ]
        assert run("verify").code == 0

    def test_file_with_errors_records_nothing_and_names_cells(
        self, run: RunCommand, tmp_path: Path
    ) -> None:
        (tmp_path / "calls.csv").write_text(EXCHANGES + "someday,Millbury,Thornwick,chat,-1,c\n")
        result = run("import", "exchanges", "calls.csv")
        assert result.code == 1
        columns = [line.split()[2] for line in result.out.splitlines() if re.match(r" +4 ", line)]
        assert set(columns) == {"occur_time", "kind", "giver_minutes"}
        assert run("exchanges", "--format", "json").answer["exchanges"] == []

    def test_interrupted_wait_for_answers_ends_with_130(
        self, run: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    def test_unreadable_file_is_named(self, run: RunCommand, tmp_path: Path, name: str) -> None:
        (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04")
        result = run("import", "exchanges", name)
        assert result.code in (1, 2)
        assert name in result.err


class TestQuestion:
    def test_full_allocation_is_refused(self, run: RunCommand) -> None:
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
    def test_unimplemented_filters_are_refused(
        self, run: RunCommand, words: tuple[str, str]
    ) -> None:
        run(*CALL)
        result = run("balances", *words, "--format", "json")
        assert (result.code, result.out) == (2, "")
        assert json.loads(result.err)["error"]["code"] == "INVALID_ARGUMENT"


class TestDemo:
    def test_repeated_demo_prints_equal_output(self, run: RunCommand) -> None:
        first, second = run("demo"), run("demo")
        assert first.code == second.code == 0
        *lines, position = first.out.splitlines()
        assert lines == second.out.splitlines()[:-1]
        assert position.startswith("Position ")
        for part in (
            "on the roster",
            "most one-sided pairs",
            "Nothing seen of",
            "What to type next",
        ):
            assert part in first.out
        assert run("--data", ".demo", "verify").code == 0

    @pytest.mark.parametrize(
        ("words", "remedy"),
        [
            (("--server", "127.0.0.1:1", "demo"), "leave out --server 127.0.0.1:1"),
            (("--data", "mine", "demo"), "name it with --dir"),
        ],
    )
    def test_other_place_is_refused_with_remedy(
        self, run: RunCommand, tmp_path: Path, words: tuple[str, ...], remedy: str
    ) -> None:
        result = run(*words)
        assert result.code == 2
        assert remedy in result.err
        assert list(tmp_path.iterdir()) == []

    def test_directory_of_other_data_is_refused(self, run: RunCommand, tmp_path: Path) -> None:
        run("--data", "precious", *CALL)
        result = run("demo", "--dir", "precious")
        assert result.code == 1
        assert "was not made by `mutua demo` and is left alone" in result.err
        assert (
            len(run("--data", "precious", "exchanges", "--format", "json").answer["exchanges"]) == 1
        )


class TestDemoWithOtherFacts:
    LOG = ("--from", "Thornwick", "--to", "Millbury", "--kind", "call", "--minutes", "45")

    @pytest.fixture(autouse=True)
    def _recorded_exchange(self, demo: RunCommand) -> None:
        assert demo("--data", ".demo", "log", *self.LOG).code == 0

    def has_recorded_exchange(self, run: RunCommand) -> bool:
        return "640 facts" in run("--data", ".demo", "verify").out

    def test_is_refused_without_a_terminal(self, run: RunCommand) -> None:
        result = run("demo")
        assert result.code == 1
        assert ".demo has 1 fact that the demo did not generate" in result.err
        assert "name another directory with --dir, or say --yes to delete it" in result.err
        assert self.has_recorded_exchange(run)

    @pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
    def test_is_deleted_only_if_confirmed(
        self, run: RunCommand, type_answers: TypeAnswers, answer: str, code: int
    ) -> None:
        type_answers(answer)
        result = run("demo")
        assert result.code == code
        assert "1 fact that the demo did not generate. Delete everything in it? [y/N]" in result.err
        assert self.has_recorded_exchange(run) is (answer == "n")

    def test_yes_deletes_without_question(self, run: RunCommand) -> None:
        assert run("demo", "--yes").code == 0
        assert not self.has_recorded_exchange(run)


def test_server_runs_until_sigterm(run: RunCommand, tmp_path: Path) -> None:
    with run_up(tmp_path / "mutua-data") as (process, ready):
        assert re.fullmatch(r"mutua is ready on 127\.0\.0\.1:\d+\n", ready)
        assert run(*CALL).code == 0  # through the server, because it has the lock
        assert len(run("exchanges", "--format", "json").answer["exchanges"]) == 1
        assert "demo" in run("demo", "--dir", "mutua-data").err
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    assert len(run("exchanges", "--format", "json").answer["exchanges"]) == 1
