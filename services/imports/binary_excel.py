"""Reads .xls and .xlsb workbooks through calamine."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from typing import IO, Final

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from services.imports.cell_text import duration_text, moment_text, number_text
from services.imports.table import Row

_NOTE: Final = (
    "Of .xls and .xlsb files only values can be read: a cell that shows an error, such as #N/A, "
    "counts as empty, a month such as Mar-26 as its first day, and 00123 as 123. If the file has "
    "any of these, save it as .xlsx and import that."
)


class BinarySheets:
    """The visible sheets of a workbook. calamine's errors are passed on."""

    note = _NOTE

    def __init__(self, book: CalamineWorkbook) -> None:
        self._book = book
        self.titles = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
        ]

    def rows(self, title: str) -> Iterator[Row]:
        """Every row that has any text, from the first one each time."""
        # Begins with the sheet's first row, also where that is empty.
        for line, values in enumerate(self._book.get_sheet_by_name(title).iter_rows(), start=1):
            row = Row(line, [_text(value) for value in values])
            if not row.is_blank:
                yield row


@contextmanager
def opened(file: IO[bytes]) -> Iterator[BinarySheets]:
    with CalamineWorkbook.from_filelike(file) as book:
        yield BinarySheets(book)


def _text(value: str | float | date | time | timedelta) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return number_text(value)
        case date():
            return moment_text(value)
        case _:
            return duration_text(value)
