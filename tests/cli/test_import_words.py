"""What can be said to an import about dates, zones, kinds and topics."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from services.cli.file_import import parse_assignment, parse_word_assignment
from tests.cli.conftest import RunCommand

HEADER = "ref,date,giver,receiver,kind,topics\n"


@pytest.fixture
def calls(run: RunCommand) -> Path:
    path = Path("calls.csv")
    path.write_text(f'{HEADER}1,03/04/2026,A,B,Tel. call,"Beds, flow"\n')
    return path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def exchange(run: RunCommand) -> Any:
    [exchange] = run("exchanges", "--format", "json").answer["exchanges"]
    return exchange["revisions"][0]


WORDS = ("--kind-map", "Tel. call=call", "--topic-map", "Beds, flow=bed-management")


def test_an_order_that_nothing_shows_is_asked_for(run: RunCommand, calls: Path) -> None:
    refused = run("import", "exchanges", str(calls), *WORDS)
    assert refused.code == 1
    assert "line 2 (03/04/2026). Say --date-order day-first or --date-order month-first." in (
        refused.err
    )


def test_on_a_terminal_the_order_is_asked(
    run: RunCommand, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("month-first\n"))
    result = run("import", "exchanges", str(calls), *WORDS)
    assert "What comes first?" in result.err
    assert exchange(run)["occur_time"] == "2026-03-04T00:00:00Z"


def test_words_of_the_file_are_said_with_spaces_and_commas(run: RunCommand, calls: Path) -> None:
    assert run("import", "exchanges", str(calls), *WORDS, "--date-order", "day-first").code == 0
    content = exchange(run)["content"]
    assert (content["kind"], content["topics"]) == ("EXCHANGE_KIND_CALL", ["bed-management"])


def test_an_unknown_kind_says_what_to_type(run: RunCommand, calls: Path) -> None:
    result = run("import", "exchanges", str(calls), "--date-order", "day-first")
    assert "--kind-map 'Tel. call=KIND'" in result.out


def test_a_zone_says_where_times_are_from(run: RunCommand) -> None:
    Path("calls.csv").write_text(f"{HEADER}1,2026-10-14 09:15,A,B,call,\n")
    run("import", "exchanges", "calls.csv", "--zone", "Australia/Sydney")
    assert exchange(run)["occur_time"] == "2026-10-13T22:15:00Z"


def test_tables_show_topics_by_their_labels(run: RunCommand) -> None:
    Path("calls.csv").write_text(f"{HEADER}1,2026-03-02,A,B,call,IT & data\n")
    run("import", "exchanges", "calls.csv")
    assert "IT & data" in run("exchanges").out
    assert exchange(run)["content"]["topics"] == ["it-and-data"]
    assert "IT & data" in run("exchanges", "--topic", "IT & data").out


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Telephone call=call", ("Telephone call", "call")),
        ("a=b=call", ("a=b", "call")),
        ("Beds, flow = beds", ("Beds, flow", "beds")),
    ],
)
def test_a_word_may_have_equals_signs(typed: str, read: tuple[str, str]) -> None:
    assert parse_word_assignment(typed) == read


@pytest.mark.parametrize("typed", ["call", "=call", "word=", " =x"])
def test_a_word_without_a_meaning_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is no assignment"):
        parse_word_assignment(typed)


def test_a_column_may_have_equals_signs() -> None:
    assert parse_assignment("giver=Who gave? (A=us)") == ("giver", "Who gave? (A=us)")
