"""Opens a CSV file of people: whatever separator, line ends and quoting their program wrote."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from services.imports.report import ImportRefused

SUFFIXES: Final = (".csv", ".csv.gz")
SEPARATORS: Final = ",;\t"

_SAVE = "save it as CSV (UTF-8) and import that file"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# First bytes of files that people take for a CSV, and what they are.
_FOREIGN: Final = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


class Row(NamedTuple):
    """`line` is the line of the file that the row starts on; the header is line 1."""

    line: int
    cells: list[str]


class Table(NamedTuple):
    """Column names, trimmed, and the rows below them, which are read as they are asked for.

    Rows without any text are left out; a row may have more or fewer cells than there are columns.
    """

    header: tuple[str, ...]
    rows: Iterator[Row]


def batch_name(path: Path) -> str:
    """The file's name without what says how it is packed."""
    suffix = next((suffix for suffix in SUFFIXES[::-1] if path.name.lower().endswith(suffix)), "")
    return path.name.removesuffix(path.name[len(path.name) - len(suffix) :])


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Raises ImportRefused, here or while rows are read, when the file is no readable CSV."""
    if not path.name.lower().endswith(SUFFIXES):
        raise ImportRefused(f"{path.name} is neither .csv nor .csv.gz: {_SAVE}.")
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                with gzip.open(file) as unpacked:
                    yield _table(path.name, unpacked)
            else:
                yield _table(path.name, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportRefused(f"{path.name} is damaged: {error}. Fetch or pack it again.") from error
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror or error}.") from error


def _table(name: str, file: BinaryIO | gzip.GzipFile) -> Table:
    lines = _lines(name, file)
    first = next(lines, "")
    if not first.strip():
        raise ImportRefused(f"{name} has no first line with the column names: {_SAVE}.")
    rows = _rows(name, first, lines)
    header = tuple(cell.strip() for cell in next(rows).cells)
    named = [column for column in header if column]
    if twice := sorted({column for column in named if named.count(column) > 1}):
        raise ImportRefused(
            f"{name} has two columns named {twice[0]!r}: rename one, so that it is clear "
            "which is meant."
        )
    return Table(header, (row for row in rows if any(map(str.strip, row.cells))))


def _lines(name: str, file: BinaryIO | gzip.GzipFile) -> Iterator[str]:
    """Lines as text. Decodes line by line, so that a wrong byte has an address."""
    offset = 0
    for number, line in enumerate(file, start=1):
        if number == 1:
            for start, what in _FOREIGN.items():
                if line.startswith(start):
                    raise ImportRefused(f"{name} is {what}, not a CSV: {_SAVE}.")
        if b"\0" in line:
            raise ImportRefused(
                f"{name} is not a CSV: line {number:,} has a NUL byte "
                f"(byte {offset + line.index(0):,} of the text). If it is a table, {_SAVE}."
            )
        try:
            text = line.removeprefix(_BYTE_ORDER_MARK).decode() if number == 1 else line.decode()
        except UnicodeDecodeError as error:
            shift = len(line) - len(error.object)
            raise ImportRefused(
                f"{name} is not UTF-8: byte {offset + shift + error.start:,} on line {number:,} "
                "is of another encoding. Open it in the program it came from and save as UTF-8."
            ) from error
        offset += len(line)
        yield text


def _rows(name: str, first: str, rest: Iterator[str]) -> Iterator[Row]:
    # The separator stands most often outside of quotes.
    outside = "".join(first.split('"')[::2])
    separator = max(SEPARATORS, key=outside.count)
    # Strict: else an unclosed quote would swallow the rest of the file without a word.
    reader = csv.reader(chain([first], rest), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            yield Row(line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ImportRefused(
            f"{name} stops being a CSV in the row that starts on line {line:,} ({error}): "
            "look for a quote that is not closed, or not doubled inside quotes."
        ) from error
