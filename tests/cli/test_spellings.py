"""Two spellings of one organization in a cell are one party, in any order of the files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import RunCommand

ROSTER = """id,name,alias
ash-1,Ashcombe Hospital,Ashcombe
oak-2,Oakdale,Oakdale;Oakdale Trust
elm-3,Elmwood Trust,Elmwood
"""
WEBINAR = """ref,date,from,to,kind,minutes,receiver_minutes
1,2026-03-02,Ashcombe,Oakdale; Oakdale Trust; Elmwood,webinar,90,60
"""
VISITS_ROSTER = """id,name,alias
ash-1,Ashcombe Hospital,Ashcombe;Ashcombe Hospital
oak-2,Oakdale Trust,Oakdale
"""
VISITS = """ref,date,from,to,kind,minutes
1,2026-03-02,Ashcombe; Ashcombe Hospital,Oakdale,visit,60
2,2026-03-03,Ashcombe; Ashcombe Hospital,Oakdale,visit,60
3,2026-03-04,Ashcombe; Ashcombe Hospital,Oakdale,visit,60
4,2026-03-05,Oakdale,Ashcombe,visit,60
5,2026-03-06,Oakdale,Ashcombe,visit,60
6,2026-03-07,Oakdale,Ashcombe,visit,60
7,2026-03-08,Oakdale,Ashcombe,visit,60
"""
INTERNAL = """ref,date,from,to,kind,minutes
1,2026-03-02,Ashcombe,Ashcombe Hospital;Oakdale,call,30
"""
REAL_DATA = os.environ.get("MUTUA_REAL_DATA")
both_orders = pytest.mark.parametrize("roster_first", [True, False])
both_sources = pytest.mark.parametrize(
    "is_reported",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.skipif(
                REAL_DATA is None, reason="MUTUA_REAL_DATA does not name the folder of real data"
            ),
        ),
    ],
)


@both_orders
@both_sources
def test_organization_with_two_spellings_receives_once(
    run: RunCommand, tmp_path: Path, *, roster_first: bool, is_reported: bool
) -> None:
    files = {"r02-roster": ROSTER, "r02-webinar": WEBINAR}
    _import(run, tmp_path, files, roster_first=roster_first, is_reported=is_reported)
    expected = {
        "count": {"ash-1": (2, 0), "elm-3": (0, 1), "oak-2": (0, 1)},
        "burden": {"ash-1": (90, 0), "elm-3": (0, 45), "oak-2": (0, 45)},
        "attention": {"ash-1": (120, 0), "elm-3": (0, 60), "oak-2": (0, 60)},
    }
    for lens, totals in expected.items():
        rows = run("balances", "--lens", lens, "--format", "json").answer["balances"]
        amounts = {row["organization_id"]: (row["given"], row["received"]) for row in rows}
        assert amounts == totals, lens
        assert {row["exchange_count"] for row in rows} == {1}


@both_orders
@both_sources
def test_pair_counts_equal_its_evidence(
    run: RunCommand, tmp_path: Path, *, roster_first: bool, is_reported: bool
) -> None:
    files = {"r02-roster-visits": VISITS_ROSTER, "r02-visits": VISITS}
    _import(run, tmp_path, files, roster_first=roster_first, is_reported=is_reported)
    [pair] = run("pairs", "--format", "json").answer["pairs"]
    assert (pair["giver_id"], pair["receiver_id"]) == ("oak-2", "ash-1")
    assert (pair["given"], pair["received"]) == (pair["given_count"], pair["received_count"])
    assert (pair["given"], pair["received"]) == (4, 3)
    [ash, oak] = run("balances", "--lens", "burden", "--format", "json").answer["balances"]
    assert (ash["given"], ash["received"], ash["net"]) == (180, 240, -60)
    assert (oak["given"], oak["received"], oak["exchange_count"]) == (240, 180, 7)
    assert len(_evidence(run, "ash-1", "oak-2")) == 3
    assert len(_evidence(run, "Oakdale", "Ashcombe")) == 4


def test_internal_exchange_is_listed_and_counts_nowhere(run: RunCommand, tmp_path: Path) -> None:
    files = {"roster": VISITS_ROSTER, "calls": INTERNAL}
    _import(run, tmp_path, files, roster_first=False, is_reported=False)
    answer = run("balances", "--format", "json").answer
    assert [(row["given"], row["received"]) for row in answer["balances"]] == [(0, 0), (0, 0)]
    assert {row["isolate"] for row in answer["balances"]} == {False}
    coverage = answer["coverage"]
    assert (coverage["exchange_count"], coverage["internal_count"]) == (1, 1)
    assert run("pairs", "--format", "json").answer["pairs"] == []
    table = run("balances").out
    assert "1 exchange is internal to one organization" in table
    assert table.count("none of these") == 2
    assert _evidence(run, "Ashcombe", "Oakdale") == []
    answer = run("exchanges", "--organization", "Oakdale", "--format", "json").answer
    assert len(answer["exchanges"]) == 1


def _evidence(run: RunCommand, giver: str, receiver: str) -> list[Any]:
    words = ("--giver", giver, "--receiver", receiver, "--standing", "--format", "json")
    exchanges: list[Any] = run("exchanges", *words).answer["exchanges"]
    return exchanges


def _import(
    run: RunCommand, folder: Path, files: dict[str, str], *, roster_first: bool, is_reported: bool
) -> None:
    """Imports a roster and exchanges, from this module or from the reported files."""
    for name, text in files.items():
        path = folder / f"{name}.csv"
        if is_reported:
            shutil.copy(Path(REAL_DATA or "").parent / "reports" / path.name, path)
        else:
            path.write_text(text)
    commands = [*zip(("organizations", "exchanges"), files, strict=True)]
    for what, name in commands if roster_first else reversed(commands):
        result = run("import", what, f"{name}.csv")
        assert result.code == 0, result.err
