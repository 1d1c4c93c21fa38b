"""Opens a table in any file format that people's programs write."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from services.imports import csv_table, workbook
from services.imports.header import TableRequest, find_table
from services.imports.report import ImportRefusedError
from services.imports.table import ImportTable

_PACKED: Final = ".gz"
_TEXTS: Final = (".csv", ".tsv", ".txt")
_WORKBOOKS: Final = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
TABLE_SUFFIXES: Final = (*_TEXTS, *(text + _PACKED for text in _TEXTS), *_WORKBOOKS)


def derive_batch_name(path: Path) -> str:
    """The file's name without its format suffixes."""
    return path.name[: len(path.name) - len(_suffix(path))]


@contextmanager
def open_table(path: Path, request: TableRequest) -> Iterator[ImportTable]:
    """Opens the table of a file.

    Raises ImportRefusedError, here or while rows are read, when the file is no readable table.
    """
    suffix = _suffix(path)
    if not suffix:
        raise ImportRefusedError(
            f"{path.name} has none of the endings {', '.join(TABLE_SUFFIXES)}: "
            f"{csv_table.SAVE_AS_CSV}."
        )
    if request.sheet and suffix not in _WORKBOOKS:
        raise ImportRefusedError(f"--sheet is for workbooks, and {path.name} has no sheets.")
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            if suffix in _WORKBOOKS:
                yield _sheet_table(path.name, file, request, stack)
            else:
                yield _text_table(path.name, file, request, stack)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportRefusedError(
            f"{path.name} is damaged: {error}. Fetch or pack it again."
        ) from error
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read: {error.strerror or error}.") from error


def _sheet_table(
    name: str, file: IO[bytes], request: TableRequest, stack: ExitStack
) -> ImportTable:
    sheets = stack.enter_context(workbook.open_sheets(name, file))
    grids = workbook.read_grids(
        name,
        sheets,
        sheet=request.sheet,
        preferred=request.preferred_sheet,
        head_rows=request.head_rows,
    )
    table = find_table(name, grids, request)
    notes = list(table.notes)
    if others := [title for title in sheets.titles if title != table.sheet]:
        notes.insert(
            0, f"Sheet {table.sheet!r} was read; --sheet names another: {', '.join(others)}."
        )
    if sheets.note:
        notes.append(sheets.note)
    return table._replace(notes=tuple(notes), sheets=tuple(sheets.titles))


def _text_table(name: str, file: IO[bytes], request: TableRequest, stack: ExitStack) -> ImportTable:
    is_packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    text = stack.enter_context(gzip.GzipFile(fileobj=file)) if is_packed else file
    return find_table(name, csv_table.read_grids(name, text, head_rows=request.head_rows), request)


def _suffix(path: Path) -> str:
    """The longest supported suffix in any case, "" for none."""
    return max(
        (end for end in TABLE_SUFFIXES if path.name.lower().endswith(end)), key=len, default=""
    )
