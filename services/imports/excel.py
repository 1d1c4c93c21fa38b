"""Reads .xlsx and .xlsm workbooks, including Strict ones, through openpyxl."""

import re
import tempfile
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date, time, timedelta
from functools import lru_cache
from typing import IO, Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.utils.cell import coordinate_to_tuple

from services.imports.cell_text import format_duration, format_moment, format_number
from services.imports.table import TableRow

_READ_BYTES: Final = 1 << 20
# Longer than any cell with a formula and without a value: Excel allows 8,192 characters.
_CELL_BYTES: Final = 1 << 16
# Longer than the start tag of any cell.
_TAG_BYTES: Final = 1 << 10
_FORMULA: Final = re.compile(rb"<(\w+:)?f[ >/]")
_CELL: Final = re.compile(
    rb"<(?:\w+:)?c(?P<attributes>(?: [^>]*)?)>\s*"
    rb"<(?:\w+:)?f(?: [^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?P<value><(?:\w+:)?v(?: [^>]*)?(?:/>|></(?:\w+:)?v>))?\s*</(?:\w+:)?c>"
)
_REFERENCE: Final = re.compile(rb'\br="([A-Z]+\d+)"')
_IS_TEXT: Final = re.compile(rb'\bt="str"')
# Parts of a number format that are not its letters: quoted text, [colours], escaped characters.
_LITERALS: Final = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
# A format of zeros, such as 00000 or 000\-000: the cell shows a code, not a quantity.
_CODE_PART: Final = re.compile(r'"[^"]*"|\\.|[-/ ()]|0')
# Namespaces of Strict workbooks -> the namespaces that openpyxl expects.
_STRICT: Final = b"http://purl.oclc.org/ooxml/"
_TRANSITIONAL: Final = {
    b"http://purl.oclc.org/ooxml/spreadsheetml/main": (
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    ),
    b"http://purl.oclc.org/ooxml/officeDocument/relationships": (
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    ),
    b"http://purl.oclc.org/ooxml/officeDocument/customProperties": (
        b"http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
    ),
}

Cells = Sequence[Any]


class ExcelSheets:
    """The visible sheets of a workbook. Errors of openpyxl pass through."""

    note = ""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._uncalculated: dict[str, Mapping[int, dict[int, str]]] = {}
        self.titles = [each.title for each in book.worksheets if each.sheet_state == "visible"]

    def read_rows(self, title: str) -> Iterator[TableRow]:
        """The rows that have text. Each call starts at the first one."""
        sheet = self._book[title]
        sheet.reset_dimensions()  # programs write wrong ones, and cells outside would be lost
        if title not in self._uncalculated:
            self._uncalculated[title] = _uncalculated_cells(sheet)
        uncalculated = self._uncalculated[title]
        for line, cells in enumerate(sheet.iter_rows(), start=1):
            flaws = {
                column: f"{_cell(title, cell.coordinate)} shows {cell.value}: correct its formula "
                "or type the value"
                for column, cell in enumerate(cells)
                if cell.data_type == "e"
            }
            for column, reference in uncalculated.get(line, {}).items():
                flaws[column] = (
                    f"{_cell(title, reference)} has a formula and no value: open the file in Excel "
                    "or LibreOffice and save it"
                )
            row = TableRow(line, [_text(cell.value, cell) for cell in cells], flaws)
            if not row.is_blank:
                yield row


@contextmanager
def open_sheets(file: IO[bytes]) -> Iterator[ExcelSheets]:
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # openpyxl's, about decoration that it leaves out
        if _is_strict(file):
            rewritten = stack.enter_context(tempfile.TemporaryFile())
            _rewrite_as_transitional(file, rewritten)
            file = rewritten
        book = load_workbook(file, read_only=True, data_only=True)
        stack.enter_context(closing(book))
        yield ExcelSheets(book)


def _is_strict(file: IO[bytes]) -> bool:
    with zipfile.ZipFile(file) as archive:
        return _STRICT in archive.read("xl/workbook.xml")


def _rewrite_as_transitional(file: IO[bytes], rewritten: IO[bytes]) -> None:
    """Replaces the namespaces of a Strict workbook, in which openpyxl finds no sheet."""
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(rewritten, "w") as copy:
        for part in archive.namelist():
            content = archive.read(part)
            if part.endswith((".xml", ".rels")):
                for strict, transitional in _TRANSITIONAL.items():
                    content = content.replace(strict, transitional)
            copy.writestr(part, content)


def _uncalculated_cells(sheet: Any) -> Mapping[int, dict[int, str]]:
    """Cells whose formula has no value, by row and column index.

    openpyxl gives them the same value as empty cells and formulas whose value is an empty text.
    """
    references: defaultdict[int, dict[int, str]] = defaultdict(dict)
    rest = b""
    with sheet._get_source() as content:
        while block := content.read(_READ_BYTES):
            rest += block
            if not _FORMULA.search(rest):
                rest = rest[-_TAG_BYTES:]
                continue
            for cell in _CELL.finditer(rest):
                attributes = cell["attributes"]
                reference = _REFERENCE.search(attributes)
                if reference and not (cell["value"] and _IS_TEXT.search(attributes)):
                    name = reference[1].decode()
                    row, column = coordinate_to_tuple(name)
                    references[row][column - 1] = name
            rest = rest[-_CELL_BYTES:]
    return references


def _cell(title: str, reference: str) -> str:
    return f"cell {reference} of sheet {title!r}"


def _text(value: Any, cell: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            form = cell.number_format
            return (form != "General" and _code(value, form)) or format_number(value)
        case date():
            form = _LITERALS.sub("", cell.number_format).lower()
            is_coarse = "y" in form and "d" not in form
            return format_moment(
                value, month_only=is_coarse and "m" in form, year_only=is_coarse and "m" not in form
            )
        case time() | timedelta():
            return format_duration(value)
        case _:
            return str(value)


def _code(value: float, form: str) -> str:
    """A number in a format of leading zeros, such as "00123"; "" for other formats."""
    parts = _code_parts(form)
    if not parts or value < 0 or value != int(value):
        return ""
    zeros = parts.count("0")
    digits = list(str(int(value)).zfill(zeros))
    first_digit, text = "".join(digits[: len(digits) - zeros + 1]), ""
    rest = iter(digits[len(digits) - zeros + 1 :])
    is_first = True
    for part in parts:
        if part != "0":
            text += part
        else:
            text += first_digit if is_first else next(rest)
            is_first = False
    return text


@lru_cache(maxsize=256)
def _code_parts(form: str) -> tuple[str, ...]:
    section = form.split(";")[0]
    parts = _CODE_PART.findall(section)
    if "".join(parts) != section or parts.count("0") < 2:
        return ()
    return tuple(part.strip('"').removeprefix("\\") for part in parts)
