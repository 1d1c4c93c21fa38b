"""Imports on a directory, as people type them: nothing is faked."""

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from mutua import Client, MutuaError
from services.cli import import_report
from tests.cli.conftest import RunCommand

HEADER = "ref,date,from,to,kind,minutes\n"
FIRST = "a,2026-03-14,T-01,T-02,call,45\n"
SECOND = "b,2026-03-15,T-02,T-01,visit,\n"
CHANGED = FIRST.replace("45", "60")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.csv"
    path.write_text(HEADER + FIRST + SECOND)
    return path


def batches(run: RunCommand) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = run("import", "list", "--format", "json").answer["batches"]
    return listed


def exchanges(run: RunCommand) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = run("exchanges", "--format", "json").answer["exchanges"]
    return listed


def test_to_and_fro_ends_where_the_file_does(run: RunCommand, calls: Path) -> None:
    minutes = []
    for row in (FIRST, CHANGED, FIRST, CHANGED, CHANGED):
        calls.write_text(HEADER + row + SECOND)
        run("import", "exchanges", "calls.csv")
        minutes.append(exchanges(run)[0]["revisions"][-1]["content"]["giver_minutes"])
    assert minutes == [45, 60, 45, 60, 60]
    assert len(exchanges(run)[0]["revisions"]) == 4
    [batch] = batches(run)
    assert (batch["exchange_count"], batch["correction_count"]) == (2, 3)
    assert run("verify").code == 0


def test_an_undone_batch_is_imported_as_the_next_generation(run: RunCommand, calls: Path) -> None:
    run("import", "exchanges", "calls.csv")
    undone = run("import", "undo", "calls", "--yes")
    assert (undone.code, "2 exchanges of batch calls undone" in undone.out) == (0, True)
    assert "2 of 2 exchanges retracted" in undone.err
    assert {each["state"] for each in exchanges(run)} == {"EXCHANGE_STATE_RETRACTED"}
    again = run("import", "undo", "calls", "--yes", "--format", "json").answer
    assert (again["retracted_count"], again["retracted_earlier_count"]) == (0, 2)
    imported = run("import", "exchanges", "calls.csv")
    assert "Batch calls, generation 2: 2 rows." in imported.out
    assert "2 rows recorded" in imported.out
    assert "2 rows stand already" in run("import", "exchanges", "calls.csv").out
    assert [
        (each["generation"], each["exchange_count"], each["retracted_count"], each["undone"])
        for each in batches(run)
    ] == [(1, 2, 2, True), (2, 2, 0, False)]
    assert run("verify").code == 0


def test_an_exchange_retracted_by_hand_stays_so_and_undoes_nothing(
    run: RunCommand, calls: Path
) -> None:
    run("import", "exchanges", "calls.csv")
    run("retract", exchanges(run)[0]["exchange_id"], "--reason", "never happened")
    again = run("import", "exchanges", "calls.csv").out
    assert "1 row stands already\n1 row retracted by hand, left so\n" in again
    assert "  line 2 (a): T-01 -> T-02, call, 2026-03-14, exchange " in again
    assert "because “never happened”" in again
    run("retract", exchanges(run)[1]["exchange_id"], "--reason", "nor did this")
    [batch] = batches(run)
    assert (batch["retracted_count"], batch["undone"]) == (2, False)
    told = run("import", "undo", "calls", "--yes").out
    assert "Nothing of batch calls stands: 2 exchanges of it retracted before." in told
    assert "2 rows retracted by hand, left so" in run("import", "exchanges", "calls.csv").out


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_the_list_in_each_format(run: RunCommand, calls: Path, form: str) -> None:
    (calls.parent / "roster.csv").write_text("id,name\nT-01,One\n")
    run("import", "organizations", "roster.csv")
    run("import", "exchanges", "calls.csv", "--batch", "May, 1st half")
    listed = run("import", "list", "--format", form)
    assert listed.code == 0
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(listed.out)))
        assert [row["batch"] for row in rows] == ["May, 1st half", "roster"]
        assert rows[1]["organization_count"] == "1"
    elif form == "json":
        assert listed.answer.keys() == {
            "batches", "position", "as_of_date", "coverage", "warnings",
        }  # fmt: skip
        assert listed.answer["batches"][0].keys() >= {"client", "first_record_time", "undone"}
    else:
        assert listed.out.splitlines()[0].split()[:3] == ["batch", "generation", "exchanges"]


