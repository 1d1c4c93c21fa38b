"""Global options, exit statuses, and how a command finds its server."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import click
import grpc
import pytest
from click.shell_completion import BashComplete

from mutua.location import find_running_server
from services.adapters.sqlite.data_directory import DataDirectory
from services.cli import main as cli
from tests.cli.cli_process import COMMAND
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer
from tests.client.scripted_server import ScriptedFailure
from tests.faults.server_process import make_environment

HEAVY = (
    *("sqlmodel", "sqlalchemy", "numpy", "pydantic", "tabulate"),
    *("services.app.bootstrap", "services.app.data_maintenance"),
)


class TestHelp:
    @pytest.mark.parametrize("command", cli.COMMANDS)
    def test_has_an_example(self, run: RunCommand, command: str) -> None:
        text = run(command, "--help").out
        assert "Example" in text
        assert f"mutua {command}" in text or "programme-data" in text

    @pytest.mark.parametrize("command", cli.COMMANDS)
    def test_starts_with_a_short_sentence(self, command: str) -> None:
        """The list of commands would truncate a longer one."""
        context = click.Context(cli.mutua)
        root = cli.mutua.get_command(context, command)
        assert root is not None
        for leaf in [root, *_leaves(root, context)]:
            first_sentence = (leaf.help or "").partition("\n")[0]
            assert first_sentence.endswith(".")
            assert len(first_sentence) <= 45, first_sentence

    def test_commands_are_listed_in_order_of_use(self, run: RunCommand) -> None:
        result = run("--help")
        names = [line.split()[0] for line in result.out.partition("Commands:\n")[2].splitlines()]
        assert (result.code, names) == (0, list(cli.COMMANDS))


class TestMisuse:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                ("balances", "--data", "x"),
                "--data goes before the command: mutua --data DIRECTORY b",
            ),
            (("log", "--server=x:1"), "mutua --server HOST:PORT[,HOST:PORT] log"),
            (("status", "--programme", "gde"), "mutua --programme TEXT status"),
            (("retract", "e1", "--as", "T-01"), "mutua --as ORGANIZATION retract"),
            (("import", "exchanges", "f.csv", "--data", "x"), "--data DIRECTORY import exchanges"),
            (("coverage",), "No such command 'coverage'"),
            (("import", "visits.csv"), "mutua import exchanges visits.csv"),
            (("--data", "d", "import", "-"), "mutua --data d import organizations -"),
            (("import", "visits"), "No such command 'visits'"),
            (("balances", "--known-at", "2026-01"), "No such option"),
        ],
    )
    def test_message_has_the_right_order_of_words(
        self, run: RunCommand, words: tuple[str, ...], message: str
    ) -> None:
        result = run(*words)
        assert (result.code, result.out) == (2, "")
        assert message in " ".join(result.err.split())

    def test_json_names_invalid_option(self, run: RunCommand) -> None:
        result = run("balances", "--kind", "chat", "--format", "json")
        error = json.loads(result.err)["error"]
        assert (result.code, error["code"], error["reason"]) == (2, "INVALID_ARGUMENT", "")
        assert "'chat' is not one of" in error["message"]
        [violation] = error["field_violations"]
        assert violation["field"] == "--kind"
        assert violation["description"].startswith("'chat' is not one of")

    def test_json_names_missing_option(self, run: RunCommand) -> None:
        error = json.loads(run("retract", "e1", "--format", "json").err)["error"]
        assert [each["field"] for each in error["field_violations"]] == ["--reason"]

    @pytest.mark.parametrize(
        "command", [("rebuild",), ("verify",), ("replay", "f"), ("export", "log", "g")]
    )
    def test_directory_command_refuses_a_server(
        self, run: RunCommand, command: tuple[str, ...]
    ) -> None:
        """`./mutua-data` exists, but has other facts than the server."""
        Path("f").write_text("")
        run("log", "--from", "A", "--to", "B", "--kind", "call")
        result = run("--server", "far.example:1", *command)
        assert (result.code, result.out) == (2, "")
        assert "works on a data directory, not through a server" in " ".join(result.err.split())


class TestFailure:
    def test_violation_in_the_message_is_not_repeated(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.failure = ScriptedFailure(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            reason="QUESTION_IMPOSSIBLE",
            violations=[("order_by", "QUESTION_IMPOSSIBLE in words"), ("page_size", "is negative")],
        )
        assert ask("balances").err.splitlines() == [
            "error: QUESTION_IMPOSSIBLE in words",
            "  page_size: is negative",
        ]

    def test_json_has_reason_and_request_id(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.failure = ScriptedFailure(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            reason="QUESTION_IMPOSSIBLE",
            violations=[("question.allocation", "full is never added up")],
        )
        result = ask("balances", "--allocation", "full", "--format=json")
        assert (result.code, result.out) == (1, "")
        assert json.loads(result.err) == {
            "error": {
                "code": "INVALID_ARGUMENT",
                "reason": "QUESTION_IMPOSSIBLE",
                "message": "QUESTION_IMPOSSIBLE in words",
                "request_id": programme.metadata[-1]["x-request-id"],
                "field_violations": [
                    {"field": "question.allocation", "description": "full is never added up"}
                ],
            }
        }

    def test_interrupt_ends_with_130(
        self, run: RunCommand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @click.command()
        def status() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("services.cli.server.status", status)
        result = run("status")
        assert (result.code, result.err.strip()) == (130, "Interrupted.")


def test_status_has_counts_and_positions(ask: RunCommand) -> None:
    assert "1,234 facts" in ask("status").out
    answer = ask("status", "--format", "json").answer
    assert (answer["fact_count"], answer["log_position"], answer["held"]) == (1234, "p0", [])


class TestServerLookup:
    def test_option_precedes_environment(
        self, run: RunCommand, programme: FakeProgrammeServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MUTUA_SERVER", "127.0.0.1:1")
        monkeypatch.setenv("MUTUA_PROGRAMME", "gde")
        monkeypatch.setenv("MUTUA_RECORDED_BY", "T-03")
        assert run("--server", programme.address, "balances").code == 0
        assert programme.questions[-1].programme_id == "gde"
        assert programme.metadata[-1]["mutua-organization"] == "T-03"

    def test_server_of_data_directory_is_found(
        self, run: RunCommand, programme: FakeProgrammeServer, tmp_path: Path
    ) -> None:
        write_server_file(tmp_path, programme.address, os.getpid())
        with DataDirectory(tmp_path).lock("a test"):
            assert run("--data", tmp_path, "status").code == 0

    @pytest.mark.parametrize(
        "case", ["no file", "torn file", "dead process", "nobody listens", "nobody holds"]
    )
    def test_stale_server_file_is_ignored(
        self, programme: FakeProgrammeServer, tmp_path: Path, case: str
    ) -> None:
        dead_process = subprocess.Popen([sys.executable, "-c", ""])
        dead_process.wait()
        lock = DataDirectory(tmp_path).lock("a test") if case != "nobody holds" else nullcontext()
        match case:
            case "nobody holds":
                # Other programs have reused the process id and the port of a killed server.
                write_server_file(tmp_path, programme.address, os.getpid())
            case "torn file":
                (tmp_path / "server.json").write_text('{"pid":')
            case "dead process":
                write_server_file(tmp_path, programme.address, dead_process.pid)
            case "nobody listens":
                write_server_file(tmp_path, "127.0.0.1:1", os.getpid())
        with lock:
            assert find_running_server(tmp_path) == ""


class TestProcess:
    def test_remote_command_imports_no_heavy_module(
        self,
        programme: FakeProgrammeServer,
    ) -> None:
        script = (
            "import sys; from services.cli.main import main\n"
            "try: main(sys.argv[1:])\n"
            f"finally: print([name for name in {HEAVY} if name in sys.modules])"
        )
        words = ["--server", programme.address, "log", "--from", "A", "--to", "B", "--kind", "call"]
        result = subprocess.run(
            [sys.executable, "-c", script, *words],
            capture_output=True,
            text=True,
            check=True,
            env=make_environment(),
        )
        assert result.stdout.splitlines()[-1] == "[]"

    def test_closed_pipe_ends_quietly(self, programme: FakeProgrammeServer) -> None:
        process = subprocess.Popen(
            [*COMMAND, "--server", programme.address, "organizations"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=make_environment(),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        assert process.wait() == 1
        assert errors == b""


def write_server_file(data: Path, address: str, pid: int) -> None:
    content = {"pid": pid, "address": address, "http_address": "", "start_time": ""}
    (data / "server.json").write_text(json.dumps(content))


class TestCompletion:
    @pytest.mark.parametrize(
        ("words", "choices"),
        [
            (("balances", "--lens", ""), ["count", "burden", "attention", "benefit"]),
            (("balances", "--lens", "B"), ["burden", "benefit"]),
            (("balances", "--kind", "shared_c"), ["shared-configuration"]),
            (("log", "--formality", "x"), []),
        ],
    )
    def test_offers_matching_words(
        self, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], choices: list[str]
    ) -> None:
        monkeypatch.setenv("COMP_WORDS", " ".join(["mutua", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        completing = BashComplete(cli.mutua, {}, "mutua", "_MUTUA_COMPLETE")
        *complete_words, incomplete = words
        completions = completing.get_completions(complete_words, incomplete)
        assert [each.value for each in completions] == choices

    def test_choices_offer_no_number(self) -> None:
        """Numbers of enums are accepted, but nobody types them."""
        context = click.Context(cli.mutua)
        choices = [
            (parameter, leaf)
            for name in cli.COMMANDS
            if (command := cli.mutua.get_command(context, name)) is not None
            for leaf in _leaves(command, context)
            for parameter in leaf.params
            if isinstance(parameter.type, click.Choice)
        ]
        assert len(choices) > 10
        for parameter, leaf in choices:
            completions = parameter.type.shell_complete(click.Context(leaf), parameter, "")
            assert completions
            assert not any(each.value.isdecimal() for each in completions), parameter.name


def _leaves(command: click.Command, context: click.Context) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return [command]
    below = (command.get_command(context, name) for name in command.list_commands(context))
    return [leaf for each in below if each is not None for leaf in _leaves(each, context)]
