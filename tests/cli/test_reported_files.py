"""Files in which users reported faults with names."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand

REPORTS = Path(os.environ.get("MUTUA_REAL_DATA", "/nowhere")).parent / "reports"
pytestmark = pytest.mark.skipif(
    not REPORTS.exists(), reason="MUTUA_REAL_DATA names no folder of real data"
)


def parties(run: RunCommand) -> list[tuple[list[str], list[str]]]:
    exchanges = run("exchanges", "--format", "json").answer["exchanges"]
    contents = [exchange["revisions"][-1]["content"] for exchange in exchanges]
    return [(content["giver_ids"], content["receiver_ids"]) for content in contents]


def test_one_command_binds_names_to_a_later_roster(run: RunCommand) -> None:
    run("import", "exchanges", REPORTS / "r04-exchanges.csv")
    run("import", "organizations", REPORTS / "r04-roster.csv")
    run("import", "exchanges", REPORTS / "r04-exchanges.csv", "--batch", "again", "--as-new")
    assert parties(run) == [
        (["Ashcombe Hospital"], ["Oakdale Trust"]),
        (["ash-1"], ["oak-2"]),
    ]
    assert "mutua organization alias 'Ashcombe Hospital' ash-1" in run("status").out
    run("organization", "alias", "--unbound")
    assert run("status", "--format", "json").answer["warnings"] == []
    [pair] = run("pairs", "--format", "json").answer["pairs"]
    assert (pair["giver_id"], pair["receiver_id"], pair["given"]) == ("ash-1", "oak-2", 2.0)


def test_hidden_characters_match_and_legal_forms_are_near_misses(run: RunCommand) -> None:
    run("import", "organizations", REPORTS / "r09-roster.csv")
    result = run("import", "exchanges", REPORTS / "r09-names.csv")
    assert parties(run) == [
        (["ash-1"], ["oak-2"]),
        (["ash-1"], ["Oakdale Trust."]),
        (["ash-1"], ["Oakdale Trust Ltd"]),
        (["elm-3"], ["oak-2"]),
    ]
    for name in ("Oakdale Trust.", "Oakdale Trust Ltd"):
        assert f"'{name}' (did you mean Oakdale Trust (oak-2)?)" in result.out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("parties-with-commas.csv", (["elm-3", "oak-2"], ["ash-1"])),
        ("google-sheets.csv", (["ash-1"], ["elm-3", "oak-2"])),
    ],
)
def test_party_separator_option_splits_at_commas(
    run: RunCommand, name: str, expected: tuple[list[str], list[str]]
) -> None:
    run("import", "organizations", REPORTS / "roster.csv")
    options = ("--date-order", "month-first")
    refusal = run("import", "exchanges", REPORTS / name, *options)
    assert refusal.code == 1
    assert "names 2 known organizations with commas between them" in refusal.out
    assert parties(run) == []
    assert run("import", "exchanges", REPORTS / name, *options, "--party-separator", ",").code == 0
    assert parties(run) == [expected]
