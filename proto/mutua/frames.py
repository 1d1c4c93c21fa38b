"""Answers as tables: one row for each message, one column for each field.

The tables are Arrow's, and those of pandas and polars are made from them. None of these libraries
is imported before a table is asked for: `pip install "mutua[analysis]"`.

Ids and names are text, also those such as 007, 1e5 and NA. Enums are words, dates are dates, and
times are instants in UTC. What is absent is null, never 0 or NaN. The fields of a message within a
message are columns of their own (`spread_low`), repeated messages are lists of structures, and a
message that may be one of several is JSON. An exchange has one row with its current revision, or
the last one before its retraction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.enum_words import read_enum_word
from mutua.errors import MissingLibraryError
from mutua.v1.query_service_pb2 import Exchange, Revision
from mutua.v1.types_pb2 import Date, Text

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Read = Callable[[Any], Any]
"""The value of a field in a message; None if it is absent."""
_SCALARS: Final[Mapping[int, str]] = {
    FieldDescriptor.TYPE_BOOL: "bool_",
    FieldDescriptor.TYPE_BYTES: "binary",
    FieldDescriptor.TYPE_DOUBLE: "float64",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_UINT32: "uint32",
}
"""The function of pyarrow that makes the type of a field."""


@dataclass(frozen=True, slots=True)
class FrameColumn:
    """A column of a table."""

    name: str
    type_name: str
    """The function of pyarrow that makes the type, "date", "time" or "structure"."""
    read: Read
    is_list: bool = False
    parts: tuple[FrameColumn, ...] = ()
    """The parts of a structure."""
    is_optional: bool = False


def to_arrow(rows: Iterable[Any], descriptor: Descriptor) -> pa.Table:
    """The table of messages of one kind. Raises MissingLibraryError without pyarrow.

    Messages inside other answers have tables too: `to_arrow(network.edges, Edge.DESCRIPTOR)`.
    """
    arrow = _import_library("pyarrow")
    columns = list_columns(descriptor)
    messages = list(rows)
    arrays = [
        arrow.array([column.read(message) for message in messages], _arrow_type(arrow, column))
        for column in columns
    ]
    return arrow.table(arrays, names=[column.name for column in columns])


def to_pandas(rows: Iterable[Any], descriptor: Descriptor) -> pd.DataFrame:
    """The same as a DataFrame of pandas; whole numbers that may be absent are `Int32` or `Int64`.

    Raises MissingLibraryError without pandas or pyarrow.
    """
    _import_library("pandas")
    frame = to_arrow(rows, descriptor).to_pandas(date_as_object=False)
    whole = {
        column.name: column.type_name.capitalize()
        for column in list_columns(descriptor)
        if column.is_optional and column.type_name in ("int32", "int64") and not column.is_list
    }
    return frame.astype(whole)


def to_polars(rows: Iterable[Any], descriptor: Descriptor) -> pl.DataFrame:
    """The same as a DataFrame of polars. Raises MissingLibraryError without polars or pyarrow."""
    polars = _import_library("polars")
    frame: pl.DataFrame = polars.from_arrow(to_arrow(rows, descriptor))
    return frame


@cache
def list_columns(descriptor: Descriptor) -> tuple[FrameColumn, ...]:
    """The columns of the table of a message."""
    if descriptor is Exchange.DESCRIPTOR:
        return tuple(_list_exchange_columns())
    return tuple(
        column for field in descriptor.fields for column in _list_field_columns(field, field.name)
    )


def _list_exchange_columns() -> Iterator[FrameColumn]:
    """Id and state, then the revision, the fields of its content without a prefix."""
    fields = Exchange.DESCRIPTOR.fields_by_name
    for name in ("exchange_id", "state"):
        yield from _list_field_columns(fields[name], name)
    for field in Revision.DESCRIPTOR.fields:
        name = "" if field.name == "content" else field.name
        for column in _list_field_columns(field, name):
            yield FrameColumn(
                column.name,
                column.type_name,
                _read_within(_find_content_revision, column.read),
                column.is_list,
                column.parts,
                is_optional=True,
            )


def _find_content_revision(exchange: Exchange) -> Revision | None:
    """The last revision with a content; None where too long ones are left out."""
    with_content = (each for each in reversed(exchange.revisions) if each.HasField("content"))
    return next(with_content, None)


def _list_field_columns(field: FieldDescriptor, name: str) -> Iterator[FrameColumn]:
    """The columns of a field: one, or those of the message in it, with `name_` before theirs."""
    message, optional = field.message_type, field.has_presence
    if message is None:
        enum = field.enum_type
        convert = None if enum is None else read_enum_word(enum)
        type_name = _SCALARS[field.type] if enum is None else "string"
        read = _read_field(field, convert)
        yield FrameColumn(name, type_name, read, field.is_repeated, is_optional=optional)
    elif message in _VALUES:
        type_name, convert = _VALUES[message]
        yield FrameColumn(name, type_name, _read_field(field, convert), field.is_repeated)
    elif any(not each.fields[0].has_presence or len(each.fields) > 1 for each in message.oneofs):
        yield FrameColumn(name, "string", _read_field(field, MessageToJson), field.is_repeated)
    elif field.is_repeated:
        parts = list_columns(message)
        yield FrameColumn(name, "structure", _read_field(field, _read_parts(parts)), True, parts)
    else:
        inside = _read_field(field, None)
        for column in list_columns(message):
            full_name = f"{name}_{column.name}" if name else column.name
            read = _read_within(inside, column.read)
            yield FrameColumn(
                full_name, column.type_name, read, column.is_list, column.parts, is_optional=True
            )


def _read_field(field: FieldDescriptor, convert: Read | None) -> Read:
    name = field.name
    if field.is_repeated:
        return lambda message: (
            list(map(convert, getattr(message, name))) if convert else list(getattr(message, name))
        )
    if field.has_presence:
        return lambda message: _convert(convert, message, name) if message.HasField(name) else None
    return lambda message: _convert(convert, message, name)


def _convert(convert: Read | None, message: Any, name: str) -> Any:
    value = getattr(message, name)
    return value if convert is None else convert(value)


def _read_within(outer: Read, inner: Read) -> Read:
    def read(message: Any) -> Any:
        found = outer(message)
        return None if found is None else inner(found)

    return read


def _read_parts(parts: tuple[FrameColumn, ...]) -> Read:
    return lambda message: {part.name: part.read(message) for part in parts}


def to_day(value: Date) -> date:
    """The same day as Python has it."""
    return date(value.year, value.month, value.day)


def _to_text(value: Text) -> str | None:
    return value.plain if value.WhichOneof("content") == "plain" else None


_VALUES: Final[Mapping[Descriptor, tuple[str, Read]]] = {
    Date.DESCRIPTOR: ("date", to_day),
    Timestamp.DESCRIPTOR: ("time", lambda value: value.ToDatetime(UTC)),
    Text.DESCRIPTOR: ("string", _to_text),
}
"""Messages that are one value: its type and converter."""


def _arrow_type(arrow: Any, column: FrameColumn) -> Any:
    match column.type_name:
        case "date":
            item = arrow.date32()
        case "time":
            item = arrow.timestamp("us", "UTC")
        case "structure":
            item = arrow.struct([(part.name, _arrow_type(arrow, part)) for part in column.parts])
        case name:
            item = getattr(arrow, name)()
    return arrow.list_(item) if column.is_list else item


def _import_library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingLibraryError(name) from error
