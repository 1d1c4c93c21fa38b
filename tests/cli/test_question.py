"""Every answer states its question, and every unknown filter is named."""

import csv
import io
import json
from pathlib import Path

import pytest

from mutua.v1.query_service_pb2 import Question
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer, make_balances

ADDING_UP = ("balances", "pairs", "network", "concentration")
COMMANDS = (*ADDING_UP, "exchanges", "organizations")
FILTERED = (
    "--from", "2026-01", "--to", "2027-01", "--kind", "call", "--kind", "visit", "--formality",
    "formal", "--topic", "IT & DATA", "--organization", "millbury", "--as-of", "2026-05-01",
    "--population", "active",
)  # fmt: skip


class TestQuestionLine:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_default_question_is_short(self, ask: RunCommand, command: str) -> None:
        lens = "lens count; " if command in ADDING_UP else ""
        assert f"Question: {lens}all time; identity as-now.\n" in ask(command).out

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_filter_is_stated(self, ask: RunCommand, command: str) -> None:
        amounts = "lens burden, allocation full; " if command in ADDING_UP else ""
        words = ("--lens", "burden", "--allocation", "full", *FILTERED)
        assert (
            f"Question: {amounts}from 2026-01-01 and before 2027-01-01; identity as-now; "
            "kind call or visit; formality formal; topic it-and-data; organization Millbury "
            "General Hospital (T-01); population active; as of 2026-05-01.\n"
        ) in ask(command, *words).out

    @pytest.mark.parametrize(
        ("words", "window"),
        [(("--from", "2026-03-02"), "from 2026-03-02"), (("--to", "2026-Q2"), "before 2026-04-01")],
    )
    def test_open_window_has_one_end(
        self, ask: RunCommand, words: tuple[str, ...], window: str
    ) -> None:
        assert f"; {window}; identity" in ask("pairs", *words).out

    def test_filters_of_exchanges_are_stated(self, ask: RunCommand) -> None:
        words = ("--giver", "Thornwick", "--receiver", "T-01", "--standing", "--possible-doubles")
        line = (
            "Question: all time; identity as-now; standing only; possible doubles; "
            "giver Thornwick Teaching Hospitals (T-02); receiver Millbury General Hospital (T-01)."
        )
        assert line in ask("exchanges", *words).out


class TestJsonQuestion:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_question_is_the_answered_one(self, ask: RunCommand, command: str) -> None:
        question = ask(command, *FILTERED, "--format", "json").answer["question"]
        assert {field: question[field] for field in ("from_date", "to_date", "as_of_date")} == {
            "from_date": "2026-01-01",
            "to_date": "2027-01-01",
            "as_of_date": "2026-05-01",
        }
        assert question["kinds"] == ["EXCHANGE_KIND_CALL", "EXCHANGE_KIND_VISIT"]
        assert (question["topics"], question["organization_ids"]) == (["it-and-data"], ["T-01"])
        assert question["identity"] == "IDENTITY_AS_NOW"
        assert {*question} < {*Question.DESCRIPTOR.fields_by_name}

    def test_filters_outside_the_question_are_stated(self, ask: RunCommand) -> None:
        assert "filters" not in ask("exchanges", "--format", "json").answer
        words = ("--giver", "Thornwick", "--standing", "--format", "json")
        filters = {"standing_only": True, "giver_id": "T-02"}
        assert ask("exchanges", *words).answer["filters"] == filters


