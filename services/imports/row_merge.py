"""A row, what its batch said before, and what people corrected since: merged field by field.

The base of a field is the value that the batch last had. A field that the row leaves as it was
keeps its current value; a field that nobody else changed takes the value of the row; a field that
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
"""By field of ExchangeContent, and OCCUR_TIME; None where nothing is said."""


class MergeConflict(NamedTuple):
    """A field that the file and a correction by hand both changed; `base` is what it was before."""

    field: str
    base: str
    current: str
    row_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMerge:
    """What becomes of an exchange.

    `changed_fields` take the value of the row, `kept_fields` keep a value that differs from the
    file's, `conflicts` must be settled by people. `has_agreed`: the row now has the value of an
    earlier correction by hand. `is_moved`: parties or time change. `is_bound`: only the ids of the
    same parties change. `has_new_report_time`: the row has another report time.
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
        """Whether the exchange becomes another one."""
        return bool(self.changed_fields) or self.has_new_report_time


# decision 0121: an import merges field by field
def merge_row(
    said: Event,
    revisions: Sequence[Revision],
    fields: Iterable[str],
    *,
    is_ours: Callable[[Revision], bool],
    resolve: Callable[[str], str],
) -> RowMerge:
    """Merges a row into the revisions of its exchange.

    `fields` are the fields of ExchangeContent that the file has; others keep their value. `resolve`
    returns the organization of an id: a name that was bound since is no change of the row, but the
    binding is recorded where nobody corrected the field.
    """
    if _is_all_that_was_said(said, revisions):
        return RowMerge()
    row, standing = extract_event_values(said), extract_revision_values(revisions[-1])
    base = standing if len(revisions) == 1 else _last_said(revisions, is_ours)
    spoken_of = {OCCUR_TIME, *fields}
    changed, kept, conflicts = [], [], []
    agrees = is_moved = False
    for field in standing:
        now, before, there = (
            _organizations_or_value(field, each, resolve) for each in (row, base, standing)
        )
        if field not in spoken_of or (now == before and base[field] != standing[field]):
            kept += [field] if before != there else []
        elif now == there and before != there:
            agrees = True
        elif before != there:
            conflicts.append(field)
        elif row[field] != standing[field]:
            changed.append(field)
            is_moved |= (field in PARTY_COLUMN_BY_FIELD or field == OCCUR_TIME) and now != there
    reports_anew = said.HasField("report_time") and said.report_time != find_report_time(revisions)
    bound = all(
        _organizations_or_value(each, row, resolve) == _organizations_or_value(each, base, resolve)
        for each in changed
    )
    return RowMerge(
        changed_fields=tuple(changed),
        kept_fields=tuple(kept),
        conflicts=tuple(_conflicts(conflicts, base, standing, row)),
        has_agreed=agrees,
        is_moved=is_moved,
        is_bound=bool(changed) and bound and not reports_anew,
        has_new_report_time=reports_anew,
    )


def format_kept_mark(fields: Iterable[str]) -> str:
    """The mark in the reference of a correction for fields that differ from its row.

    It has their numbers in ExchangeContent, and 0 for OCCUR_TIME.
    """
    numbers = sorted(_NUMBERS[field] for field in fields)
    return f" [kept {','.join(map(str, numbers))}]" if numbers else ""


def merge_content(said: Event, current: Revision, changed: Iterable[str]) -> ExchangeContent:
    """The current content with the changed fields of the row."""
    fields = {*changed} - {OCCUR_TIME}
    row = ExchangeContent()
    row.CopyFrom(said.exchange_recorded.exchange)
    others = {*ExchangeContent.DESCRIPTOR.fields_by_name} - fields
    return overlay(current.content, copy_without(row, others), fields)


def extract_event_values(said: Event) -> dict[str, Any]:
    return _values(said.exchange_recorded.exchange, said.occur_time, said.occur_precision)


def extract_revision_values(revision: Revision) -> dict[str, Any]:
    return _values(revision.content, revision.occur_time, revision.occur_precision)


def find_report_time(revisions: Sequence[Revision]) -> Timestamp | None:
    """The latest report time of an exchange; a correction need not have one."""
    reported = [revision.report_time for revision in revisions if revision.HasField("report_time")]
    return reported[-1] if reported else None


def _is_all_that_was_said(said: Event, revisions: Sequence[Revision]) -> bool:
    """The usual case, recognized at a tenth of the cost: recorded once, by an equal row."""
    first = revisions[0]
    return (
        len(revisions) == 1
        and said.occur_time == first.occur_time
        and said.occur_precision == (first.occur_precision or OCCUR_PRECISION_EXACT)
        and said.exchange_recorded.exchange == first.content
        and (not said.HasField("report_time") or said.report_time == first.report_time)
    )


def _last_said(revisions: Sequence[Revision], is_ours: Callable[[Revision], bool]) -> FieldValues:
    """The latest value of each field that a row of the batch had."""
    said: FieldValues = extract_revision_values(revisions[0])
    for revision in revisions[1:]:
        if is_ours(revision):
            mark = _KEPT_MARK.search(revision.source.reference)
            kept_numbers = {*map(int, mark["numbers"].split(","))} if mark else set()
            said = {
                field: said[field] if _NUMBERS[field] in kept_numbers else value
                for field, value in extract_revision_values(revision).items()
            }
    return said


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
    fields: Iterable[str], base: FieldValues, standing: FieldValues, row: FieldValues
) -> Iterator[MergeConflict]:
    for field in fields:
        texts = (_text(field, values[field]) for values in (base, standing, row))
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
