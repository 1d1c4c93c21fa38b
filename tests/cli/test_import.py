"""Imports on a data directory, as people type them; no part is faked."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mutua import Client, MutuaError
from services.cli import import_report
from tests.cli.conftest import RunCommand, TypeAnswers

HEADER = "ref,date,from,to,kind,minutes\n"
FIRST = "a,2026-03-14,T-01,T-02,call,45\n"
SECOND = "b,2026-03-15,T-02,T-01,visit,\n"
CHANGED = FIRST.replace("45", "60")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.csv"
    path.write_text(HEADER + FIRST + SECOND)
    return path


def list_batches(run: RunCommand) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run("import", "list", "--format", "json").answer["batches"]
    return rows


def exchanges(run: RunCommand) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run("exchanges", "--format", "json").answer["exchanges"]
    return rows


class TestBatch:
    def test_changes_back_and_forth_end_with_last_file(self, run: RunCommand, calls: Path) -> None:
        minutes = []
        for row in (FIRST, CHANGED, FIRST, CHANGED, CHANGED):
            calls.write_text(HEADER + row + SECOND)
            run("import", "exchanges", "calls.csv")
            minutes.append(exchanges(run)[0]["revisions"][-1]["content"]["giver_minutes"])
        assert minutes == [45, 60, 45, 60, 60]
        assert len(exchanges(run)[0]["revisions"]) == 4
        [batch] = list_batches(run)
        assert (batch["exchange_count"], batch["correction_count"]) == (2, 3)
        assert run("verify").code == 0

    def test_undone_batch_begins_next_generation(self, run: RunCommand, calls: Path) -> None:
        run("import", "exchanges", "calls.csv")
        undo = run("import", "undo", "calls", "--yes")
        assert (undo.code, "2 exchanges of batch calls undone" in undo.out) == (0, True)
        assert "2 of 2 exchanges retracted" in undo.err
        assert {each["state"] for each in exchanges(run)} == {"EXCHANGE_STATE_RETRACTED"}
        second_undo = run("import", "undo", "calls", "--yes", "--format", "json").answer
        assert (second_undo["retracted_count"], second_undo["retracted_earlier_count"]) == (0, 2)
        import_output = run("import", "exchanges", "calls.csv")
        assert "Batch calls, generation 2: 2 rows." in import_output.out
        assert "2 rows recorded" in import_output.out
        assert "2 rows already recorded" in run("import", "exchanges", "calls.csv").out
        assert [
            (each["generation"], each["exchange_count"], each["retracted_count"], each["undone"])
            for each in list_batches(run)
        ] == [(1, 2, 2, True), (2, 2, 0, False)]
        assert run("verify").code == 0

    def test_exchange_retracted_by_hand_stays_retracted(self, run: RunCommand, calls: Path) -> None:
        run("import", "exchanges", "calls.csv")
        run("retract", exchanges(run)[0]["exchange_id"], "--reason", "never happened")
        import_output = run("import", "exchanges", "calls.csv").out
        assert "1 row already recorded\n1 row retracted by hand, left so\n" in import_output
        assert "  line 2 (a): T-01 -> T-02, call, 2026-03-14, exchange " in import_output
        assert "because “never happened”" in import_output
        run("retract", exchanges(run)[1]["exchange_id"], "--reason", "nor did this")
        [batch] = list_batches(run)
        assert (batch["retracted_count"], batch["undone"]) == (2, False)
        undo_output = run("import", "undo", "calls", "--yes").out
        assert "Nothing of batch calls is left: 2 exchanges of it retracted before." in undo_output
        assert "2 rows retracted by hand, left so" in run("import", "exchanges", "calls.csv").out

    def test_mended_rows_complete_batch(self, run: RunCommand, calls: Path) -> None:
        calls.write_text(HEADER + FIRST + SECOND + "c,never,T-01,T-02,call,1\n")
        result = run("import", "exchanges", "calls.csv", "--skip-bad", "mend.csv")
        assert result.code == 0
        for message in ("2 rows recorded", "1 row written to mend.csv", "mend.csv --batch calls"):
            assert message in result.out
        mend = calls.with_name("mend.csv")
        mend.write_text(mend.read_text().replace("never", "2026-03-16"))
        assert "1 row recorded" in run("import", "exchanges", "mend.csv", "--batch", "calls").out
        assert [each["exchange_count"] for each in list_batches(run)] == [3]


class TestList:
    @pytest.mark.parametrize("form", ["table", "csv", "json"])
    def test_every_format_has_every_batch(self, run: RunCommand, calls: Path, form: str) -> None:
        (calls.parent / "roster.csv").write_text("id,name\nT-01,One\n")
        run("import", "organizations", "roster.csv")
        run("import", "exchanges", "calls.csv", "--batch", "May, 1st half")
        result = run("import", "list", "--format", form)
        assert result.code == 0
        if form == "csv":
            rows = list(csv.DictReader(io.StringIO(result.out)))
            assert [row["batch"] for row in rows] == ["May, 1st half", "roster"]
            assert rows[1]["organization_count"] == "1"
        elif form == "json":
            assert result.answer.keys() == {
                "batches", "position", "as_of_date", "coverage", "warnings",
            }  # fmt: skip
            assert result.answer["batches"][0].keys() >= {"client", "first_record_time", "undone"}
        else:
            assert result.out.splitlines()[0].split()[:3] == ["batch", "generation", "exchanges"]

    def test_empty_list_has_a_sentence(self, run: RunCommand) -> None:
        run("log", "--from", "A", "--to", "B", "--kind", "call")
        assert run("import", "list").out == "Nothing was imported.\n"

    def test_pages_have_every_batch(self, run: RunCommand, calls: Path) -> None:
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
    ("words", "code", "message"),
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
def test_impossible_import_is_refused_with_reason(
    run: RunCommand, calls: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    run("import", "exchanges", "calls.csv")
    (calls.parent / "copy.csv").write_text(calls.read_text())
    result = run("import", *words)
    assert (result.code, result.out) == (code, "")
    assert message in " ".join(result.err.split())
    assert len(exchanges(run)) == 2
    form = run("import", *words, "--format", "json")
    if "template" not in words:
        assert message in json.loads(form.err)["error"]["message"]


class TestConfirmation:
    @pytest.mark.parametrize(("answer", "code", "count"), [("y", 0, 4), ("n", 1, 2)])
    def test_copy_is_recorded_only_if_confirmed(
        self,
        run: RunCommand,
        calls: Path,
        type_answers: TypeAnswers,
        answer: str,
        code: int,
        count: int,
    ) -> None:
        run("import", "exchanges", "calls.csv")
        (calls.parent / "copy.csv").write_text(calls.read_text())
        type_answers(answer)
        result = run("import", "exchanges", "copy.csv")
        assert (result.code, len(exchanges(run))) == (code, count)
        assert "2 of them have the same content.\nIf this is a copy of that file" in result.err
        assert "Record them as other exchanges? [y/N]" in result.err

    @pytest.mark.parametrize(("answer", "code", "count"), [("y", 0, 2), ("n", 1, 0)])
    def test_headerless_file_is_recorded_only_if_confirmed(
        self,
        run: RunCommand,
        calls: Path,
        type_answers: TypeAnswers,
        answer: str,
        code: int,
        count: int,
    ) -> None:
        calls.write_text("2026-03-14,T-01,T-02,call\n2026-03-15,T-02,T-01,visit\n")
        remedy = "--no-header --map occur_time=1 --map giver=2 --map receiver=3 --map kind=4"
        result = run("import", "exchanges", "calls.csv")
        assert (result.code, remedy in " ".join(result.err.split())) == (1, True)
        type_answers(answer)
        result = run("import", "exchanges", "calls.csv")
        assert f"Import all its rows, with {remedy}? [y/N]" in " ".join(result.err.split())
        assert result.code == code
        assert f"{count} rows recorded" in result.out or not count

    @pytest.mark.parametrize(("answer", "code", "undone"), [("y", 0, True), ("n", 1, False)])
    def test_batch_is_undone_only_if_confirmed(
        self,
        run: RunCommand,
        calls: Path,
        type_answers: TypeAnswers,
        answer: str,
        code: int,
        *,
        undone: bool,
    ) -> None:
        run("import", "exchanges", "calls.csv")
        run("correct", exchanges(run)[0]["exchange_id"], "--minutes", 50)
        type_answers(answer)
        result = run("import", "undo", "calls")
        assert (result.code, list_batches(run)[0]["undone"]) == (code, undone)
        assert "1 exchange of it had been corrected by hand" in result.err


def test_template_has_the_roster(run: RunCommand, calls: Path) -> None:
    (calls.parent / "roster.csv").write_text("id,name\nT-01,One\nT-02,Two\n")
    assert "Nobody is on the roster" in run("import", "template", "empty.xlsx").out
    run("import", "organizations", "roster.csv")
    assert "can be chosen from 2 organizations" in run("import", "template", "t.xlsx").out
    dry_run = run("import", "exchanges", "t.xlsx", "--dry-run")
    assert dry_run.code == 0
    assert re.match(r"Batch t-[0-9a-f]{12}: 0 rows\.\n", dry_run.out)
    content = calls.with_name("t.xlsx").read_bytes()
    refusal = run("import", "template", "t.xlsx")
    assert (refusal.code, "say --force" in refusal.err) == (1, True)
    assert calls.with_name("t.xlsx").read_bytes() == content
    assert run("import", "template", "t.xlsx", "--force").code == 0


def test_month_first_dates_are_read(run: RunCommand, calls: Path) -> None:
    calls.write_text(HEADER + FIRST.replace("2026-03-14", "03/04/2026"))
    output = run("import", "exchanges", "calls.csv", "--date-order", "month-first").out
    assert "Dates such as 05/31/2024 were read as month/day/year" in output
    assert exchanges(run)[0]["revisions"][0]["occur_time"] == "2026-03-04T00:00:00Z"


def test_every_outcome_has_a_line() -> None:
    from services.imports.report import RowCounts

    fields = {*import_report.OUTCOME_LINES, "rows", "wrong"}
    assert fields == set(RowCounts.__dataclass_fields__)


class TestSenders:
    def test_each_sender_has_one_batch(self, run: RunCommand, calls: Path) -> None:
        assert run("--as", "Oakdale", "import", "exchanges", "calls.csv").code == 0
        calls.write_text(HEADER + "a,2026-04-01,T-05,T-06,call,10\n")
        assert run("--as", "Ashcombe", "import", "exchanges", "calls.csv").code == 0
        counts = [(each["recorded_by"], each["exchange_count"]) for each in list_batches(run)]
        assert counts == [("Ashcombe", 1), ("Oakdale", 2)]
        assert "recorded for" in run("import", "list").out

    def test_undo_of_ambiguous_batch_is_refused_with_senders(
        self, run: RunCommand, calls: Path
    ) -> None:
        run("--as", "Oakdale", "import", "exchanges", "calls.csv")
        calls.write_text(HEADER + "a,2026-04-01,T-05,T-06,call,10\n")
        run("--as", "Ashcombe", "import", "exchanges", "calls.csv")
        refusal = run("import", "undo", "calls", "--yes")
        assert refusal.code == 1
        assert "was imported for Ashcombe and for Oakdale" in refusal.err
        assert "mutua --as Oakdale import undo calls" in refusal.err
        undo = run("--as", "Oakdale", "import", "undo", "calls", "--yes")
        assert "2 exchanges of batch calls for Oakdale undone." in undo.out
        states = [(each["recorded_by"], each["undone"]) for each in list_batches(run)]
        assert states == [("Ashcombe", False), ("Oakdale", True)]
        assert run("verify").code == 0

    def test_undo_of_unambiguous_batch_needs_no_sender(self, run: RunCommand, calls: Path) -> None:
        run("--as", "Oakdale", "import", "exchanges", "calls.csv")
        run("import", "undo", "calls", "--yes")
        [batch] = list_batches(run)
        assert (batch["recorded_by"], batch["undone"]) == ("Oakdale", True)
