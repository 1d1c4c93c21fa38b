"""Opens a workbook of any format, recognized by its content rather than its name."""

import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import islice
from typing import IO, Final, Protocol

from services.imports.report import ImportRefusedError
from services.imports.table import RawTable, TableRow

_OLE: Final = b"\xd0\xcf\x11\xe0"
_ZIP: Final = b"PK"


class WorkbookSheets(Protocol):
    """The visible sheets of a workbook. `note` describes limits of its format, for the user."""

    note: str
    titles: list[str]

    def read_rows(self, title: str) -> Iterator[TableRow]: ...


@contextmanager
def open_sheets(name: str, file: IO[bytes]) -> Iterator[WorkbookSheets]:
    """Opens the sheets of a workbook.

    Raises ImportRefusedError, here or while rows are read, when the file `name` is no workbook.
    """
    with ExitStack() as stack:
        with _refusals(name):
            sheets = stack.enter_context(_reader(name, file))
        yield sheets


def read_grids(
    name: str, sheets: WorkbookSheets, *, sheet: str, preferred: str, head_rows: int
) -> Iterator[RawTable]:
    """The sheet called `sheet`, else all visible ones, `preferred` first; read on demand."""
    for title in _titles(name, sheets.titles, sheet, preferred):

        def rows(title: str = title) -> Iterator[TableRow]:
            with _refusals(name):
                yield from sheets.read_rows(title)

        yield RawTable(title, list(islice(rows(), head_rows)), rows)


def _titles(name: str, titles: list[str], sheet: str, preferred: str) -> list[str]:
    if not sheet:
        return sorted(titles, key=lambda title: title.strip().casefold() != preferred)
    matching = [title for title in titles if title.strip().casefold() == sheet.strip().casefold()]
    if not matching:
        raise ImportRefusedError(
            f"{name} has no sheet {sheet!r}",
            remedy=f"its sheets are {', '.join(titles) or 'all hidden'}.",
        )
    return matching


def _reader(name: str, file: IO[bytes]) -> AbstractContextManager[WorkbookSheets]:
    """Opens the workbook. Its library is imported on demand, because that takes as long as the
    rest.
    """
    start = file.read(4)
    file.seek(0)
    if start == _OLE:
        from services.imports import binary_excel

        return binary_excel.open_sheets(file)
    if not start.startswith(_ZIP):
        raise ImportRefusedError(
            f"{name} is no workbook, despite its name: if it is text, name it .csv."
        )
    with zipfile.ZipFile(file) as archive:
        parts = archive.namelist()
        manifest = "META-INF/manifest.xml"
        if manifest in parts and b"encryption-data" in archive.read(manifest):
            raise _protected(name)
    file.seek(0)
    if "xl/workbook.bin" in parts:
        from services.imports import binary_excel

        return binary_excel.open_sheets(file)
    if "content.xml" in parts:
        from services.imports import opendocument

        return opendocument.open_sheets(file)
    from services.imports import excel

    return excel.open_sheets(file)


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Translates any error of a library into ImportRefusedError."""
    try:
        yield
    except (ImportRefusedError, OSError):
        raise
    except Exception as error:
        if "PasswordError" in str(error):
            raise _protected(name) from error
        raise ImportRefusedError(
            f"{name} is damaged, or no workbook ({type(error).__name__}: {error}): open it "
            "in Excel or LibreOffice and save it again as .xlsx."
        ) from error


def _protected(name: str) -> ImportRefusedError:
    return ImportRefusedError(
        f"{name} is protected by a password: save it without one and import that."
    )