def test_a_list_of_nothing(run: RunCommand) -> None:
    run("log", "--from", "A", "--to", "B", "--kind", "call")
    assert run("import", "list").out == "Nothing was imported.\n"


def test_a_list_comes_page_by_page(run: RunCommand, calls: Path) -> None:
    from services.app.bootstrap import serve_embedded

    for name in ("b", "a", "c"):
        run("import", "exchanges", "calls.csv", "--batch", name, "--as-new")
    with (
        serve_embedded(Path("mutua-data"), write=False, purpose="a test") as running,
        Client(running.address) as client,
    ):
        assert [each.batch for each in client.list_batches(page_size=1)] == ["a", "b", "c"]
        with pytest.raises(MutuaError, match="negative"):
            list(client.list_batches(page_size=-1))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("undo", "cals"), 1, "There is no batch 'cals'. Did you mean calls?"),
        (("undo", "calls"), 2, "Retract 2 exchanges of batch calls? There is no terminal"),
        (("exchanges", "copy.csv"), 1, "2 new rows have a reference that is in batch calls"),
        (("exchanges", "calls.csv", "--skip-bad", "calls.csv"), 1, "the file exists"),
        (("exchanges", "calls.csv", "--sheet", "One"), 1, "--sheet is for workbooks"),
        (("exchanges", "calls.csv", "--date-order", "year-first"), 2, "year-first"),
        (
            ("exchanges", "calls.csv", "--no-header", "--header-row", "1"),
            2,
            "leave one of them out",
        ),
        (
            ("exchanges", "calls.csv", "--header-row", "9"),
            1,
            "--header-row 9: calls.csv has no text",
        ),
        (("template", "calls.csv"), 2, "name a file that ends in .xlsx"),
    ],
)
def test_what_cannot_be_done_is_told(
    run: RunCommand, calls: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    run("import", "exchanges", "calls.csv")
    (calls.parent / "copy.csv").write_text(calls.read_text())
    result = run("import", *words)
    assert (result.code, result.out) == (code, "")
    assert said in " ".join(result.err.split())
    assert len(exchanges(run)) == 2
    form = run("import", *words, "--format", "json")
    if "template" not in words:
        assert said in json.loads(form.err)["error"]["message"]


@pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 4), ("n\n", 1, 2)])
def test_a_copy_is_asked_about_on_a_terminal(
    run: RunCommand,
    calls: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    count: int,
) -> None:
    run("import", "exchanges", "calls.csv")
    (calls.parent / "copy.csv").write_text(calls.read_text())
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    result = run("import", "exchanges", "copy.csv")
    assert (result.code, len(exchanges(run))) == (code, count)
    assert "2 of them have the same content.\nIf this is a copy of that file" in result.err
    assert "Record them as other exchanges? [y/N]" in result.err


@pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 2), ("n\n", 1, 0)])
def test_a_first_row_of_data_is_asked_about_on_a_terminal(
    run: RunCommand,
    calls: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    count: int,
) -> None:
    calls.write_text("2026-03-14,T-01,T-02,call\n2026-03-15,T-02,T-01,visit\n")
    remedy = "--no-header --map occur_time=1 --map giver=2 --map receiver=3 --map kind=4"
    result = run("import", "exchanges", "calls.csv")
    assert (result.code, remedy in " ".join(result.err.split())) == (1, True)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    result = run("import", "exchanges", "calls.csv")
    assert f"Import all its rows, with {remedy}? [y/N]" in " ".join(result.err.split())
    assert result.code == code
    assert f"{count} rows recorded" in result.out or not count


