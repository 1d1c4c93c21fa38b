"""Possible double reports, as people and programs read them."""

from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand, recorded_once

REPORTS = (
    "reported_by,giver,receiver\n"
    "alder,alder,birch\nbirch,alder,birch\nbirch,cedar,birch\ncedar,cedar,birch\nalder,alder,cedar\n"
)


@recorded_once
def double_reports(run: RunCommand) -> None:
    """Two exchanges that both sides reported, and one that one side reported."""
    Path("reports.csv").write_text(REPORTS)
    words = ("--set", "kind=message", "--set", "occur_time=2026-01-01")
    assert run("import", "exchanges", "reports.csv", *words).code == 0


@pytest.mark.parametrize("command", ["balances", "pairs", "network", "concentration", "exchanges"])
def test_every_answer_with_exchanges_warns(double_reports: RunCommand, command: str) -> None:
    answer = double_reports(command, "--format", "json").answer
    assert "POSSIBLE_DOUBLE_REPORTS" in answer["warnings"]
    assert answer["coverage"]["possible_double_count"] == 2
    text = double_reports(command).out
    assert "2 exchanges may be counted twice (POSSIBLE_DOUBLE_REPORTS)" in text
    assert "To see them: mutua exchanges --possible-doubles." in text
    later = double_reports(command, "--from", "2026-02", "--format", "json").answer
    assert "POSSIBLE_DOUBLE_REPORTS" not in later["warnings"]


def test_list_has_doubles_next_to_each_other(double_reports: RunCommand) -> None:
    lines = double_reports("exchanges", "--possible-doubles").out.splitlines()
    rows = [line.split() for line in lines[2:6]]
    assert [(row[3], row[4], row[5]) for row in rows] == [
        ("alder", "birch", "giver"),
        ("alder", "birch", "receiver"),
        ("cedar", "birch", "receiver"),
        ("cedar", "birch", "giver"),
    ]
    assert lines[-1] == "2 possible double reports: 4 exchanges."
    some = double_reports("exchanges", "--possible-doubles", "--organization", "cedar")
    assert some.out.splitlines()[-1] == "2 possible double reports in all; 2 exchanges shown."
    answer = double_reports("exchanges", "--possible-doubles", "--format", "json").answer
    assert (len(answer["exchanges"]), answer["coverage"]["possible_double_count"]) == (4, 2)


def test_order_by_is_refused(double_reports: RunCommand) -> None:
    result = double_reports("exchanges", "--possible-doubles", "--order-by", "occur_time")
    assert (result.code, "act by act" in result.err) == (1, True)
