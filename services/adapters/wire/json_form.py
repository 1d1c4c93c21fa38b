"""Answers as JSON: the same over HTTP and on the command line."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.types_pb2 import Date

encode_line: Final = json.JSONEncoder(ensure_ascii=False).encode
"""JSON on one line."""


def to_json(document: Any) -> str:
    """Indented, but for lists of objects in an object: those have a line each.

    The standard library indents in Python, four times as slowly as it encodes a line.
    """
    if not isinstance(document, dict) or not document:
        return encode_line(document)
    fields = (f"{encode_line(name)}: {_indented(value)}" for name, value in document.items())
    text = ",\n".join(fields).replace("\n", "\n  ")
    return f"{{\n  {text}\n}}"


def _indented(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = ",\n  ".join(map(encode_line, value))
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
