"""The same table is read alike from every format; what each program writes in its own way."""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from services.imports import ImportRefusedError
from services.imports.header import TableRequest
from services.imports.table import TableRow
from services.imports.table_file import derive_batch_name, open_table
from tests.imports import workbook_files
from tests.imports.workbook_files import Value, ods_cell, ods_row, ods_sheet, save_ods

HEADER = ("first", "second", "third")


def read(path: Path, **request: Any) -> list[TableRow]:
    with open_table(path, TableRequest(fields=(), **request)) as table:
        assert table.header == HEADER
        return list(table.rows)


def text_of(value: Value) -> str:
    """What a person would have typed."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S").removesuffix("T00:00:00")
        case date():
            return value.strftime("%Y-%m-%d")
        case timedelta():
            hours, minutes = divmod(int(value.total_seconds()) // 60, 60)
            return f"PT{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}"
        case _:
            return str(value)


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001
VALUES = st.one_of(
    st.none(),
    st.text("aé;,\t \"'=-\n|1", max_size=8),
    st.integers(-(10**12), 10**12),
    st.integers(1, 10**6).filter(lambda n: n % 100).map(lambda n: n / 100),
    st.booleans(),
    st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    MOMENTS.map(lambda at: at.replace(microsecond=0)),
    st.integers(1, 6_000).map(lambda minutes: timedelta(minutes=minutes)),
)
TABLES = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=5)


def save_text(path: Path, rows: list[tuple[Value, ...]], separator: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([HEADER, *(map(text_of, row) for row in rows)])


def save_xlsx(path: Path, rows: list[tuple[Value, ...]]) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    for line, row in enumerate([HEADER, *rows], start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(line, column, value)
            if isinstance(value, str):
                cell.data_type = "s"  # text that begins with = is no formula
    book.save(path)


@given(TABLES)
@settings(max_examples=40, deadline=None)
def test_table_is_equal_in_every_format(rows: list[tuple[Value, ...]]) -> None:
    content = [
        TableRow(line, list(map(text_of, row)))
        for line, row in enumerate(rows, start=2)
        if any(text_of(value).strip() for value in row)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        save_text(csv_path := path.with_suffix(".csv"), rows, ",")
        save_text(txt_path := path.with_suffix(".txt"), rows, ";")
        save_text(tsv_path := path.with_suffix(".tsv"), rows, "\t")
        save_xlsx(xlsx_path := path.with_suffix(".xlsx"), rows)
        save_xlsx(strict_path := path.with_suffix(".xlsm"), rows)
        workbook_files.make_strict(strict_path)
        save_ods(
            ods_path := path.with_suffix(".ods"),
            ods_sheet("One", *(ods_row(*map(ods_cell, row)) for row in [HEADER, *rows])),
        )
        texts = [read(each) for each in (csv_path, txt_path, tsv_path)]
        sheets = [read(each) for each in (xlsx_path, strict_path, ods_path)]
    assert sheets == [content] * 3
    for result in texts:
        assert [row.cells for row in result] == [row.cells for row in content]


class TestText:
    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (b"sep=;\r\nfirst;second;third\r\na,b;c;d\r\n", 3),
            (b'\xef\xbb\xbf"sep=|"\nfirst|second|third\na,b|c|d\n', 3),
            (b'first,second,third\r"a,b",c,d\r', 2),
            ("first\tsecond\tthird\r\na,b\tc\td\r\n".encode("utf-16"), 2),
            ("\ufefffirst\tsecond\tthird\r\na,b\tc\td\r\n".encode("utf-16-be"), 2),
            (b"first;second;third;;\na,b;c;d;;\n", 2),
        ],
    )
    @pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt"])
    def test_text_of_every_program_is_read(
        self, tmp_path: Path, content: bytes, line: int, ending: str
    ) -> None:
        path = tmp_path / f"a{ending}"
        path.write_bytes(content)
        assert read(path) == [TableRow(line, ["a,b", "c", "d"])]

    def test_line_of_a_wrong_byte_counts_macintosh_line_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(b"first,second,third\ra,b,c\ra,\xfc,c\r")
        with pytest.raises(ImportRefusedError, match=r"byte 27 on line 3"):
            read(path)

    def test_separator_is_that_of_the_header(self, tmp_path: Path) -> None:
        from services.imports.column_mapping import EXCHANGE_FIELDS

        path = tmp_path / "a.csv"
        path.write_text("Log, 2024, of us, and others\ndate;from;to;kind\n2;A, B;C;call\n")
        with open_table(path, TableRequest(fields=EXCHANGE_FIELDS)) as table:
            assert (table.separator, table.header) == (";", ("date", "from", "to", "kind"))
            assert [row.cells[1] for row in table.rows] == ["A, B"]


MAY = "office:value-type='date' office:date-value='2024-05-01'"
NUMBER = "office:value-type='float' office:value="
TIME = "office:value-type='time' office:time-value="
TEXT = "office:value-type='string'"
RICH = (
    "<office:annotation><text:p>remark</text:p></office:annotation>"
    "<text:p>one<text:s text:c='2'/><text:span>two</text:span><text:line-break/>x</text:p>"
    "<text:p>y</text:p>"
)
ERROR = "table:formula='of:=1/0' office:value-type='string' calcext:value-type='error'"
CORRECT = ": correct its formula or type the value"


def cell(attributes: str, content: str = "", *, tag: str = "table-cell") -> str:
    return f"<table:{tag} {attributes}>{content}</table:{tag}>"


class TestOpenDocument:
    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (cell(f"table:style-name='month' {MAY}"), "2024-05"),
            (cell(f"table:style-name='bold-month' {MAY}"), "2024-05"),
            (cell(f"table:style-name='year' {MAY}"), "2024"),
            (cell(MAY), "2024-05-01"),
            (cell(f"table:style-name='code' {NUMBER}'123'", "<text:p>00123</text:p>"), "00123"),
            (cell(f"table:formula='of:=TRUE()' {NUMBER}'1'", "<text:p>WAHR</text:p>"), "true"),
            (cell(f"{NUMBER}'0.25'", "<text:p>25 %</text:p>"), "0.25"),
            (cell(f"{TIME}'-PT12H00M00S'"), "-PT12H"),
            (cell(f"{TIME}'PT30H15M00S'"), "PT30H15M"),
            (cell(f"{TIME}'PT00H44M59.999999S'"), "PT45M"),
            (cell(TEXT, RICH), "one  two\nx\ny"),
            (cell("table:formula='of:=&quot;&quot;'", "<text:p/>"), ""),
            (cell(TEXT, "<text:p>under</text:p>", tag="covered-table-cell"), ""),
        ],
    )
    def test_cell_is_read_as_it_shows(self, tmp_path: Path, content: str, text: str) -> None:
        row = ods_row(ods_cell("x"), content, ods_cell("y"))
        save_ods(path := tmp_path / "a.ods", ods_sheet("One", header(), row))
        assert read(path) == [TableRow(2, ["x", text, "y"])]

    def test_column_gives_its_cells_a_style(self, tmp_path: Path) -> None:
        columns = (
            "<table:table-column table:number-columns-repeated='2'/>"
            "<table:table-column table:default-cell-style-name='month'/>"
        )
        row = ods_row(*map(ods_cell, ("x", None, date(2024, 5, 1))))
        save_ods(path := tmp_path / "a.ods", ods_sheet("One", header(), row, columns=columns))
        assert read(path) == [TableRow(2, ["x", "", "2024-05"])]

    @pytest.mark.parametrize(
        ("content", "flaw"),
        [
            (cell(ERROR, "<text:p>#DIV/0!</text:p>"), f"shows #DIV/0!{CORRECT}"),
            (
                cell(f"table:formula='of:=x' {NUMBER}'0'", "<text:p>Err:502</text:p>"),
                f"shows Err:502{CORRECT}",
            ),
            (
                cell("table:formula='of:=1+1'"),
                "has a formula and no value: open the file in LibreOffice and save it",
            ),
        ],
    )
    def test_unreadable_cell_is_named(self, tmp_path: Path, content: str, flaw: str) -> None:
        row = ods_row(ods_cell("x"), ods_cell(None), content)
        empty = ods_row(repeated=2)
        save_ods(path := tmp_path / "a.ods", ods_sheet("One", header(), empty, row))
        [result] = read(path)
        assert (result.line, result.flaws) == (4, {2: f"cell C4 of sheet 'One' {flaw}"})

    def test_rows_keep_their_numbers(self, tmp_path: Path) -> None:
        inner = (
            "<table:table-cell><table:table>"
            + ods_row(ods_cell("z"))
            + "</table:table></table:table-cell>"
        )
        sheet = ods_sheet(
            "One",
            ods_row(repeated=3),
            f"<table:table-header-rows>{header()}</table:table-header-rows>",
            ods_row(*map(ods_cell, "abc"), repeated=2),
            f"<table:table-row-group>{ods_row(ods_cell('d'), inner)}</table:table-row-group>",
        )
        save_ods(path := tmp_path / "a.ods", sheet)
        result = [(row.line, "".join(row.cells)) for row in read(path)]
        assert result == [(5, "abc"), (6, "abc"), (7, "d")]

    def test_hidden_sheets_are_not_read(self, tmp_path: Path) -> None:
        row = ods_row(ods_cell("x"))
        save_ods(
            path := tmp_path / "a.ods",
            ods_sheet("Lists", row, style="hidden"),
            ods_sheet("Log", header(), row),
        )
        assert [row.line for row in read(path)] == [2]
        with open_table(path, TableRequest(fields=())) as table:
            assert (table.sheet, table.notes) == ("Log", ())


class TestBinaryExcel:
    def test_xls_is_read(self, tmp_path: Path) -> None:
        rows: list[Sequence[str | float]] = [HEADER, ("Å", 45.0, True), ("x", 0.5, False)]
        workbook_files.save_xls(path := tmp_path / "a.xls", rows, first_row=2)
        assert read(path) == [TableRow(4, ["Å", "45", "true"]), TableRow(5, ["x", "0.5", "false"])]
        path.rename(renamed := path.with_suffix(".xlsx"))
        assert len(read(renamed)) == 2

    def test_xlsb_is_read(self, tmp_path: Path) -> None:
        workbook_files.save_xlsb(path := tmp_path / "a.xlsb", [HEADER, ("Å", 45.0, "b")])
        assert read(path) == [TableRow(2, ["Å", "45", "b"])]
        with open_table(path, TableRequest(fields=())) as table:
            assert "a cell that shows an error, such as #N/A, counts as empty" in table.notes[0]

    @pytest.mark.parametrize("size", [600, 1_500, 2_000])
    def test_truncated_workbook_is_refused(self, tmp_path: Path, size: int) -> None:
        """calamine 0.9.1 panics on most of these, and ends its process over some damaged files."""
        workbook_files.save_xls(path := tmp_path / "a.xls", [HEADER, ("x", "y", "z")], first_row=0)
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(ImportRefusedError, match=r"a\.xls is damaged, or no workbook"):
            read(path)


def test_encrypted_ods_is_refused(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "a.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest:encryption-data/>")
        archive.writestr("content.xml", io.BytesIO(b"\1\2").read())
    with pytest.raises(ImportRefusedError, match="is protected by a password"):
        read(path)


@pytest.mark.parametrize(
    "name", ["a.tsv", "a.txt.gz", "a.TSV.GZ", "a.ods", "a.XLS", "a.xlsb", "a.xlsm"]
)
def test_batches_are_named_after_the_file(name: str) -> None:
    assert derive_batch_name(Path(name)) == "a"


def header() -> str:
    return ods_row(*map(ods_cell, HEADER))
