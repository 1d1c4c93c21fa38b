"""Excel files: what cells mean, which sheet is read, and what is no Excel file."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from mutua.v1.query_service_pb2 import Organization
from services.imports import ImportOptions, ImportRefused, import_organizations
from services.imports.reading import Sheet, batch_name, open_table
from services.imports.template import template
from tests.imports.desk import Desk, changes

MIDNIGHT = datetime(2024, 5, 1)  # noqa: DTZ001 - as Excel has it, without a zone
AFTERNOON = datetime(2024, 5, 31, 14, 30)  # noqa: DTZ001


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.xlsx"


def save(path: Path, *rows: list[Any], formats: dict[str, str] | None = None) -> Workbook:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for cell, form in (formats or {}).items():
        sheet[cell].number_format = form
    book.save(path)
    return book


def read(path: Path, sheet: Sheet = Sheet()) -> list[list[str]]:  # noqa: B008 - immutable
    with open_table(path, sheet) as table:
        return [list(table.header), *(row.cells for row in table.rows)]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        ("  as typed ", "General", "  as typed "),
        (45, "General", "45"),
        (45.0, "0.00", "45"),
        (45.5, "General", "45.5"),
        (12345678901234, "General", "12345678901234"),
        (True, "General", "true"),
        (MIDNIGHT, "yyyy-mm-dd", "2024-05-01"),
        (MIDNIGHT, "dd/mm/yyyy hh:mm", "2024-05-01"),
        (MIDNIGHT, "mmm-yy", "2024-05"),
        (MIDNIGHT, '[$-409]mmmm\\ yyyy" (d)"', "2024-05"),
        (MIDNIGHT, "yyyy", "2024"),
        (AFTERNOON, "yyyy-mm-dd", "2024-05-31T14:30:00"),
        (time(0, 45), "hh:mm", "00:45:00"),
    ],
)
def test_a_cell_is_what_a_person_would_have_typed(
    path: Path, value: Any, form: str, text: str
) -> None:
    save(path, ["name", "value"], ["x", value], formats={"B2": form})
    assert read(path) == [["name", "value"], ["x", text]]


def test_empty_rows_and_cells_beside_the_table_are_left_out(path: Path) -> None:
    save(path, [], ["a", "b", None], ["1", None], [], ["2", "3", "a remark"], [" ", None])
    with open_table(path) as table:
        assert table.header == ("a", "b")
        assert [(row.line, row.cells) for row in table.rows] == [(3, ["1", ""]), (5, ["2", "3"])]


@pytest.mark.parametrize(
    ("sheet", "header"),
    [
        (Sheet(), "first"),
        (Sheet(preferred="second"), "second"),
        (Sheet(named=" SECOND "), "second"),
        (Sheet(named="Third", preferred="second"), "third"),
    ],
)
def test_which_sheet_is_read(path: Path, sheet: Sheet, header: str) -> None:
    book = save(path, [None])
    for title in ("hidden", "First", "Second", "Third"):
        book.create_sheet(title).append([title.lower(), "x"])
    book["hidden"].sheet_state = "hidden"
    book.save(path)
    assert read(path, sheet)[0] == [header, "x"]
    with open_table(path, sheet) as table:
        assert f"Sheet {header.title()!r} was read" in table.notes[0]


def test_what_a_sheet_says_of_its_size_is_not_believed(path: Path) -> None:
    save(path, ["a", "b"], ["x", "y"])
    with_value(path, '<dimension ref="A1:B2" />', '<dimension ref="A1:A1" />')
    assert read(path) == [["a", "b"], ["x", "y"]]


def test_formulas_count_by_their_values(path: Path) -> None:
    save(path, ["a", "b"], ["x", "=1+1"])
    with_value(path, "<f>1+1</f>", "<f>1+1</f><v>2</v>")
    assert read(path) == [["a", "b"], ["x", "2"]]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("=1+1", "cell B2 has a formula and no value: open the file in Excel or LibreOffice"),
        ("#N/A", "cell B2 shows #N/A: mend it"),
    ],
)
def test_a_cell_without_a_value_to_be_read_is_a_wrong_row(
    desk: Desk, path: Path, cell: str, said: str
) -> None:
    header = ["ref", "date", "giver", "receiver", "kind"]
    rows = [["r1", cell, "A", "B", "call"], ["r2", "2024-05-31", "A", "B", "call"]]
    save(path, header, *rows)
    [error] = desk.imports_file(path).errors
    assert (error.row, error.field, said in error.message) == (2, "", True)
    aside = desk.folder / "mend.csv"
    assert changes(desk.imports_file(path, skip_bad=aside)) == "1 recorded 1 wrong"
    assert said in aside.read_text()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[]], "has no row with the column names"),
        ([["a", "b", " a"]], "log.xlsx, sheet 'Sheet', has two columns named 'a'"),
        ([["a", "#REF!"], ["x", "y"]], "sheet 'Sheet': cell B1 shows #REF!"),
    ],
)
def test_a_header_that_is_none(path: Path, rows: list[list[str]], said: str) -> None:
    save(path, *rows)
    with pytest.raises(ImportRefused, match=re.escape(said)):
        read(path)


def test_an_unknown_sheet_is_named_with_those_there_are(path: Path) -> None:
    save(path, ["a"])
    with pytest.raises(ImportRefused, match="no sheet 'Calls'; its sheets are Sheet"):
        read(path, Sheet(named="Calls"))
    path.with_suffix(".csv").write_text("a\n")
    with pytest.raises(ImportRefused, match="--sheet is for Excel files"):
        read(path.with_suffix(".csv"), Sheet(named="Calls"))


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "<broken")
    return content.getvalue()


def cut(path: Path) -> bytes:
    save(path, ["a", "b"], *(["x", str(n)] for n in range(999)))
    return path.read_bytes()[:-200]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda _: b"\xd0\xcf\x11\xe0 and so on", "protected by a password, or an old Excel file"),
        (lambda _: b"a,b\n1,2\n", "is no Excel file, whatever its name says"),
        (lambda _: b"", "is no Excel file"),
        (lambda _: b"PK\x03\x04nonsense", "is damaged, or no Excel workbook"),
        (lambda _: zipped("notes.txt"), "is damaged, or no Excel workbook"),
        (lambda _: zipped("[Content_Types].xml"), "is damaged, or no Excel workbook"),
        (cut, "is damaged, or no Excel workbook"),
    ],
)
def test_what_is_no_workbook(path: Path, content: Callable[[Path], bytes], said: str) -> None:
    path.write_bytes(content(path))
    with pytest.raises(ImportRefused, match=said):
        read(path)


def test_a_sheet_that_breaks_off_is_refused_where_it_breaks(path: Path) -> None:
    save(path, ["a", "b"], ["x", "y"])
    with_value(path, "</sheetData>", "<row r='3'><c r='A3' t='s'><v>99</v></c></row></sheetData>")
    with pytest.raises(ImportRefused, match="is damaged"):
        read(path)


def test_batches_are_named_after_the_file() -> None:
    assert batch_name(Path("Calls 2024.XLSX")) == "Calls 2024"


def test_the_filled_template_imports_as_it_is(desk: Desk, path: Path) -> None:
    from openpyxl import load_workbook

    desk.programme.organizations = {
        id_: Organization(organization_id=id_, name=name, registered=id_ != "T4")
        for id_, name in {"T1": "=Twin", "T2": "Twins", "T3": "Twins", "T4": "New"}.items()
    }
    path.write_bytes(template(desk.programme.organizations.values()))
    for import_file in (desk.imports_file, lambda path: roster(desk, path)):
        assert import_file(path).counts.rows == 0
    book = load_workbook(path)
    offered = [row[0].value for row in book["lists"]["A2:A9"]]
    assert offered == ["=Twin", "T2", "T3", None, None, None, None, None]  # no name of two
    assert [book[title].freeze_panes for title in ("exchanges", "organizations", "fields")] == [
        "A2"
    ] * 3
    kinds = {row[0].value for row in book["lists"]["B2:B16"]}
    day = MIDNIGHT
    for number, kind in enumerate(sorted(kinds)):
        fill(book["exchanges"], number + 2, f"{number:03}", day, "", "=Twin", "T2; T3", kind)
        book["exchanges"].cell(number + 2, 4).data_type = "s"
    fill(book["organizations"], 2, "T9", "Nine", "", "mental health", *[""] * 7, day)
    book.save(path)
    report = desk.imports_file(path)
    assert (report.errors, changes(report)) == ((), "15 recorded")
    event = next(iter(desk.programme.events.values()))
    assert event.occur_time.ToDatetime(UTC).isoformat() == "2024-05-01T00:00:00+00:00"
    assert event.exchange_recorded.exchange.giver_ids == ["T1"]
    assert event.source.reference == "000"
    assert roster(desk, path).counts.recorded == 1
    assert desk.programme.organizations["T9"].open_date.month == 5


def test_every_field_is_explained(path: Path) -> None:
    from openpyxl import load_workbook

    path.write_bytes(template(()))
    book = load_workbook(path)
    explained = [(row[0].value, row[1].value) for row in book["fields"].iter_rows(min_row=2)]
    assert explained == [
        (title, cell.value) for title in ("exchanges", "organizations") for cell in book[title][1]
    ]
    assert len(explained) == 13 + 13
    for title in ("exchanges", "organizations"):
        rules = book[title].data_validations.dataValidation
        assert len(rules) == 13
        assert all(rule.prompt for rule in rules)


def test_template_keeps_last_row_in_use_for_libreoffice(path: Path) -> None:
    """LibreOffice 7.4 saves drop-downs only up to 1,000 rows below the last row in use."""
    from openpyxl import load_workbook

    path.write_bytes(template(()))
    for title in ("exchanges", "organizations"):
        sheet = load_workbook(path)[title]
        [last_row] = {
            part.max_row
            for rule in sheet.data_validations.dataValidation
            for part in rule.sqref.ranges
        }
        assert (last_row, sheet.max_row) == (10_001, 10_001)
        assert sheet.cell(last_row, 1).comment is not None
        assert sheet.cell(last_row, 1).value is None


def fill(sheet: Any, row: int, *values: Any) -> None:
    for column, value in enumerate(values, start=1):
        if value != "":
            sheet.cell(row, column, value)


def roster(desk: Desk, path: Path) -> Any:
    return import_organizations(desk.programme.client, path, ImportOptions())


def with_value(path: Path, old: str, new: str) -> None:
    """Puts what Excel would have written in place of what openpyxl writes."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    sheet = re.sub(r"(<f>1\+1</f>)<v ?/>", r"\1", sheet)
    assert old in sheet
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(old, new).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
