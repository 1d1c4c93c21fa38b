"""Which sheet and row name the columns, and files in which no row does."""

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from services.imports import (
    HeaderlessError,
    ImportOptions,
    ImportRefusedError,
    import_organizations,
)
from services.imports.column_mapping import EXCHANGE_FIELDS, ORGANIZATION_FIELDS
from services.imports.header import TableRequest
from services.imports.table import ImportTable, TableRow
from services.imports.table_file import open_table
from tests.imports.importer import Importer, format_counts

HEADER = "date,giver,receiver,kind,minutes"
DATA = "2024-03-02,A,B,call,30"
Read = Callable[..., tuple[ImportTable, list[TableRow]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the lines as a CSV of exchanges."""

    def read_lines(
        *lines: str, name: str = "a.csv", end: str = "\n", **request: Any
    ) -> tuple[ImportTable, list[TableRow]]:
        path = tmp_path / name
        path.write_text(end.join(lines), newline="")
        with open_table(path, TableRequest(**({"fields": EXCHANGE_FIELDS} | request))) as table:
            return table, list(table.rows)

    return read_lines


class TestHeaderRow:
    @pytest.mark.parametrize(
        "above",
        [
            ("Exchange log 2024,,,,", ",,,,"),
            ("Exchange log, 2024; made by Ann",),
            ("date,from", "what it is"),
            ("",),
            tuple(f"remark {number}" for number in range(29)),
        ],
    )
    def test_is_below_a_title(self, read: Read, above: tuple[str, ...]) -> None:
        table, rows = read(*above, HEADER, DATA)
        assert table.header == tuple(HEADER.split(","))
        assert rows == [TableRow(len(above) + 2, DATA.split(","))]
        assert any(f"row {len(above) + 1};" in note for note in table.notes) == any(above)

    def test_is_the_first_row_when_no_row_has_the_columns(self, read: Read) -> None:
        table, rows = read("what,where", "x,y")
        assert (table.header, table.location) == (("what", "where"), "a.csv, row 1")
        assert [row.cells for row in rows] == [["x", "y"]]

    def test_has_the_columns_that_the_user_maps(self, read: Read) -> None:
        mapped = {"giver": "wer", "receiver": "wem", "occur_time": "wann"}
        table, _ = read(
            "date,giver",
            "wann;wer;wem",
            "2;A;B",
            column_by_field=mapped,
            constants={"kind": "call"},
        )
        assert (table.header, table.separator) == (("wann", "wer", "wem"), ";")

    def test_with_more_of_the_columns_wins(self, read: Read) -> None:
        table, _ = read(
            "Organization", "code,name,region", "X1,One,North", fields=ORGANIZATION_FIELDS
        )
        assert table.header == ("code", "name", "region")

    def test_is_chosen_by_hand(self, read: Read) -> None:
        table, rows = read(HEADER, "when,from,to,how", DATA, header_row=2)
        assert table.header == ("when", "from", "to", "how")
        assert [row.line for row in rows] == [3]
        assert table.notes == ()
        table, _ = read(*["x"] * 99, HEADER, header_row=100)
        assert table.header == tuple(HEADER.split(","))
        with pytest.raises(ImportRefusedError, match=r"--header-row 2: a\.csv has no text there"):
            read("", "", HEADER, header_row=2)

    def test_may_have_line_breaks(self, read: Read, importer: Importer) -> None:
        table, rows = read('"Date', '(dd/mm/yyyy)";From;To;Kind', "02/03/2024;A;B;call")
        assert table.header == ("Date (dd/mm/yyyy)", "From", "To", "Kind")
        assert rows == [TableRow(3, ["02/03/2024", "A", "B", "call"])]
        report = importer.import_rows(
            "2/3/2024;A;B;call", header='"Date\n(dd/mm/yyyy)";From;To;"Kind\xa0"', name="b.csv"
        )
        assert (report.columns["occur_time"], format_counts(report)) == (
            "Date (dd/mm/yyyy)",
            "1 recorded",
        )

    def test_goes_before_the_explanations_of_qualtrics(self, read: Read) -> None:
        questions = '"When was it?\nA day.",Who gave?,Who received?,How?,Minutes?'
        ids = ",".join(f'"{{""ImportId"":""QID{number}""}}"' for number in range(5))
        table, rows = read(HEADER, questions, ids, DATA)
        assert rows == [TableRow(5, DATA.split(","))]
        assert "The rows down to 4 were left out: Qualtrics" in table.notes[0]
        table, rows = read("Q1,Q2,Q3,Q4,Q5", HEADER, ids, DATA)
        assert rows == [TableRow(4, DATA.split(","))]

    def test_of_one_name_twice_is_refused_only_where_it_matters(self, importer: Importer) -> None:
        row, header = "r1,2024-05-31,A,B,call", "ref,date,giver,receiver,kind,points,points"
        assert format_counts(importer.import_rows(row, header=header)) == "1 recorded"
        with pytest.raises(
            ImportRefusedError, match=r"log\.csv, row 1 has two columns named 'giver'"
        ):
            importer.import_rows(row, header="ref,date,giver,giver,kind,receiver")
        with pytest.raises(ImportRefusedError, match="two columns named 'points'"):
            importer.import_rows(row, header=header, map={"note": "points"})


class TestSheet:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        book = Workbook()
        book.remove(book.worksheets[0])
        for title, rows in {
            "About": [["Exchange log"], ["date", "of printing"]],
            "Log": [["Exchanges in 2024"], [], HEADER.split(","), DATA.split(",")],
            "Roster": [["code", "name"], ["X1", "One"]],
        }.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "log.xlsx")
        return tmp_path / "log.xlsx"

    def test_with_the_required_columns_is_read(self, path: Path) -> None:
        with open_table(path, TableRequest(fields=EXCHANGE_FIELDS)) as table:
            assert [row.line for row in table.rows] == [4]
            assert (table.sheet, table.location) == ("Log", "log.xlsx, sheet 'Log', row 3")
            assert table.notes == (
                "Sheet 'Log' was read; --sheet names another: About, Roster.",
                "The column names were read from row 3 of sheet 'Log'; --header-row names another.",
            )
        with open_table(path, TableRequest(fields=ORGANIZATION_FIELDS)) as table:
            assert (table.sheet, table.header) == ("Roster", ("code", "name"))

    def test_is_chosen_by_hand(self, path: Path) -> None:
        with open_table(path, TableRequest(fields=EXCHANGE_FIELDS, sheet="about")) as table:
            assert table.header == ("Exchange log",)

    def test_that_has_none_of_the_columns_is_named(self, importer: Importer, path: Path) -> None:
        with pytest.raises(
            ImportRefusedError,
            match=r"The columns of log.xlsx, sheet 'Roster', row 1 are code, name",
        ):
            importer.import_file(path, sheet="Roster")


class TestHeaderless:
    @pytest.mark.parametrize(
        ("lines", "suggested"),
        [
            (("a;b", "a;c", "c;d"), "--map giver=1 --map receiver=2 --set occur_time=VALUE"),
            (
                ("2024-03-02,A,B,call,30", "2024-03-03,C,D,visit,45"),
                "--map occur_time=1 --map giver=2 --map receiver=3 --map kind=4",
            ),
            (("x,20240302,A", "y,20240302,C"), "--map occur_time=2 --map giver=1 --map receiver=3"),
        ],
    )
    def test_file_is_refused_with_its_remedy(
        self, read: Read, lines: tuple[str, ...], suggested: str
    ) -> None:
        with pytest.raises(HeaderlessError) as refused:
            read(*lines)
        assert f"--no-header {suggested}" in str(refused.value)
        assert "--header-row 1" in str(refused.value)

    def test_file_is_refused_although_columns_are_mapped_by_their_first_cells(
        self, read: Read
    ) -> None:
        constants = {"occur_time": "2024", "kind": "call"}
        with pytest.raises(HeaderlessError, match=r"row 1 is a \| b") as refused:
            read(
                "a;b",
                "a;c",
                "c;d",
                column_by_field={"giver": "a", "receiver": "b"},
                constants=constants,
            )
        assert refused.value.column_by_field == {"giver": "1", "receiver": "2"}
        assert refused.value.is_complete

    @pytest.mark.parametrize(
        "header", ["wer;wem;2023;wann;was", "who;whom;when it was;what it was;how long"]
    )
    def test_file_is_not_one_with_names_of_its_own(self, read: Read, header: str) -> None:
        assert read(header, "A;B;30;1;call", "A;C;30;2;visit")[0].header == tuple(header.split(";"))

    def test_file_has_columns_by_number(self, read: Read, importer: Importer) -> None:
        table, rows = read("a;b", "a;c;x", "c", has_header=False)
        assert (table.header, table.separator) == (("1", "2", "3"), ";")
        assert rows == [
            TableRow(1, ["a", "b", ""]),
            TableRow(2, ["a", "c", "x"]),
            TableRow(3, ["c", "", ""]),
        ]
        report = importer.import_rows(
            "a;c",
            "c;d",
            header="a;b",
            no_header=True,
            map={"giver": "1", "receiver": "2"},
            set={"occur_time": "2024-05-01", "kind": "call"},
        )
        assert (format_counts(report), report.columns) == (
            "3 recorded",
            {"giver": "1", "receiver": "2"},
        )

    def test_row_by_hand_is_believed(self, read: Read) -> None:
        table, rows = read("a;b", "a;c", header_row=1)
        assert (table.header, len(rows)) == (("a", "b"), 1)


class TestOdsFile:
    """`etr.csv` and its like: 27 columns without names."""

    def write(self, path: Path, *rows: tuple[str, ...]) -> Path:
        buffer = io.StringIO()
        writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
        for code, name, region, group, opened, closed in rows:
            address = ["1 The Street", "", "", "TOWN", "", "AB1 2CD"]
            rest = [""] * 5 + ["01234", "", "", "", "0", "", "B", "", "", ""]
            writer.writerow([code, name, region, group, *address, opened, closed, *rest])
        path.write_text(buffer.getvalue())
        return path

    def test_ods_file_is_recognized(self, tmp_path: Path) -> None:
        path = self.write(
            tmp_path / "etr.csv",
            ("X0A", "ASHCOMBE", "Y62", "QOP", "20171001", ""),
            ("X0C", "ELMWOOD, THE QUEEN'S", "Y63", "QHM", "19910401", "20190331"),
        )
        with open_table(path, TableRequest(fields=ORGANIZATION_FIELDS)) as table:
            [note] = table.notes
            assert "no row with column names; it was read as organizations of the NHS" in note
            rows = [dict(zip(table.header, row.cells, strict=True)) for row in table.rows]
        assert rows[1] == rows[1] | {
            "Organisation Code": "X0C",
            "Name": "ELMWOOD, THE QUEEN'S",
            "National Grouping": "Y63",
            "High Level Health Geography": "QHM",
            "Open Date": "19910401",
            "Close Date": "20190331",
        }

    def test_ods_file_is_no_file_of_exchanges(self, read: Read, tmp_path: Path) -> None:
        path = self.write(tmp_path / "etr.csv", ("X0A", "A", "Y62", "QOP", "20171001", ""))
        with (
            pytest.raises(HeaderlessError),
            open_table(path, TableRequest(fields=EXCHANGE_FIELDS)),
        ):
            pass


class TestForm:
    """Answers of a survey: when it was filled in says when something happened at last resort."""

    @pytest.mark.parametrize(
        ("header", "columns"),
        [
            (
                "ID,Start time,Completion time,Email,Name,Last modified time,Date,From,To,Kind",
                {"reference": "ID", "occur_time": "Date", "report_time": "Completion time"},
            ),
            (
                "Timestamp,Who gave?,Who received?,How?,Minutes",
                {"occur_time": "Timestamp", "giver": "Who gave?", "kind": "How?"},
            ),
            (
                "StartDate,EndDate,RecordedDate,ResponseId,Day,From,To,Type",
                {"reference": "ResponseId", "occur_time": "Day", "report_time": "RecordedDate"},
            ),
        ],
    )
    def test_columns(self, read: Read, header: str, columns: dict[str, str]) -> None:
        from services.imports.column_mapping import map_columns

        table, _ = read(header, "x")
        plan = map_columns(EXCHANGE_FIELDS, table.header, column_by_field={}, constants={})
        assert plan.columns | columns == plan.columns

    def test_time_is_no_date_where_another_column_may_be(self, importer: Importer) -> None:
        with pytest.raises(ImportRefusedError, match="No column was found for occur_time"):
            importer.import_rows("x", header="Timestamp,Date of the visit,From,To,Kind")


class TestRows:
    def test_short_rows_are_filled_and_long_ones_refused(self, importer: Importer) -> None:
        header = "date,from,to,kind,minutes,note"
        rows = ("2024-03-02,A,B,call", "2024-03-03,A,B,call,", "2024-03-04,A,B,call,1,x,,")
        assert format_counts(importer.import_rows(*rows, header=header)) == "3 recorded"
        report = importer.import_rows("2024-03-02,A,B,call,1,one, two", header=header, name="b.csv")
        assert "has 7 cells and the header 6" in report.errors[0].message

    def test_rows_without_text_in_used_columns_are_skipped(self, importer: Importer) -> None:
        header = "ref,date,giver,receiver,kind,helper"
        report = importer.import_rows("r1,2024-03-02,A,B,call,1", ",,,,,0", ",,,,,0", header=header)
        assert format_counts(report) == "1 recorded"
        assert "2 rows have text only in columns that are not used: left out." in report.notes


REPORTS = Path(os.environ.get("MUTUA_REAL_DATA", "/nowhere")).parent / "reports"


@pytest.mark.skipif(not REPORTS.exists(), reason="MUTUA_REAL_DATA names no folder of real data")
class TestReports:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("error-in-a-column-not-used.xlsx", "2 recorded"),
            ("formula-with-empty-text.xlsx", "2 recorded"),
            ("strict.xlsx", "1 recorded"),
            ("title-above-the-header.xlsx", "1 recorded"),
            ("r16-multi.csv", "1 recorded"),
            ("r16-short.csv", "3 recorded"),
            ("r16-title.csv", "1 recorded 1 wrong"),
        ],
    )
    def test_exchanges(self, importer: Importer, tmp_path: Path, name: str, expected: str) -> None:
        from datetime import UTC, datetime

        from services.imports import import_exchanges

        report = import_exchanges(
            importer.programme.client,
            REPORTS / name,
            ImportOptions(skip_bad=tmp_path / "mend.csv"),
            now=datetime(2026, 6, 1, tzinfo=UTC),
        )
        assert format_counts(report) == expected

    def test_edges(self, importer: Importer) -> None:
        with pytest.raises(HeaderlessError, match="--no-header --map giver=1 --map receiver=2"):
            importer.import_file(REPORTS / "r11-edges.csv")

    def test_etr(self, importer: Importer) -> None:
        report = import_organizations(
            importer.programme.client, REPORTS / "r11-etr.csv", ImportOptions()
        )
        assert format_counts(report) == "3 recorded"
        organization = importer.programme.organizations["X0C"]
        assert (organization.region, organization.strategic_group) == ("Y63", "QHM")
        assert (organization.open_date.year, organization.close_date.year) == (1991, 2019)
