"""Answers as JSON and CSV for programs, and as tables for people."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import click
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table; numbers stand at the right."""

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
        # Cells are text as it shall stand: ids such as 007 or 1e5 are no numbers.
        disable_numparse=True,
        colalign=["right" if column.is_number else "left" for column, _ in filled],
    )


def show_progress(text: str, *, is_last: bool) -> None:
    """Writes over its own line on a terminal; elsewhere only the last one is written."""
    if sys.stderr.isatty():
        click.echo(f"\r{text}", nl=is_last, err=True)
    elif is_last:
        click.echo(text, err=True)


def to_json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def to_dictionary(message: Message) -> dict[str, Any]:
    """Proto JSON under the names of the .proto, 64-bit integers as numbers.

    Every field is there except unset optional ones and unset messages.
    """
    value = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    ordered: dict[str, Any] = _ordered(value, message.DESCRIPTOR)
    return ordered


def to_csv(rows: Iterable[Message], descriptor: Descriptor) -> str:
    """A header and a line a row: lists joined by ";", messages as JSON, absent values empty."""
    names = [field.name for field in descriptor.fields]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in to_dictionary(row).items()})
    return text.getvalue().removesuffix("\n")


def _ordered(value: Any, descriptor: Any) -> Any:
    """Fields in the order of the .proto, and as numbers the 64-bit ones that proto JSON quotes."""
    if isinstance(value, list):
        return [_ordered(each, descriptor) for each in value]
    if not isinstance(value, dict):  # a time
        return value
    ordered = {}
    for field in descriptor.fields:
        if field.name in value:
            inner = value[field.name]
            if field.cpp_type == FieldDescriptor.CPPTYPE_INT64:
                inner = int(inner)
            elif field.message_type is not None:
                inner = _ordered(inner, field.message_type)
            ordered[field.name] = inner
    return ordered


def _cell(value: Any) -> str:
    match value:
        case str():
            return value
        case list() if all(isinstance(part, str) for part in value):
            return ";".join(value)
        case _:
            return json.dumps(value, ensure_ascii=False)