class TestCsv:
    def test_names_follow_ids(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        programme.balances = make_balances([("T-01", 1, 0), ("elsewhere", 0, 1)])
        rows = list(csv.DictReader(io.StringIO(ask("balances", "--format", "csv").out)))
        assert list(rows[0])[:3] == ["organization_id", "organization_name", "given"]
        assert [(row["organization_id"], row["organization_name"]) for row in rows] == [
            ("T-01", "Millbury General Hospital"),
            ("elsewhere", ""),
        ]
        for command in ("pairs", "network"):
            header = ask(command, "--format", "csv").out.split(",")
            assert header[:4] == ["giver_id", "giver_name", "receiver_id", "receiver_name"]
        assert "organization_name" not in ask("organizations", "--format", "csv").out


class TestOutput:
    def test_csv_has_a_question_file(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        programme.balances = make_balances([("T-01", 1, 0)])
        programme.warnings = ["MANY_UNKNOWN"]
        stdout_result = ask("balances", "--from", "2026-01", "--format", "csv")
        Path("saved.csv").write_text("older")
        file_result = ask(
            "balances", "--from", "2026-01", "--format", "csv", "--output", "saved.csv"
        )
        assert (file_result.code, file_result.out) == (0, "")
        assert Path("saved.csv").read_text() == stdout_result.out
        assert file_result.err.endswith(
            "Written: saved.csv, and its question to saved.csv.question.json.\n"
        )
        statement = json.loads(Path("saved.csv.question.json").read_text())
        whole = ask("balances", "--from", "2026-01", "--format", "json").answer
        del whole["balances"]
        assert statement == whole

    @pytest.mark.parametrize("form", ["table", "json"])
    def test_other_formats_have_no_question_file(
        self, ask: RunCommand, programme: FakeProgrammeServer, form: str
    ) -> None:
        programme.balances = make_balances([("T-01", 1, 0)])
        stdout_result = ask("balances", "--format", form)
        file_result = ask("balances", "--format", form, "--output", "saved")
        assert (file_result.code, file_result.out, file_result.err) == (0, "", "")
        assert Path("saved").read_text() == stdout_result.out
        assert list(Path().iterdir()) == [Path("saved")]

    def test_unwritable_file_is_named(self, ask: RunCommand) -> None:
        result = ask("balances", "--output", "no-folder/saved")
        assert (result.code, result.out) == (1, "")
        assert "no-folder/saved" in result.err

    def test_dash_writes_to_stdout(self, ask: RunCommand) -> None:
        assert ask("pairs", "--format", "csv", "--output", "-").out.startswith("giver_id,")


class TestUnknownFilters:
    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                ("--organization", "Thornwik"),
                "no organization is called 'Thornwik'; did you mean Thornwick Teaching Hospitals",
            ),
            (
                ("--topic", "interface"),
                "no exchange has the topic 'interface'; did you mean interfaces?",
            ),
            (("--topic", "Q w", "--topic", "y"), "no exchange has the topic 'Q w' or 'y': mutua"),
            (
                ("--topic", "IT & dat"),
                "the topic 'IT & dat'; did you mean IT & data?",
            ),
            (("--organization", "t-01", "--identity", "recorded"), "'t-01'; did you mean Millbury"),
        ],
    )
    def test_filter_without_match_is_refused(
        self, ask: RunCommand, command: str, words: tuple[str, ...], message: str
    ) -> None:
        result = ask(command, *words)
        assert (result.code, result.out) == (1, "")
        assert message in result.err
        error = json.loads(ask(command, *words, "--format", "json").err)["error"]
        assert (error["code"], message in error["message"]) == ("NOT_FOUND", True)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_filter_with_some_matches_is_reported(self, ask: RunCommand, command: str) -> None:
        words = ("--topic", "it & data", "--topic", "xyz", "--organization", "T-01")
        result = ask(command, *words, "--organization", "Nobody Else", "--format", "json")
        assert (result.code, len(result.answer) > 3) == (0, True)
        organization, topic = result.err.splitlines()
        assert organization.startswith("no organization is called 'Nobody Else': mutua --server")
        assert organization.endswith(" organizations lists those there are.")
        assert topic.startswith("no exchange has the topic 'xyz': mutua --server")
        assert topic.endswith(" programme show lists those there are.")

    def test_retracted_exchange_makes_its_filters_known(self, run: RunCommand) -> None:
        words = ("log", "--from", "Gone", "--to", "B", "--kind", "call", "--topic", "past")
        exchange_id = run(*words, "--format", "json").answer["exchange_id"]
        run("log", "--from", "A", "--to", "B", "--kind", "call")
        run("retract", exchange_id, "--reason", "twice")
        for filter_words in (("--organization", "Gone"), ("--topic", "past")):
            result = run("exchanges", *filter_words, "--format", "json")
            assert [each["exchange_id"] for each in result.answer["exchanges"]] == [exchange_id]
            assert result.code == 0
            assert run("balances", *filter_words).code == 1
            assert run("exchanges", *filter_words, "--standing").code == 1
