"""Excel files: what cells mean, which sheet is read, and what is no Excel file."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from mutua.v1.query_service_pb2 import Organization
from services.imports import ImportOptions, ImportRefusedError, import_organizations
from services.imports.header import TableRequest
from services.imports.table import TableRow
from services.imports.table_file import derive_batch_name, open_table
from services.imports.template import make_template
from tests.imports.importer import Importer, format_counts

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


def read(path: Path, **request: Any) -> list[list[str]]:
    with open_table(path, TableRequest(fields=(), **request)) as table:
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
        (MIDNIGHT, r"yyyy\-mm\-dd", "2024-05-01"),
        (MIDNIGHT, "mmm-yy", "2024-05"),
        (MIDNIGHT, '[$-409]mmmm\\ yyyy" (d)"', "2024-05"),
        (MIDNIGHT, "yyyy", "2024"),
        (AFTERNOON, "yyyy-mm-dd", "2024-05-31T14:30:00"),
        (time(0, 45), "hh:mm", "PT45M"),
        (time(14, 5, 59, 999_000), "hh:mm", "PT14H6M"),
        (timedelta(hours=30, minutes=15), "[h]:mm", "PT30H15M"),
        (timedelta(hours=-12), "[h]:mm", "-PT12H"),
        (timedelta(), "[h]:mm", "PT0S"),
        (AFTERNOON - timedelta(milliseconds=1), "yyyy-mm-dd hh:mm", "2024-05-31T14:30:00"),
        (0.1 + 0.2, "General", "0.3"),
        (123, "00000", "00123"),
        (123.0, "00000", "00123"),
        (1234567, "00000", "1234567"),
        (12345, r"000\-000", "012-345"),
        (7, '"T-"000;@', "T-007"),
        (123.5, "00000", "123.5"),
        (5, '0" min"', "5"),
        (5, "0.00", "5"),
    ],
)
def test_cell_is_text_as_typed(path: Path, value: Any, form: str, text: str) -> None:
    save(path, ["name", "value"], ["x", value], formats={"B2": form})
    assert read(path) == [["name", "value"], ["x", text]]


def test_empty_rows_and_cells_outside_table_are_skipped(path: Path) -> None:
    save(path, [], ["a", "b", None], ["1", None], [], ["2", "3", "a remark"], [" ", None])
    with open_table(path, TableRequest(fields=())) as table:
        assert table.header == ("a", "b")
        assert [(row.line, row.cells) for row in table.rows] == [(3, ["1", ""]), (5, ["2", "3"])]


@pytest.mark.parametrize(
    ("choice", "header"),
    [
        ({}, "first"),
        ({"preferred_sheet": "second"}, "second"),
        ({"sheet": " SECOND "}, "second"),
        ({"sheet": "Third", "preferred_sheet": "second"}, "third"),
    ],
)
def test_sheet_is_selected(path: Path, choice: dict[str, Any], header: str) -> None:
    book = save(path, [None])
    for title in ("hidden", "First", "Second", "Third"):
        book.create_sheet(title).append([title.lower(), "x"])
    book["hidden"].sheet_state = "hidden"
    book.save(path)
    assert read(path, **choice)[0] == [header, "x"]
    with open_table(path, TableRequest(fields=(), **choice)) as table:
        assert f"Sheet {header.title()!r} was read" in table.notes[0]


def test_declared_sheet_size_is_ignored(path: Path) -> None:
    save(path, ["a", "b"], ["x", "y"])
    with_value(path, '<dimension ref="A1:B2" />', '<dimension ref="A1:A1" />')
    assert read(path) == [["a", "b"], ["x", "y"]]


@pytest.mark.parametrize(
    ("cell_xml", "text"),
    [
        ("<c r='B2'><f>1+1</f><v>2</v></c>", "2"),
        ("<c r='B2' t='str'><f>A1</f><v></v></c>", ""),
        ("<c r='B2' t='str'><f>A1</f><v/></c>", ""),
        ("<c r='B2' t='str'><f>A1</f><v>y</v></c>", "y"),
        ("<c r='B2' s='0'/>", ""),
    ],
)
def test_formula_is_read_as_its_value(path: Path, cell_xml: str, text: str) -> None:
    save(path, ["a", "b"], ["x", "=1+1"])
    with_value(path, '<c r="B2"><f>1+1</f></c>', cell_xml.replace("'", '"'))
    with open_table(path, TableRequest(fields=())) as table:
        assert list(table.rows) == [TableRow(2, ["x", text])]


@pytest.mark.parametrize(
    "cell_xml",
    [
        "<c r='B2'><f>1+1</f></c>",
        "<c r='B2'><f>1+1</f><v/></c>",
        "<c r='B2'><f>1+1</f><v></v></c>",
        "<c r='B2' t='str'><f>A1</f></c>",
        "<c r='B2' s='0'><f t='shared' si='0'/></c>",
    ],
)
def test_formula_without_value_is_reported(path: Path, cell_xml: str) -> None:
    save(path, ["a", "b"], ["x", "=1+1"])
    with_value(path, '<c r="B2"><f>1+1</f></c>', cell_xml.replace("'", '"'))
    with open_table(path, TableRequest(fields=())) as table:
        [row] = table.rows
    assert list(row.flaws) == [1]
    assert "cell B2 of sheet 'Sheet' has a formula and no value" in row.flaws[1]


def test_formulas_are_found_across_block_ends(path: Path) -> None:
    """The sheet is searched in blocks of a megabyte."""
    rows = [[str(number), f"={number}+1"] for number in range(30_000)]
    save(path, ["a", "b"], *rows)
    with open_table(path, TableRequest(fields=())) as table:
        assert all(list(row.flaws) == [1] for row in table.rows)


def test_errors_matter_only_in_used_columns(importer: Importer, path: Path) -> None:
    header = ["ref", "date", "giver", "receiver", "kind", "helper", None]
    save(path, header, ["r1", "2024-05-31", "A", "B", "call", "#N/A", "#REF!"], [*[None] * 5, "=1"])
    report = importer.import_file(path)
    assert format_counts(report) == "1 recorded"
    assert "1 row has text only in columns that are not used: left out." in report.notes
    report = importer.import_file(path, map={"note": "helper"})
    assert [(error.row, error.field, error.value) for error in report.errors] == [
        (2, "note", "#N/A"),
        (3, "note", ""),
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+1", "cell B2 of sheet 'Sheet' has a formula and no value: open the file in Excel"),
        ("#N/A", "cell B2 of sheet 'Sheet' shows #N/A: correct its formula"),
    ],
)
def test_unreadable_cell_is_wrong_row(
    importer: Importer, path: Path, cell: str, expected: str
) -> None:
    header = ["ref", "date", "giver", "receiver", "kind"]
    rows = [["r1", cell, "A", "B", "call"], ["r2", "2024-05-31", "A", "B", "call"]]
    save(path, header, *rows)
    [error] = importer.import_file(path).errors
    assert (error.row, error.field, expected in error.message) == (2, "occur_time", True)
    reject_path = importer.folder / "mend.csv"
    assert format_counts(importer.import_file(path, skip_bad=reject_path)) == "1 recorded 1 wrong"
    assert expected in reject_path.read_text()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[]], "has no row with the column names"),
        ([["a", "#REF!"], ["x", "y"]], "cell B1 of sheet 'Sheet' shows #REF!"),
    ],
)
def test_missing_header_is_refused(path: Path, rows: list[list[str]], expected: str) -> None:
    save(path, *rows)
    with pytest.raises(ImportRefusedError, match=re.escape(expected)):
        read(path)


def test_unknown_sheet_is_refused_with_list_of_sheets(path: Path) -> None:
    save(path, ["a"])
    with pytest.raises(ImportRefusedError, match="no sheet 'Calls'; its sheets are Sheet"):
        read(path, sheet="Calls")
    path.with_suffix(".csv").write_text("a\n")
    with pytest.raises(ImportRefusedError, match="--sheet is for workbooks"):
        read(path.with_suffix(".csv"), sheet="Calls")


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
    ("content", "expected"),
    [
        (lambda _: b"\xd0\xcf\x11\xe0 and so on", "is damaged, or no workbook"),
        (lambda _: b"a,b\n1,2\n", "is no workbook, despite its name"),
        (lambda _: b"", "is no workbook"),
        (lambda _: b"PK\x03\x04nonsense", "is damaged, or no workbook"),
        (lambda _: zipped("notes.txt"), "is damaged, or no workbook"),
        (lambda _: zipped("[Content_Types].xml"), "is damaged, or no workbook"),
        (cut, "is damaged, or no workbook"),
    ],
)
def test_invalid_workbook_is_refused(
    path: Path, content: Callable[[Path], bytes], expected: str
) -> None:
    path.write_bytes(content(path))
    with pytest.raises(ImportRefusedError, match=expected):
        read(path)


def test_truncated_sheet_is_refused(path: Path) -> None:
    save(path, ["a", "b"], ["x", "y"])
    with_value(path, "</sheetData>", "<row r='3'><c r='A3' t='s'><v>99</v></c></row></sheetData>")
    with pytest.raises(ImportRefusedError, match="is damaged"):
        read(path)


def test_batches_are_named_after_the_file() -> None:
    assert derive_batch_name(Path("Calls 2024.XLSX")) == "Calls 2024"


def test_filled_template_is_imported(importer: Importer, path: Path) -> None:
    from openpyxl import load_workbook

    importer.programme.organizations = {
        id_: Organization(organization_id=id_, name=name, registered=id_ != "T4")
        for id_, name in {"T1": "=Twin", "T2": "Twins", "T3": "Twins", "T4": "New"}.items()
    }
    path.write_bytes(make_template(importer.programme.organizations.values()))
    for import_file in (importer.import_file, lambda path: roster(importer, path)):
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
    report = importer.import_file(path)
    assert (report.errors, format_counts(report)) == ((), "15 recorded")
    event = next(iter(importer.programme.events.values()))
    assert event.occur_time.ToDatetime(UTC).isoformat() == "2024-05-01T00:00:00+00:00"
    assert event.exchange_recorded.exchange.giver_ids == ["T1"]
    assert event.source.reference == "000"
    assert roster(importer, path).counts.recorded == 1
    assert importer.programme.organizations["T9"].open_date.month == 5


def test_every_field_is_explained(path: Path) -> None:
    from openpyxl import load_workbook

    path.write_bytes(make_template(()))
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

    path.write_bytes(make_template(()))
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


def roster(importer: Importer, path: Path) -> Any:
    return import_organizations(importer.programme.client, path, ImportOptions())


def with_value(path: Path, old: str, new: str) -> None:
    """Puts what Excel would have written in place of what openpyxl writes."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    sheet = re.sub(r"(<f>1\+1</f>)<v ?/>", r"\1", sheet)
    assert old in sheet, sheet
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(old, new).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
