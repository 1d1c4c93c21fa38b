"""Reads a sheet of an Excel workbook as the text that people would have written in a CSV."""

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, time
from itertools import repeat
from typing import Any, BinaryIO, Final

from openpyxl import Workbook, load_workbook

from services.imports.report import ImportRefused
from services.imports.table import Row, Table, require_distinct

_ENCRYPTED: Final = b"\xd0\xcf\x11\xe0"
_ZIP: Final = b"PK"
_FORMULA: Final = re.compile(rb"<(\w+:)?f[ >/]")
_READ_BYTES: Final = 1 << 20
# What stands in a number format beside its letters: quoted text, [colours], escaped characters.
_LITERALS: Final = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')

Cells = Sequence[Any]


@contextmanager
def opened(name: str, file: BinaryIO, sheet: str, preferred: str) -> Iterator[Table]:
    """The table of the sheet called `sheet`, else `preferred`, else of the first with a header.

    Raises ImportRefused, here or while rows are read.
    """
    _require_workbook(name, file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, about decoration that it leaves out
        with _mended(name):
            book = load_workbook(file, read_only=True, data_only=True)
            formulas = _with_formulas(file)
        with closing(book), closing(formulas or book):
            yield _table(name, book, formulas, sheet, preferred)


def _require_workbook(name: str, file: BinaryIO) -> None:
    start = file.read(4)
    file.seek(0)
    if start == _ENCRYPTED:
        raise ImportRefused(
            f"{name} is protected by a password, or an old Excel file: save it as .xlsx without "
            "a password and import that."
        )
    if not start.startswith(_ZIP):
        raise ImportRefused(
            f"{name} is no Excel file, whatever its name says: if it is text, name it .csv."
        )


@contextmanager
def _mended(name: str) -> Iterator[None]:
    """Everything that openpyxl may raise over a file that is not as it should be."""
    try:
        yield
    except (ImportRefused, OSError):
        raise
    except Exception as error:
        raise ImportRefused(
            f"{name} is damaged, or no Excel workbook ({type(error).__name__}: {error}): open it "
            "in Excel or LibreOffice and save it again as .xlsx."
        ) from error


def _with_formulas(file: BinaryIO) -> Workbook | None:
    """The workbook with formulas in place of values; None when there are none."""
    with zipfile.ZipFile(file) as archive:
        for part in archive.namelist():
            if part.startswith("xl/worksheets/") and _has_formula(archive, part):
                return load_workbook(file, read_only=True)
    return None


def _has_formula(archive: zipfile.ZipFile, part: str) -> bool:
    rest = b""
    with archive.open(part) as content:
        while block := content.read(_READ_BYTES):
            if _FORMULA.search(rest + block):
                return True
            rest = block[-16:]
    return False


def _table(
    name: str, book: Workbook, formulas: Workbook | None, sheet: str, preferred: str
) -> Table:
    visible = [each.title for each in book.worksheets if each.sheet_state == "visible"]
    for title in _candidates(name, visible, sheet, preferred):
        rows = _rows(name, book, formulas, title)
        first = next(rows, None)
        if first is None:
            continue
        if first.flaw:
            raise ImportRefused(f"{name}, sheet {title!r}: {first.flaw}.")
        header = tuple(cell.strip() for cell in first.cells)
        while header and not header[-1]:
            header = header[:-1]
        require_distinct(f"{name}, sheet {title!r},", header)
        others = [other for other in visible if other != title]
        notes = [f"Sheet {title!r} was read; --sheet names another: {', '.join(others)}."]
        return Table(header, _squared(rows, len(header)), notes=tuple(notes if others else ()))
    where = f"sheet {sheet!r} of {name}" if sheet else name
    raise ImportRefused(f"{where} has no row with the column names: write them in its first row.")


def _candidates(name: str, visible: list[str], sheet: str, preferred: str) -> list[str]:
    if not sheet:
        return sorted(visible, key=lambda title: title.strip().casefold() != preferred)
    found = [title for title in visible if title.strip().casefold() == sheet.strip().casefold()]
    if not found:
        raise ImportRefused(
            f"{name} has no sheet {sheet!r}; its sheets are {', '.join(visible) or 'all hidden'}."
        )
    return found


def _squared(rows: Iterable[Row], width: int) -> Iterator[Row]:
    """Rows as wide as the header: what stands right of it has no name and is left out."""
    for line, cells, flaw in rows:
        squared = (cells + [""] * width)[:width]
        if any(map(str.strip, squared)) or flaw:
            yield Row(line, squared, flaw)


def _rows(name: str, book: Workbook, formulas: Workbook | None, title: str) -> Iterator[Row]:
    """The rows of a sheet that have any text, each with its number."""
    with _mended(name):
        shown = _cells(book, title)
        written = _cells(formulas, title) if formulas else repeat(())
        for line, (cells, sources) in enumerate(zip(shown, written, strict=False), start=1):
            flaws = [flaw for cell in cells if (flaw := _error(cell))]
            flaws += [_uncalculated(cell) for cell in _never_calculated(cells, sources)]
            texts = [_text(cell.value, cell) for cell in cells]
            if flaws or any(map(str.strip, texts)):
                yield Row(line, texts, flaws[0] if flaws else "")


def _cells(book: Workbook, title: str) -> Iterator[Cells]:
    sheet = book[title]
    sheet.reset_dimensions()  # programs write wrong ones, and cells outside would be lost
    return sheet.iter_rows()


def _never_calculated(cells: Cells, sources: Cells) -> Iterator[Any]:
    """Cells whose formula has no value, because the program that wrote it did not work it out."""
    for shown, source in zip(cells, sources, strict=False):
        if shown.value is None and source.data_type == "f":
            yield source


def _uncalculated(cell: Any) -> str:
    return (
        f"cell {cell.coordinate} has a formula and no value: open the file in Excel or "
        "LibreOffice and save it"
    )


def _error(cell: Any) -> str:
    return f"cell {cell.coordinate} shows {cell.value}: mend it" if cell.data_type == "e" else ""


def _text(value: Any, cell: Any) -> str:
    """What a person would have typed for a value."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.time() != time():
            return value.isoformat()
        case date():
            return _period(value, _LITERALS.sub("", cell.number_format).lower())
        case _:
            return str(value)


def _period(day: date, form: str) -> str:
    """A date no finer than its cell shows it: Excel makes the 1st of the month of "2024-05"."""
    if "y" in form and "d" not in form:
        return f"{day:%Y-%m}" if "m" in form else f"{day:%Y}"
    return f"{day:%Y-%m-%d}"