@pytest.mark.parametrize(("answer", "code", "undone"), [("y\n", 0, True), ("n\n", 1, False)])
def test_an_undo_is_asked_about_on_a_terminal(
    run: RunCommand,
    calls: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    *,
    undone: bool,
) -> None:
    run("import", "exchanges", "calls.csv")
    run("correct", exchanges(run)[0]["exchange_id"], "--minutes", 50)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    result = run("import", "undo", "calls")
    assert (result.code, batches(run)[0]["undone"]) == (code, undone)
    assert "1 exchange of it had been corrected by hand" in result.err


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def test_bad_rows_are_skipped_and_mended(run: RunCommand, calls: Path) -> None:
    calls.write_text(HEADER + FIRST + SECOND + "c,never,T-01,T-02,call,1\n")
    result = run("import", "exchanges", "calls.csv", "--skip-bad", "mend.csv")
    assert result.code == 0
    for said in ("2 rows recorded", "1 row written to mend.csv", "mend.csv --batch calls"):
        assert said in result.out
    mend = calls.with_name("mend.csv")
    mend.write_text(mend.read_text().replace("never", "2026-03-16"))
    assert "1 row recorded" in run("import", "exchanges", "mend.csv", "--batch", "calls").out
    assert [each["exchange_count"] for each in batches(run)] == [3]


def test_a_template_knows_the_roster(run: RunCommand, calls: Path) -> None:
    (calls.parent / "roster.csv").write_text("id,name\nT-01,One\nT-02,Two\n")
    assert "Nobody is on the roster" in run("import", "template", "empty.xlsx").out
    run("import", "organizations", "roster.csv")
    assert "can be chosen from 2 organizations" in run("import", "template", "t.xlsx").out
    planned = run("import", "exchanges", "t.xlsx", "--dry-run")
    assert planned.code == 0
    assert re.match(r"Batch t-[0-9a-f]{12}: 0 rows\.\n", planned.out)
    written = calls.with_name("t.xlsx").read_bytes()
    refused = run("import", "template", "t.xlsx")
    assert (refused.code, "say --force" in refused.err) == (1, True)
    assert calls.with_name("t.xlsx").read_bytes() == written
    assert run("import", "template", "t.xlsx", "--force").code == 0


def test_month_first(run: RunCommand, calls: Path) -> None:
    calls.write_text(HEADER + FIRST.replace("2026-03-14", "03/04/2026"))
    planned = run("import", "exchanges", "calls.csv", "--date-order", "month-first").out
    assert "Dates such as 05/31/2024 were read as month/day/year" in planned
    assert exchanges(run)[0]["revisions"][0]["occur_time"] == "2026-03-04T00:00:00Z"


def test_every_outcome_has_words() -> None:
    from services.imports.report import RowCounts

    told = {*import_report.OUTCOME_LINES, "rows", "wrong"}
    assert told == set(RowCounts.__dataclass_fields__)


class TestSendersOfOneBatchName:
    def test_each_sender_has_a_batch_of_its_own(self, run: RunCommand, calls: Path) -> None:
        assert run("--as", "Oakdale", "import", "exchanges", "calls.csv").code == 0
        calls.write_text(HEADER + "a,2026-04-01,T-05,T-06,call,10\n")
        assert run("--as", "Ashcombe", "import", "exchanges", "calls.csv").code == 0
        told = [(each["recorded_by"], each["exchange_count"]) for each in batches(run)]
        assert told == [("Ashcombe", 1), ("Oakdale", 2)]
        assert "recorded for" in run("import", "list").out

    def test_undo_asks_whose_batch_is_meant(self, run: RunCommand, calls: Path) -> None:
        run("--as", "Oakdale", "import", "exchanges", "calls.csv")
        calls.write_text(HEADER + "a,2026-04-01,T-05,T-06,call,10\n")
        run("--as", "Ashcombe", "import", "exchanges", "calls.csv")
        refused = run("import", "undo", "calls", "--yes")
        assert refused.code == 1
        assert "was imported for Ashcombe and for Oakdale" in refused.err
        assert "mutua --as Oakdale import undo calls" in refused.err
        undone = run("--as", "Oakdale", "import", "undo", "calls", "--yes")
        assert "2 exchanges of batch calls for Oakdale undone." in undone.out
        states = [(each["recorded_by"], each["undone"]) for each in batches(run)]
        assert states == [("Ashcombe", False), ("Oakdale", True)]
        assert run("verify").code == 0

    def test_undo_by_name_alone_where_one_sender_has_it(self, run: RunCommand, calls: Path) -> None:
        run("--as", "Oakdale", "import", "exchanges", "calls.csv")
        run("import", "undo", "calls", "--yes")
        [batch] = batches(run)
        assert (batch["recorded_by"], batch["undone"]) == ("Oakdale", True)
