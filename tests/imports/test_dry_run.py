"""What a dry run finds, for programs that show it to people."""

from pathlib import Path

from mutua.v1.query_service_pb2 import Organization
from services.imports import ImportOptions
from services.imports.column_mapping import EXCHANGE_FIELDS
from services.imports.column_preview import ColumnPreview, preview_columns
from tests.imports.importer import Importer


def test_new_rows_have_the_cells_that_would_be_recorded(importer: Importer) -> None:
    report = importer.import_rows("r1,31/05/2024,A,B,E-mail", dry_run=True)
    [row] = report.new_rows
    assert row.row == 2
    assert row.cells == {
        "occur_time": "2024-05-31",
        "giver": "A",
        "receiver": "B",
        "kind": "message",
    }
    assert importer.import_rows("r1,31/05/2024,A,B,E-mail").new_rows == ()


def test_unknown_kinds_are_listed_once(importer: Importer) -> None:
    report = importer.import_rows(
        "r1,2024-05-31,A,B,Tea", "r2,2024-05-31,A,B,Tea", 'r3,2024-05-31,A,B,"Call, Cake"'
    )
    assert report.unknown_kinds == ("Tea", "Cake")
    report = importer.import_rows("r1,2024-05-31,A,B,Tea", kind_map={"Tea": "meeting"})
    assert (report.ok, report.unknown_kinds) == (True, ())


def test_new_name_is_bound_to_the_organization_it_resembles(importer: Importer) -> None:
    importer.programme.organizations["oak-2"] = Organization(
        organization_id="oak-2", name="Oakdale Trust", registered=True
    )
    row = "r1,2024-05-31,Oakdale Trst,oak-2,call"
    report = importer.import_rows(row.replace("oak-2", "B"), dry_run=True)
    assert [(each.name, each.similar_ids) for each in report.new_names] == [
        ("Oakdale Trst", ("oak-2",)),
        ("B", ()),
    ]
    answers = {"Oakdale Trst": "oak-2"}
    report = importer.import_rows(row.replace("oak-2", "B"), dry_run=True, name_map=answers)
    assert [each.name for each in report.new_names] == ["B"]
    assert report.new_rows[0].cells["giver"] == "oak-2"


def test_bad_rows_are_written_if_that_is_asked(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    report = importer.import_rows(
        "r1,never,A,B,call", dry_run=True, skip_bad=path, writes_bad_rows=True
    )
    assert not report.ok
    header, row = path.read_text(encoding="utf-8-sig").splitlines()
    assert header == "ref,date,giver,receiver,kind,what_to_mend"
    assert row.startswith('r1,never,A,B,call,"occur_time is no')


def test_columns_have_their_guesses_and_samples(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("When,From,Who,Colour\n2024-05-31,A,B,\n2024-06-01,A,C,red\n")
    table = preview_columns(path, EXCHANGE_FIELDS, ImportOptions(), preferred_sheet="")
    assert table.missing_fields == ("receiver", "kind")
    assert table.columns == (
        ColumnPreview(name="When", field="occur_time", samples=("2024-05-31", "2024-06-01")),
        ColumnPreview(name="From", field="giver", samples=("A",)),
        ColumnPreview(name="Who", field="", samples=("B", "C")),
        ColumnPreview(name="Colour", field="", samples=("red",)),
    )
