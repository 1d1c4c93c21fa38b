"""Options of an import for dates, zones, kinds and topics."""

from pathlib import Path
from typing import Any

import pytest

from services.cli.file_import import parse_assignment, parse_word_assignment
from tests.cli.conftest import RunCommand, TypeAnswers

HEADER = "ref,date,giver,receiver,kind,topics\n"


@pytest.fixture
def calls(run: RunCommand) -> Path:
    path = Path("calls.csv")
    path.write_text(f'{HEADER}1,03/04/2026,A,B,Tel. call,"Beds, flow"\n')
    return path


def exchange(run: RunCommand) -> Any:
    [exchange] = run("exchanges", "--format", "json").answer["exchanges"]
    return exchange["revisions"][0]


WORDS = ("--kind-map", "Tel. call=call", "--topic-map", "Beds, flow=bed-management")


class TestDateOrder:
    def test_unproven_order_is_refused_with_options(self, run: RunCommand, calls: Path) -> None:
        result = run("import", "exchanges", str(calls), *WORDS)
        assert result.code == 1
        assert "line 2 (03/04/2026). Say --date-order day-first or --date-order month-first." in (
            result.err
        )

    def test_terminal_is_asked_for_an_unproven_order(
        self, run: RunCommand, calls: Path, type_answers: TypeAnswers
    ) -> None:
        type_answers("month-first")
        result = run("import", "exchanges", str(calls), *WORDS)
        assert "What comes first?" in result.err
        assert exchange(run)["occur_time"] == "2026-03-04T00:00:00Z"


def test_mapped_words_may_have_spaces_and_commas(run: RunCommand, calls: Path) -> None:
    assert run("import", "exchanges", str(calls), *WORDS, "--date-order", "day-first").code == 0
    content = exchange(run)["content"]
    assert (content["kind"], content["topics"]) == ("EXCHANGE_KIND_CALL", ["bed-management"])


def test_unknown_kind_is_refused_with_option(run: RunCommand, calls: Path) -> None:
    result = run("import", "exchanges", str(calls), "--date-order", "day-first")
    assert "--kind-map 'Tel. call=KIND'" in result.out


def test_zone_applies_to_times(run: RunCommand) -> None:
    Path("calls.csv").write_text(f"{HEADER}1,2026-10-14 09:15,A,B,call,\n")
    run("import", "exchanges", "calls.csv", "--zone", "Australia/Sydney")
    assert exchange(run)["occur_time"] == "2026-10-13T22:15:00Z"


def test_topic_label_is_shown_and_accepted(run: RunCommand) -> None:
    Path("calls.csv").write_text(f"{HEADER}1,2026-03-02,A,B,call,IT & data\n")
    run("import", "exchanges", "calls.csv")
    assert "IT & data" in run("exchanges").out
    assert exchange(run)["content"]["topics"] == ["it-and-data"]
    assert "IT & data" in run("exchanges", "--topic", "IT & data").out


class TestParseAssignment:
    @pytest.mark.parametrize(
        ("text", "assignment"),
        [
            ("Telephone call=call", ("Telephone call", "call")),
            ("a=b=call", ("a=b", "call")),
            ("Beds, flow = beds", ("Beds, flow", "beds")),
        ],
    )
    def test_word_may_have_equals_signs(self, text: str, assignment: tuple[str, str]) -> None:
        assert parse_word_assignment(text) == assignment

    @pytest.mark.parametrize("text", ["call", "=call", "word=", " =x"])
    def test_incomplete_assignment_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no assignment"):
            parse_word_assignment(text)

    def test_column_may_have_equals_signs(self) -> None:
        assert parse_assignment("giver=Who gave? (A=us)") == ("giver", "Who gave? (A=us)")
