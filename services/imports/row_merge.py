"""Merges a row, its last import and corrections by hand, field by field.

The base of a field is the value that the batch last had. A field that the row leaves unchanged
keeps its current value. A field that nobody else changed takes the value of the row. A field that
both changed to different values is a conflict, which people must settle.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.query_service_pb2 import Revision
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT
from services.imports.row_checker import copy_without, overlay
from services.notation.exchange_cells import (
    PARTY_COLUMN_BY_FIELD,
    format_content_cells,
    format_time_cell,
)

OCCUR_TIME: Final = "occur_time"
"""Time and precision of an occurrence are one field: neither means anything without the other."""

_NUMBERS: Final = {OCCUR_TIME: 0} | {
    field.name: field.number for field in ExchangeContent.DESCRIPTOR.fields
}
_KEPT_MARK = re.compile(r" \[kept (?P<numbers>[0-9,]+)\]$")

FieldValues = Mapping[str, Any]
"""Values by field of ExchangeContent, and of OCCUR_TIME; None for an absent value."""


class MergeConflict(NamedTuple):
    """A field that the file and a correction by hand both changed from `base`."""

    field: str
    base: str
    current: str
    row_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMerge:
    """The changes that a row makes to its exchange.

    `changed_fields` take the value of the row. `kept_fields` keep a value that differs from the
    file's. `conflicts` must be settled by people. `has_agreed` is true when the row now has the
    value of an earlier correction by hand, `is_moved` when parties or time change, `is_bound` when
    only the ids of the same parties change, `has_new_report_time` when the row has another report
    time.
    """

    changed_fields: tuple[str, ...] = ()
    kept_fields: tuple[str, ...] = ()
    conflicts: tuple[MergeConflict, ...] = ()
    has_agreed: bool = False
    is_moved: bool = False
    is_bound: bool = False
    has_new_report_time: bool = False

    @property
    def has_changes(self) -> bool:
        """Whether the exchange gets a new revision."""
        return bool(self.changed_fields) or self.has_new_report_time


# decision 0121: an import merges field by field
def merge_row(
    row_event: Event,
    revisions: Sequence[Revision],
    fields: Iterable[str],
    *,
    is_ours: Callable[[Revision], bool],
    resolve: Callable[[str], str],
) -> RowMerge:
    """Merges a row into the revisions of its exchange.

    `fields` are the fields of ExchangeContent that the file has; others keep their value. `resolve`
    maps an id to its organization. A name that was bound to an organization since the last import
    is no change of the row, but its id is recorded if nobody corrected the field.
    """
    if _is_recorded_unchanged(row_event, revisions):
        return RowMerge()
    row, current = extract_event_values(row_event), extract_revision_values(revisions[-1])
    base = current if len(revisions) == 1 else _last_row_values(revisions, is_ours)
    merged_fields = {OCCUR_TIME, *fields}
    changed_fields, kept_fields, conflicts = [], [], []
    has_agreed = is_moved = False
    for field in current:
        row_value, base_value, current_value = (
            _organizations_or_value(field, each, resolve) for each in (row, base, current)
        )
        if field not in merged_fields or (
            row_value == base_value and base[field] != current[field]
        ):
            kept_fields += [field] if base_value != current_value else []
        elif row_value == current_value and base_value != current_value:
            has_agreed = True
        elif base_value != current_value:
            conflicts.append(field)
        elif row[field] != current[field]:
            changed_fields.append(field)
            is_moved |= (
                field in PARTY_COLUMN_BY_FIELD or field == OCCUR_TIME
            ) and row_value != current_value
    last_report_time = find_report_time(revisions)
    has_new_report_time = (
        row_event.HasField("report_time") and row_event.report_time != last_report_time
    )
    is_bound = all(
        _organizations_or_value(each, row, resolve) == _organizations_or_value(each, base, resolve)
        for each in changed_fields
    )
    return RowMerge(
        changed_fields=tuple(changed_fields),
        kept_fields=tuple(kept_fields),
        conflicts=tuple(_conflicts(conflicts, base, current, row)),
        has_agreed=has_agreed,
        is_moved=is_moved,
        is_bound=bool(changed_fields) and is_bound and not has_new_report_time,
        has_new_report_time=has_new_report_time,
    )


def format_kept_mark(fields: Iterable[str]) -> str:
    """The mark in the reference of a correction for fields that differ from its row.

    It lists their numbers in ExchangeContent, and 0 for OCCUR_TIME.
    """
    numbers = sorted(_NUMBERS[field] for field in fields)
    return f" [kept {','.join(map(str, numbers))}]" if numbers else ""


def merge_content(row_event: Event, current: Revision, changed: Iterable[str]) -> ExchangeContent:
    """The current content with the changed fields of the row."""
    fields = {*changed} - {OCCUR_TIME}
    row = ExchangeContent()
    row.CopyFrom(row_event.exchange_recorded.exchange)
    others = {*ExchangeContent.DESCRIPTOR.fields_by_name} - fields
    return overlay(current.content, copy_without(row, others), fields)


def extract_event_values(row_event: Event) -> dict[str, Any]:
    return _values(
        row_event.exchange_recorded.exchange, row_event.occur_time, row_event.occur_precision
    )


def extract_revision_values(revision: Revision) -> dict[str, Any]:
    return _values(revision.content, revision.occur_time, revision.occur_precision)


def find_report_time(revisions: Sequence[Revision]) -> Timestamp | None:
    """The latest report time of an exchange; a correction need not have one."""
    reported = [revision.report_time for revision in revisions if revision.HasField("report_time")]
    return reported[-1] if reported else None


def _is_recorded_unchanged(row_event: Event, revisions: Sequence[Revision]) -> bool:
    """Whether an equal row recorded the exchange once: the usual case, checked at low cost."""
    first = revisions[0]
    return (
        len(revisions) == 1
        and row_event.occur_time == first.occur_time
        and row_event.occur_precision == (first.occur_precision or OCCUR_PRECISION_EXACT)
        and row_event.exchange_recorded.exchange == first.content
        and (not row_event.HasField("report_time") or row_event.report_time == first.report_time)
    )


def _last_row_values(
    revisions: Sequence[Revision], is_ours: Callable[[Revision], bool]
) -> FieldValues:
    """The latest value of each field in the rows of the batch."""
    values: FieldValues = extract_revision_values(revisions[0])
    for revision in revisions[1:]:
        if is_ours(revision):
            mark = _KEPT_MARK.search(revision.source.reference)
            kept_numbers = {*map(int, mark["numbers"].split(","))} if mark else set()
            values = {
                field: values[field] if _NUMBERS[field] in kept_numbers else value
                for field, value in extract_revision_values(revision).items()
            }
    return values


def _values(content: ExchangeContent, at: Timestamp, precision: int) -> dict[str, Any]:
    values = {
        field.name: _value(content, field.name, has_presence=field.has_presence)
        for field in ExchangeContent.DESCRIPTOR.fields
    }
    return values | {OCCUR_TIME: (at.seconds, at.nanos, precision or OCCUR_PRECISION_EXACT)}


def _value(content: Message, field: str, *, has_presence: bool) -> Any:
    if has_presence and not content.HasField(field):
        return None
    value = getattr(content, field)
    if isinstance(value, str | int):
        return value
    if has_presence:  # a message: equal when its bytes are
        return value.SerializeToString(deterministic=True)
    return tuple(part if isinstance(part, str) else part.SerializeToString() for part in value)


def _organizations_or_value(field: str, values: FieldValues, resolve: Callable[[str], str]) -> Any:
    """A value to compare: parties as the organizations that they mean."""
    value = values[field]
    return {resolve(each) for each in value} if field in PARTY_COLUMN_BY_FIELD else value


def _conflicts(
    fields: Iterable[str], base: FieldValues, current: FieldValues, row: FieldValues
) -> Iterator[MergeConflict]:
    for field in fields:
        texts = (_text(field, values[field]) for values in (base, current, row))
        yield MergeConflict(PARTY_COLUMN_BY_FIELD.get(field, field), *texts)


def _text(field: str, value: Any) -> str:
    """A value as a cell of a file."""
    if field == OCCUR_TIME:
        seconds, nanos, precision = value
        return format_time_cell(Timestamp(seconds=seconds, nanos=nanos), precision)
    content = ExchangeContent()
    if value is None:
        return ""
    if field == "note":
        content.note.MergeFromString(value)
    elif isinstance(value, tuple):
        getattr(content, field).extend(value)
    else:
        setattr(content, field, value)
    return format_content_cells(content)[PARTY_COLUMN_BY_FIELD.get(field, field)]
