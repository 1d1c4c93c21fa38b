"""Reads a CSV: whatever separator, line ends and quoting the program of its author wrote."""

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Final

from services.imports.report import ImportRefused
from services.imports.table import Row, Table, require_distinct

SEPARATORS: Final = ",;\t"
SAVE: Final = "save it as CSV (UTF-8) and import that file"

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# First bytes of files that people take for a CSV, and what they are.
_FOREIGN: Final = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_BLOCK_BYTES: Final = 1 << 18


def read(name: str, file: BinaryIO | io.BufferedIOBase) -> Table:
    """Raises ImportRefused, here or while rows are read."""
    lines = _lines(name, file)
    first = next(lines, "")
    if not first.strip():
        raise ImportRefused(f"{name} has no first line with the column names: {SAVE}.")
    # The separator stands most often outside of quotes.
    outside = "".join(first.split('"')[::2])
    separator = max(SEPARATORS, key=outside.count)
    rows = _rows(name, chain([first], lines), separator)
    header = tuple(cell.strip() for cell in next(rows).cells)
    require_distinct(name, header)
    return Table(header, (row for row in rows if any(map(str.strip, row.cells))), separator)


def _lines(name: str, file: BinaryIO | io.BufferedIOBase) -> Iterator[str]:
    """Lines as text, with their ends. Line feeds alone end them; the csv reader sees to others."""
    offset, line_count = 0, 0
    while block := file.readlines(_BLOCK_BYTES):
        if not line_count:
            _require_text(name, block[0])
            if block[0].startswith(_BYTE_ORDER_MARK):
                block[0] = block[0].removeprefix(_BYTE_ORDER_MARK)
                offset = len(_BYTE_ORDER_MARK)
        joined = b"".join(block)
        if b"\0" not in joined:
            try:
                yield from io.StringIO(joined.decode(), newline="\n")
                offset, line_count = offset + len(joined), line_count + len(block)
                continue
            except UnicodeDecodeError:
                pass
        yield from _until_wrong(name, block, offset, line_count)


def _require_text(name: str, start: bytes) -> None:
    for mark, what in _FOREIGN.items():
        if start.startswith(mark):
            raise ImportRefused(f"{name} is {what}, not a CSV: {SAVE}.")


def _until_wrong(name: str, block: list[bytes], offset: int, line_count: int) -> Iterator[str]:
    """The lines of a block before the byte that is wrong; then raises, with its address."""
    for number, line in enumerate(block, start=line_count + 1):
        if b"\0" in line:
            raise ImportRefused(
                f"{name} is not a CSV: line {number:,} has a NUL byte "
                f"(byte {offset + line.index(0):,} of the text). If it is a table, {SAVE}."
            )
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise ImportRefused(
                f"{name} is not UTF-8: byte {offset + error.start:,} on line {number:,} "
                "is of another encoding. Open it in the program it came from and save as UTF-8."
            ) from error
        offset += len(line)


def _rows(name: str, lines: Iterator[str], separator: str) -> Iterator[Row]:
    # Strict: else an unclosed quote would swallow the rest of the file without a word.
    reader = csv.reader(lines, delimiter=separator, strict=True)
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
