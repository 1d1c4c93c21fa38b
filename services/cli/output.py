"""Answers as JSON and CSV for programs, and as tables for people."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import click
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from services.adapters.wire.json_form import describe_basis as describe_basis
from services.adapters.wire.json_form import encode_line
from services.adapters.wire.json_form import to_dictionary as to_dictionary
from services.adapters.wire.json_form import to_iso as to_iso
from services.adapters.wire.json_form import to_json as to_json

Row = TypeVar("Row")
NAME_COLUMNS: Final = {
    "organization_id": "organization_name",
    "giver_id": "giver_name",
    "receiver_id": "receiver_name",
    "only_source_id": "only_source_name",
}
"""Columns of ids, and the column of names that follows each in CSV."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table; numbers are aligned right."""

    heading: str
    cell: Callable[[Row], str]
    is_number: bool = False


def to_table(rows: Sequence[Row], columns: Iterable[Column[Row]]) -> str:
    """Columns without a single value are left out."""
    from tabulate import tabulate

    filled = [
        (column, cells) for column in columns if any(cells := [column.cell(row) for row in rows])
    ]
    if not filled:
        return ""
    return tabulate(
        list(zip(*(cells for _, cells in filled), strict=True)),
        headers=[column.heading for column, _ in filled],
        # Cells are final text: ids such as 007 or 1e5 are not numbers.
        disable_numparse=True,
        colalign=["right" if column.is_number else "left" for column, _ in filled],
    )


def show_progress(text: str, *, is_last: bool) -> None:
    """Writes over its own line on a terminal; elsewhere only the last one is written."""
    if sys.stderr.isatty():
        click.echo(f"\r{text}\x1b[K", nl=is_last, err=True)
    elif is_last:
        click.echo(text, err=True)


def to_csv(
    rows: Iterable[Message], descriptor: Descriptor, name_of: Callable[[str], str] | None = None
) -> str:
    """A header and a line a row: lists joined by ";", dates as text, other messages as JSON, absent
    values empty.

    With `name_of`, which returns the name of an organization's id, a column of names follows each
    column of ids: giver_id, giver_name.
    """
    fields = [field.name for field in descriptor.fields]
    names = {}
    if name_of is not None and "name" not in fields:
        names = {field: NAME_COLUMNS[field] for field in fields if field in NAME_COLUMNS}
    header = [column for field in fields for column in (field, names.get(field)) if column]
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = to_dictionary(row)
        cells = {field: _cell(value) for field, value in values.items()}
        if name_of is not None:
            cells |= {column: name_of(values.get(field, "")) for field, column in names.items()}
        writer.writerow(cells)
    return text.getvalue().removesuffix("\n")


def write_text(path: Path, content: str) -> None:
    """Writes a file, in place of one that is there."""
    # Most commands write no files.
    from services.exports.export_file import open_atomic

    with open_atomic(path, force=True) as file:
        file.write(f"{content}\n".encode())


def _cell(value: Any) -> str:
    match value:
        case str():
            return value
        case list() if not any(isinstance(part, dict) for part in value):
            return ";".join(map(_cell, value))
        case _:
            return encode_line(value)
