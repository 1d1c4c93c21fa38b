"""Describes the changes of an import and the doubts to confirm before it records them."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.query_service_pb2 import Exchange
from mutua.v1.types_pb2 import OccurPrecision
from services.ledger.wording import format_count
from services.notation.exchange_cells import format_content_cells, format_time_cell

MAX_LISTED_ROWS: Final = 10
"""Maximum number of rows of a kind that a report lists; it counts the others."""
_COMPARED: Final = 1_000


# decision 0121: an import merges field by field
@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A row that changes an exchange or organization: the cells before and after it, by field.

    `is_moved` is true when the parties or the time change. `row` is the line of the file. For a row
    of a roster `reference` is the organization's id, and `exchange_id` is empty.
    """

    row: int
    reference: str
    exchange_id: str
    before: dict[str, str]
    after: dict[str, str]
    is_moved: bool = False

    def format_lines(self) -> Iterator[str]:
        """Such as "giver: Ashcombe -> Oakdale"."""
        for field in self.after:
            yield f"{field}: {self.before[field] or 'empty'} -> {self.after[field] or 'empty'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """A row that records an exchange: its cells by field, as an import would read them back."""

    row: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A question to confirm before an import records.

    `option` names the field of `ImportOptions` that confirms it beforehand. `statement` has the
    finding, `remedy` the options for either answer. `question` is a question for yes or no.
    `changes` are shown between statement and remedy.
    """

    option: str
    statement: str
    remedy: str
    question: str
    changes: tuple[RowChange, ...] = ()

    def format_changes(self) -> Iterator[str]:
        """The changes, one line each."""
        for change in self.changes:
            where = f"line {change.row:,}" if change.row else "earlier"
            reference = f" ({change.reference})" if change.reference else ""
            yield f"  {where}{reference}: {'; '.join(change.format_lines())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRetraction:
    """An exchange that somebody retracted by hand, so that it stays retracted.

    `row` is the line of its row in the file, 0 for none. `what` describes the exchange, `reason` is
    the reason of the retraction.
    """

    row: int
    reference: str
    exchange_id: str
    what: str
    reason: str


def make_hand_retraction(exchange: Exchange, *, row: int, reference: str) -> HandRetraction:
    last = [revision for revision in exchange.revisions if revision.HasField("content")][-1]
    cells = format_exchange_cells(last.content, last.occur_time, last.occur_precision)
    parties = cells["parties"] or f"{cells['giver']} -> {cells['receiver']}"
    return HandRetraction(
        row=row,
        reference=reference,
        exchange_id=exchange.exchange_id,
        what=f"{parties}, {cells['kind']}, {cells['occur_time']}",
        reason=exchange.revisions[-1].reason.plain,
    )


def format_exchange_cells(
    content: ExchangeContent, at: Timestamp, precision: OccurPrecision.ValueType
) -> dict[str, str]:
    """The cells of an exchange, by field of a file."""
    return {"occur_time": format_time_cell(at, precision), **format_content_cells(content)}


def make_new_row(row: int, event: Event) -> NewRow:
    content = event.exchange_recorded.exchange
    cells = format_exchange_cells(content, event.occur_time, event.occur_precision)
    return NewRow(row=row, cells={field: text for field, text in cells.items() if text})


def compare_cells(
    row: int,
    reference: str,
    exchange_id: str,
    before: dict[str, str],
    after: dict[str, str],
    *,
    is_moved: bool,
) -> RowChange:
    """Builds the change from the fields that differ."""
    fields = [field for field in after if after[field] != before[field]]
    return RowChange(
        row=row,
        reference=reference,
        exchange_id=exchange_id,
        before={field: before[field] for field in fields},
        after={field: after[field] for field in fields},
        is_moved=is_moved,
    )


def make_change_doubt(
    changes: Sequence[RowChange], *, corrected: int, moved: int, rows: int, batch: str
) -> Doubt | None:
    """Asks about rows that change parties or times, or about changes in most rows.

    Such a file may be of another sender or another year, under a batch name that was used before.
    """
    if not moved and corrected * 2 <= rows:
        return None
    if moved:
        change = "changes" if moved == 1 else "change"
        statement = (
            f"{moved:,} of {format_count(rows, 'row')} {change} the parties or the date of "
            "what batch "
            f"{batch} recorded:"
        )
    else:
        statement = (
            f"{corrected:,} of {format_count(rows, 'row')} "
            f"{'changes' if corrected == 1 else 'change'} "
            f"what batch {batch} recorded:"
        )
    first_changes = sorted(changes, key=lambda change: not change.is_moved)[:MAX_LISTED_ROWS]
    return Doubt(
        option="accept_changes",
        statement=statement,
        remedy="If this is another file, give it a batch of its own: --batch OTHER. If these rows "
        "really changed, say --accept-changes.",
        question="Record these changes?",
        changes=tuple(first_changes),
    )


def make_replacement_doubt(
    new: Iterable[tuple[int, Event]], missing: Iterable[Exchange], *, count: int, batch: str
) -> Doubt:
    """Asks about a file without references that lacks as many rows as it adds.

    Somebody may have edited these rows. Each of the first new rows is listed with the missing
    exchange that resembles it most.
    """
    old_cells = [
        (
            each.exchange_id,
            format_exchange_cells(last.content, last.occur_time, last.occur_precision),
        )
        for each in islice(missing, _COMPARED)
        for last in each.revisions[-1:]
    ]
    pairs = []
    for line, event in islice(new, MAX_LISTED_ROWS):
        content = event.exchange_recorded.exchange
        after = format_exchange_cells(content, event.occur_time, event.occur_precision)
        if not old_cells:
            break
        exchange_id, before = max(old_cells, key=lambda each: _likeness(each[1], after))
        old_cells.remove((exchange_id, before))
        pairs.append(compare_cells(line, "", exchange_id, before, after, is_moved=False))
    return Doubt(
        option="accept_missing",
        statement=(
            f"{format_count(count, 'row', 'is')} new, and as many of an earlier file of "
            f"batch {batch} "
            "are missing: the file has no reference column, so these may be edited rows. The most "
            "similar pairs are:"
        ),
        remedy="If the rows are new, say --accept-missing: what is missing stays as it is. If they "
        f"were edited, take the batch back and import it anew: mutua import undo "
        f"{shlex.quote(batch)}. `--map reference=COLUMN` names a column that identifies "
        "edited rows.",
        question="Record the new rows in addition to the old ones?",
        changes=tuple(pairs),
    )


def _likeness(one: dict[str, str], other: dict[str, str]) -> int:
    return sum(one[field] == other[field] for field in one)
