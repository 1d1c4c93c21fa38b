"""Answers as JSON and CSV for programs, and as tables for people."""

import csv
import io
import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import click
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.types_pb2 import Date

Row = TypeVar("Row")
NAME_COLUMNS: Final = {
    "organization_id": "organization_name",
    "giver_id": "giver_name",
    "receiver_id": "receiver_name",
    "only_source_id": "only_source_name",
}
"""Columns of ids, and the column of names that follows each in CSV."""
_line = json.JSONEncoder(ensure_ascii=False).encode


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


def to_json(document: Any) -> str:
    """Indented, but for lists of objects in an object: those have a line each.

    The standard library indents in Python, four times as slowly as it encodes a line.
    """
    if not isinstance(document, dict) or not document:
        return _line(document)
    fields = (f"{_line(name)}: {_indented(value)}" for name, value in document.items())
    text = ",\n".join(fields).replace("\n", "\n  ")
    return f"{{\n  {text}\n}}"


def _indented(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = ",\n  ".join(map(_line, value))
        return f"[\n  {rows}\n]"
    return json.dumps(value, ensure_ascii=False, indent=2)


def to_dictionary(message: Any) -> dict[str, Any]:
    """Proto JSON under the names of the .proto, 64-bit integers as numbers, dates as YYYY-MM-DD.

    Every field is there except unset optional ones and unset messages.
    """
    return {
        name: getattr(message, name) if convert is None else convert(getattr(message, name))
        for name, is_optional, convert in _fields(message.DESCRIPTOR)
        if not is_optional or message.HasField(name)
    }


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


# Cached because protobuf's MessageToDict repeats these lookups per value, at five times the cost.
@cache
def _fields(descriptor: Descriptor) -> list[tuple[str, bool, Callable[[Any], Any] | None]]:
    """Every field's name, whether it may be absent, and its converter; None if it needs none."""
    return [
        (field.name, field.has_presence, _field_converter(field)) for field in descriptor.fields
    ]


def _field_converter(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    convert = _value_converter(field)
    if not field.is_repeated:
        return convert
    return list if convert is None else lambda values: list(map(convert, values))


def _value_converter(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    """The converter of one value to proto JSON; None if it needs none."""
    if field.message_type is not None:
        return _TEXTS.get(field.message_type, to_dictionary)
    if field.enum_type is not None:
        names = {number: each.name for number, each in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: b64encode(value).decode()
    return None


def to_iso(day: Date) -> str:
    """YYYY-MM-DD."""
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


def describe_basis(answer: Any) -> dict[str, Any]:
    """What JSON has of an answer, except its rows and question."""
    unplaced_count = getattr(answer, "unplaced_count", None)
    return {
        "position": answer.position,
        "as_of_date": to_iso(answer.as_of_date),
        "coverage": to_dictionary(answer.coverage),
        "warnings": list(answer.warnings),
        **({} if unplaced_count is None else {"unplaced_count": unplaced_count}),
    }


_TEXTS: Final[Mapping[Descriptor, Callable[[Any], str]]] = {
    Timestamp.DESCRIPTOR: Timestamp.ToJsonString,
    Date.DESCRIPTOR: to_iso,
}
"""Messages that are text in JSON."""


def _cell(value: Any) -> str:
    match value:
        case str():
            return value
        case list() if not any(isinstance(part, dict) for part in value):
            return ";".join(map(_cell, value))
        case _:
            return _line(value)
