"""Messages of failures, for people and for programs."""

import json
from pathlib import Path

import pytest

from mutua import Client, MutuaError
from tests.cli.conftest import RunCommand

LOG = ("log", "--from", "Alderbrook", "--kind", "call")
ELM = ("organization", "add", "elm-3", "--name", "Elmwood")
CLOSED = ("--open-date", "2026-05-01", "--close-date", "2026-01-01")


class TestFieldNames:
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ((*LOG, "--to", "Alderbrook"), "--to 'Alderbrook' is also a giver"),
            (("log", "--from", "", "--to", "B", "--kind", "call"), "--from is empty"),
            ((*LOG, "--to", "B", "--on", "2999-01-01"), "--on is more than a day ahead"),
            ((*ELM, *CLOSED), "--close-date is before --open-date"),
            (
                ("balances", "--from", "2026-03", "--to", "2026-01"),
                "--to must be after --from; the window is half open",
            ),
            (("--programme", "No Name", "balances"), "--programme must be 1 to 63"),
        ],
    )
    def test_text_names_options(
        self, run: RunCommand, words: tuple[str, ...], sentence: str
    ) -> None:
        run("log", "--from", "A", "--to", "B", "--kind", "call")
        result = run(*words)
        assert (result.code, sentence in result.err) == (1, True), result.err
        assert "events[" not in result.err
        assert "question." not in result.err

    def test_json_names_paths(self, run: RunCommand) -> None:
        result = run(*LOG, "--to", "Alderbrook", "--format", "json")
        [violation] = json.loads(result.err)["error"]["field_violations"]
        path = "events[0].exchange_recorded.exchange.receiver_ids[0]"
        assert violation["field"] == path

    def test_quoted_text_is_as_typed(self, run: RunCommand) -> None:
        result = run(*LOG, "--from", "to_date", "--to", "to_date")
        assert "--to 'to_date' is also a giver" in result.err

    def test_description_is_printed_once(self, run: RunCommand) -> None:
        run("log", "--from", "A", "--to", "B", "--kind", "call")
        result = run("pairs", "--order-by", "foo")
        assert result.err.count("has 'foo'") == 1
        assert result.err.startswith("error: --order-by has 'foo'; name fields")


class TestUnusableDirectory:
    @pytest.mark.parametrize("name", ["file", "file/below"])
    def test_file_in_its_place_raises_mutua_error(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("")
        with (
            pytest.raises(MutuaError, match="directory"),
            Client(directory=tmp_path / name) as client,
        ):
            list(client.list_balances())

    def test_path_that_cannot_be_made_raises_mutua_error(self) -> None:
        with (
            pytest.raises(MutuaError, match="/proc/nope cannot be used"),
            Client(directory="/proc/nope") as client,
        ):
            list(client.list_balances())
