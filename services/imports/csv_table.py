"""Reads CSV files with any separator, line ends and quoting."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import IO, Final

from services.imports.report import ImportRefusedError
from services.imports.table import RawTable, TableRow
from services.notation.formula_mark import unmark_formulas

SEPARATORS: Final = ",;\t"
SAVE_AS_CSV: Final = "save it as CSV (UTF-8) and import that file"

BinaryFile = IO[bytes] | io.BufferedIOBase

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
# First bytes of files of other formats that people rename to CSV.
_FOREIGN: Final = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF file",
}
_BLOCK_BYTES: Final = 1 << 18
# Number of lines to search for the column names, because a row may have several lines.
_HEAD_LINES: Final = 200
# A first line with which Excel declares the separator.
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(?P<separator>[^"\r\n])"?[\r\n]*', re.IGNORECASE)


def read_grids(name: str, file: BinaryFile, *, head_rows: int) -> Iterator[RawTable]:
    """The file as rows, once for each possible separator, the likeliest first.

    Only one of the tables can be read to its end. Raises ImportRefusedError, here or while rows are
    read.
    """
    lines = _lines(name, _convert_to_utf8(name, file))
    head = list(islice(lines, max(_HEAD_LINES, 2 * head_rows)))
    first_line = 1
    separator_line = _SEPARATOR_LINE.fullmatch(head[0]) if head else None
    if separator_line:
        first_line, head = 2, head[1:]
    if not any(map(str.strip, head)):
        raise ImportRefusedError(f"{name} has no row with the column names: {SAVE_AS_CSV}.")
    has_rows = False
    for separator in (separator_line["separator"],) if separator_line else _separators(head):
        rows = _read_head(name, head, separator, first_line, head_rows)
        has_rows = has_rows or bool(rows)

        def read(separator: str = separator) -> Iterator[TableRow]:
            return _rows(name, chain(head, lines), separator, first_line)

        yield RawTable("", rows, read, separator, keeps_surplus=True)
    if not has_rows:
        next(_rows(name, iter(head), ",", first_line), None)  # raises with the reason


def _separators(head: Sequence[str]) -> list[str]:
    """The separators, the most frequent outside quotes first, on the first line that has any."""
    unquoted = ["".join(line.split('"')[::2]) for line in head]
    first = next((line for line in unquoted if any(mark in line for mark in SEPARATORS)), "")
    return sorted(SEPARATORS, key=first.count, reverse=True)


def _read_head(
    name: str, lines: Sequence[str], separator: str, first_line: int, count: int
) -> list[TableRow]:
    """The first rows with text, up to the first row that cannot be read."""
    rows = []
    with suppress(ImportRefusedError):
        for row in _rows(name, iter(lines), separator, first_line):
            if not row.is_blank:
                rows.append(row)
            if len(rows) == count:
                break
    return rows


def _convert_to_utf8(name: str, file: BinaryFile) -> BinaryFile:
    """The file, converted to UTF-8 if it is UTF-16, which Excel calls Unicode text."""
    start = file.read(2)
    file.seek(0)
    if start not in _UTF_16_MARKS:
        return file
    try:
        return io.BytesIO(file.read().decode("utf-16").encode())
    except UnicodeDecodeError as error:
        raise ImportRefusedError(
            f"{name} is damaged UTF-16 text ({error.reason}): {SAVE_AS_CSV}."
        ) from error


def _lines(name: str, file: BinaryFile) -> Iterator[str]:
    """Lines as text with their ends: line feeds, or carriage returns in a file without any."""
    offset, line_count, ends = 0, 0, "\n"
    while block := file.readlines(_BLOCK_BYTES):
        joined = b"".join(block)
        if not line_count:
            _require_text(name, joined)
            if joined.startswith(_BYTE_ORDER_MARK):
                joined = joined.removeprefix(_BYTE_ORDER_MARK)
                offset = len(_BYTE_ORDER_MARK)
            if b"\n" not in joined and b"\r" in joined:
                ends, block = "", joined.splitlines(keepends=True)
            else:
                block[0] = block[0].removeprefix(_BYTE_ORDER_MARK)
        if b"\0" not in joined:
            try:
                yield from io.StringIO(joined.decode(), newline=ends)
                offset, line_count = offset + len(joined), line_count + len(block)
                continue
            except UnicodeDecodeError:
                pass
        yield from _decode_until_invalid(name, block, offset, line_count)


def _require_text(name: str, start: bytes) -> None:
    for mark, what in _FOREIGN.items():
        if start.startswith(mark):
            raise ImportRefusedError(f"{name} is {what}, not a CSV: {SAVE_AS_CSV}.")


def _decode_until_invalid(
    name: str, block: list[bytes], offset: int, line_count: int
) -> Iterator[str]:
    """The lines of a block before an invalid byte; then raises with the position of that byte."""
    for number, line in enumerate(block, start=line_count + 1):
        if b"\0" in line:
            raise ImportRefusedError(
                f"{name} is not a CSV: line {number:,} has a NUL byte "
                f"(byte {offset + line.index(0):,} of the text). If it is a table, {SAVE_AS_CSV}."
            )
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise ImportRefusedError(
                f"{name} is not UTF-8: byte {offset + error.start:,} on line {number:,} "
                "is of another encoding. Open it in the program it came from and save as UTF-8."
            ) from error
        offset += len(line)


def _rows(name: str, lines: Iterator[str], separator: str, first_line: int) -> Iterator[TableRow]:
    # Strict, because an unclosed quote would otherwise swallow the rest of the file silently.
    reader = csv.reader(lines, delimiter=separator, strict=True)
    line = first_line
    try:
        for cells in reader:
            yield TableRow(line, unmark_formulas(cells))
            line = first_line + reader.line_num
    except csv.Error as error:
        raise ImportRefusedError(
            f"{name} stops being a CSV in the row that starts on line {line:,} ({error}): "
            "look for a quote that is not closed, or not doubled inside quotes."
        ) from error
