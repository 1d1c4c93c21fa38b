"""An Excel workbook with a sheet for each table, edges first, and the sheet "about" last.

Programs that take one sheet of a workbook take the first one.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from services.exports.graph_tables import Value
from services.exports.tables.cell_text import format_timeset
from services.exports.tables.table_set import ABOUT, WORKBOOK, TableSet
from services.exports.tables.table_source import NamedTable
from services.exports.xml_file import escape_non_xml
from services.ledger.errors import InvalidArgumentError
from services.ledger.wording import format_count

MAX_ROWS: Final = 1_048_576
"""Of a sheet of Excel, the header included."""
MAX_CHARACTERS: Final = 32_767
"""Of a cell of Excel; opening a file with longer ones, it says that the file is damaged."""
_REMEDY: Final = "export csv or parquet, or ask for a shorter window"
_FIRST_DATE: Final = date(1900, 3, 1)
"""Excel has no dates before 1900 and a 29 February 1900: older ones are text."""


class ExcelLimitError(InvalidArgumentError):
    """A table does not fit into a sheet of Excel."""


def write_workbook(
    tables: TableSet,
    folder: Path,
    *,
    max_rows: int = MAX_ROWS,
    max_characters: int = MAX_CHARACTERS,
) -> None:
    """Writes numbers, flags and dates as such, and text as text, also where it begins with "=".

    Raises ExcelLimitError when a table has too many rows, or a too long cell.
    """
    for table in tables.tables:
        _require_fit(table, max_rows)
    workbook = Workbook(write_only=True)
    try:
        for table in tables.tables:
            rows = ([column.read(row) for column in table.columns] for row in table.rows)
            sheet = _add_sheet(workbook, table.name, [column.name for column in table.columns])
            for number, row in enumerate(rows, start=2):
                cells = [_to_cell(sheet, value) for value in row]
                _require_short(table, number, cells, max_characters)
                sheet.append(cells)
        about = _add_sheet(workbook, ABOUT, ["name", "value"])
        for name, value in tables.about.items():
            about.append([name, _to_cell(about, value)])
    finally:
        for sheet in workbook.worksheets:  # else a failure leaves open files behind
            sheet.close()
    workbook.save(folder / WORKBOOK)


def _add_sheet(workbook: Workbook, name: str, header: Sequence[str]) -> WriteOnlyWorksheet:
    sheet: WriteOnlyWorksheet = workbook.create_sheet(name)
    sheet.freeze_panes = "A2"
    sheet.append(header)
    return sheet


def _to_cell(sheet: WriteOnlyWorksheet, value: Value | None) -> Any:
    match value:
        case tuple():
            return format_timeset(value) or None
        case str():
            text = escape_non_xml(value)
            if not text.startswith(("=", "#")):
                return text
            cell = WriteOnlyCell(sheet, text)
            cell.data_type = "s"  # neither a formula nor an error
            return cell
        case date() if value < _FIRST_DATE:
            return value.isoformat()
        case _:
            return value


def _require_fit(table: NamedTable, max_rows: int) -> None:
    if len(table.rows) >= max_rows:
        raise ExcelLimitError(
            f"{table.name} has {format_count(len(table.rows), 'row')}, and a sheet of Excel takes "
            f"{max_rows - 1:,} under its header",
            remedy=_REMEDY,
        )


def _require_short(
    table: NamedTable, number: int, cells: Sequence[Any], max_characters: int
) -> None:
    for column, cell in zip(table.columns, cells, strict=True):
        if isinstance(cell, str) and len(cell) > max_characters:
            raise ExcelLimitError(
                f"{table.name}, row {number:,}: {column.name} has "
                f"{format_count(len(cell), 'character')}, and a cell of Excel takes "
                f"{max_characters:,}",
                remedy=_REMEDY,
            )
