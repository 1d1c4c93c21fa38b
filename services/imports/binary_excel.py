"""Reads .xls and .xlsb workbooks through calamine, in a process of its own.

A damaged file can make calamine panic, or end its process because it asks for too much memory. The
process reads the workbook from its standard input and writes JSON lines: for each sheet its title,
and for each row with text its number and cells.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from typing import IO, Final

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from services.imports.cell_text import format_duration, format_moment, format_number
from services.imports.table import TableRow
from services.ledger.errors import MutuaError

_NOTE: Final = (
    "Of .xls and .xlsb files only values can be read: a cell that shows an error, such as #N/A, "
    "counts as empty, a month such as Mar-26 as its first day, and 00123 as 123. If the file has "
    "any of these, save it as .xlsx and import that."
)


class BinaryWorkbookError(MutuaError):
    """calamine cannot read the workbook."""


class BinarySheets:
    """The visible sheets of a workbook, read from the lines of the process."""

    note = _NOTE

    def __init__(self, lines: IO[bytes]) -> None:
        self._lines = lines
        self._starts: dict[str, int] = {}
        place = 0
        for line in lines:
            place += len(line)
            if isinstance(title := json.loads(line), str):
                self._starts[title] = place
        self.titles = list(self._starts)

    def read_rows(self, title: str) -> Iterator[TableRow]:
        """The rows that have text. Each call starts at the first one."""
        self._lines.seek(self._starts[title])
        while line := self._lines.readline():
            row = json.loads(line)
            if isinstance(row, str):  # the title of the next sheet
                return
            yield TableRow(*row)


@contextmanager
def open_sheets(file: IO[bytes]) -> Iterator[BinarySheets]:
    with tempfile.TemporaryFile() as lines:
        command = [sys.executable, "-m", "services.imports.binary_excel"]
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # the process shares this file position
        process = subprocess.run(
            command, stdin=file, stdout=lines, stderr=subprocess.PIPE, check=False
        )
        if process.returncode:
            messages = process.stderr.decode(errors="replace").strip().splitlines()
            raise BinaryWorkbookError(
                messages[-1] if messages else f"exit code {process.returncode}"
            )
        lines.seek(0)
        yield BinarySheets(lines)


def _write_lines(file: IO[bytes], lines: IO[str]) -> None:
    with CalamineWorkbook.from_filelike(io.BytesIO(file.read())) as book:
        for sheet in book.sheets_metadata:
            if sheet.typ != SheetTypeEnum.WorkSheet or sheet.visible != SheetVisibleEnum.Visible:
                continue
            print(json.dumps(sheet.name), file=lines)
            # The first row of the sheet comes first even if it is empty.
            rows = book.get_sheet_by_name(sheet.name).iter_rows()
            for number, values in enumerate(rows, start=1):
                row = TableRow(number, [_text(value) for value in values])
                if not row.is_blank:
                    print(json.dumps((row.line, row.cells)), file=lines)


def _text(value: str | float | date | time | timedelta) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return format_number(value)
        case date():
            return format_moment(value)
        case _:
            return format_duration(value)


if __name__ == "__main__":
    _write_lines(sys.stdin.buffer, sys.stdout)
