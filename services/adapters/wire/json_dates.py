"""Dates of facts that people edit: YYYY-MM-DD in JSON, whatever protobuf writes for a `Date`."""

from collections.abc import Callable
from datetime import date
from typing import Any

from google.protobuf.descriptor import Descriptor

from mutua.v1.types_pb2 import Date
from services.adapters.wire.json_form import to_iso


def with_text_dates(document: Any, descriptor: Descriptor) -> Any:
    """Proto JSON of a message with its dates as text."""
    return _with_dates(document, descriptor, lambda value: to_iso(Date(**value)))


def with_message_dates(document: Any, descriptor: Descriptor) -> Any:
    """Proto JSON as protobuf reads it. Raises ValueError for a text that is no date.

    Dates that are objects already, as mutua wrote them before, stay as they are.
    """
    return _with_dates(document, descriptor, _to_message)


def _to_message(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    day = date.fromisoformat(value)
    return {"year": day.year, "month": day.month, "day": day.day}


def _with_dates(document: Any, descriptor: Descriptor, change: Callable[[Any], Any]) -> Any:
    """The document with `change` made to the value of every field that is a `Date`."""
    if isinstance(document, list):
        return [_with_dates(each, descriptor, change) for each in document]
    if not isinstance(document, dict):
        return document
    changed = dict(document)
    for field in descriptor.fields:
        if field.message_type is None or field.name not in document:
            continue
        value = document[field.name]
        is_date = field.message_type is Date.DESCRIPTOR
        changed[field.name] = (
            change(value) if is_date else _with_dates(value, field.message_type, change)
        )
    return changed
