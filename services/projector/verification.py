"""Verification: folds the log again and compares the result with every table."""

from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from sqlalchemy import Select, between, not_, select

from services.adapters.sql_store.ledger_loader import load_dictionary
from services.adapters.sql_store.slab_rows import Row, make_slab_rows
from services.adapters.sql_store.snapshot import SqlSnapshot
from services.adapters.sql_store.tables import (
    ExchangeRow,
    FactRow,
    PartyRow,
    PositionRow,
    ProgrammeRow,
    ReadModelRow,
    TopicRow,
)
from services.adapters.wire.event import read_record
from services.ledger.changes import ProgrammeChanges, project_records
from services.ledger.errors import UnknownFactKindError
from services.ledger.facts import LoggedRecord
from services.ledger.ports import Partition
from services.ledger.record_times import make_monotonic
from services.ledger.records import Record
from services.ledger.state import Ledger
from services.ledger.wording import format_count
from services.projector.watermarks import find_hold_reason, make_watermark

_PAGE_RECORDS: Final = 10_000
_MAX_LISTED: Final = 20
"""Maximum number of differences that are listed; further ones are only counted."""

TableRows = dict[type[ReadModelRow], list[Row]]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result of a verification.

    `fact_count` is the number of facts folded. `differences` are sentences, [] if the tables are
    right. `unprojected_count` is the number of records that are not projected yet, which were not
    compared. `hold_reason` says why they cannot be projected, "" if they can.
    """

    fact_count: int
    differences: list[str]
    unprojected_count: int = 0
    hold_reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.differences


class SqlStore(Protocol):
    """Read models in tables."""

    def open_snapshot(self, partition: int) -> AbstractContextManager[SqlSnapshot]: ...


VerifyProgress = Callable[[str, int, int], None]
"""Called with a description ("facts folded"), the number done, and the total."""


def ignore_progress(what: str, done: int, total: int) -> None:
    """Discards progress."""


# decision 0125: the core is pure
def verify(
    log: Partition,
    store: SqlStore,
    *,
    partition_count: int = 1,
    progress: VerifyProgress = ignore_progress,
) -> VerifyReport:
    """Compares one of `partition_count` partitions at the position of one snapshot.

    It takes no lock. Rows that belong to no partition of the log are reported for partition 0.
    """
    with store.open_snapshot(log.number) as snapshot:
        end = snapshot.read_next_offset()
        differences = _describe_damage(log) if isinstance(log, _DamageCheckable) else []
        records = _read_records(log, end)
        if len(records) < end:
            differences.append(
                f"log: ends at {len(records):,}, but {format_count(end, 'fact', 'was')} projected; "
                "it was cut"
            )
        try:
            expected = _make_expected_rows(log, records, snapshot, progress)
        except UnknownFactKindError as error:
            return VerifyReport(0, [*differences, f"log: {error}; a newer mutua projected it"])
        models = ReadModelRow.__subclasses__()
        for number, model in enumerate(models, start=1):
            rows = snapshot.fetch_all(_select_partition(model, log.number, partition_count))
            actual = [tuple(row) for row in rows]
            differences += _compare(model, expected.get(model, []), actual)
            progress("tables compared", number, len(models))
    facts = len(expected.get(FactRow, []))
    return VerifyReport(facts, differences, max(0, log.end() - end), find_hold_reason(log, end))


@runtime_checkable
class _DamageCheckable(Protocol):
    """A log that detects damaged and missing records. Kafka does so itself."""

    def find_damage(self) -> tuple[list[int], int | None]: ...


def _select_partition(
    model: type[ReadModelRow], partition: int, partition_count: int
) -> Select[Any]:
    """Selects the rows of a partition; partition 0 includes rows that belong to no partition."""
    table, programme = model.table(), ProgrammeRow.table().c

    def is_in_partition(column: Any) -> Any:
        return column == partition if partition else not_(between(column, 1, partition_count - 1))

    if "partition" in table.c:
        return select(table).where(is_in_partition(table.c.partition))
    if partition == 0:
        other_programmes = select(programme.programme).where(
            not_(is_in_partition(programme.partition))
        )
        return select(table).where(table.c.programme.not_in(other_programmes))
    own_programmes = select(programme.programme).where(is_in_partition(programme.partition))
    return select(table).where(table.c.programme.in_(own_programmes))


def _describe_damage(log: _DamageCheckable) -> list[str]:
    """Describes damaged and missing records."""
    damaged, gap = log.find_damage()
    differences = [
        f"log: the record at offset {offset:,} is damaged" for offset in damaged[:_MAX_LISTED]
    ]
    if len(damaged) > _MAX_LISTED:
        differences.append(
            f"log: {format_count(len(damaged) - _MAX_LISTED, 'more record', 'is')} damaged"
        )
    if gap is not None:
        differences.append(f"log: the record at offset {gap:,} is missing")
    return differences


def _read_records(log: Partition, end: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < end:
        page = log.read(len(records), min(_PAGE_RECORDS, end - len(records)))
        if not page:
            break
        records += page
    return list(make_monotonic(records))


def _make_expected_rows(
    log: Partition, records: list[Record], snapshot: SqlSnapshot, progress: VerifyProgress
) -> TableRows:
    """Makes the rows that the tables must hold from the log alone.

    Only the numbers of names are taken from the tables, because any numbering is right.
    """
    programme = ProgrammeRow.table().c
    programmes = dict(snapshot.fetch_all(select(programme.programme_id, programme.programme)))
    by_programme: dict[str, list[LoggedRecord]] = defaultdict(list)
    for number, record in enumerate(records):
        if number % _PAGE_RECORDS == 0:
            progress("facts folded", number, len(records))
        by_programme[record.programme_id].append(
            read_record(record.offset, record.record_time, record.programme_id, record.value)
        )
    tables: TableRows = defaultdict(list)
    if records:
        last = make_watermark(log.log_id, log.number, records[-1])
        tables[PositionRow] = [
            (last.partition, last.log_id, last.next_offset, last.record_time, last.digest)
        ]
    for programme_id, facts in by_programme.items():
        changes = project_records(programme_id, Ledger(), facts)
        number = programmes.get(programme_id, -1)
        dictionary = load_dictionary(snapshot.connection, number)
        rows = make_slab_rows(dictionary, changes)
        rows[ProgrammeRow] = [(number, programme_id, log.number, changes.last_offset)]
        rows[PartyRow] = [
            (number, dictionary.parties.numbers[party_id], party_id)
            for party_id in _party_ids(changes)
        ]
        rows[TopicRow] = [
            (number, dictionary.topic_sets.numbers[topics], topic)
            for topics in {revision.exchange.topics for _, revision in changes.journal.revisions}
            for topic in topics
        ]
        superseded_offsets = {
            (number, revision): offset for number, revision, offset in changes.superseded_revisions
        }
        rows[ExchangeRow] = [_close(row, superseded_offsets) for row in rows[ExchangeRow]]
        for model, added in rows.items():
            tables[model] += added
    return tables


def _party_ids(changes: ProgrammeChanges) -> set[str]:
    """Returns every organization id that the rows refer to by number."""
    party_ids: set[str] = set()
    for _, revision in changes.journal.revisions:
        party_ids.update(revision.exchange.list_party_ids())
        party_ids.add(revision.content_event.recorded_by)
    return party_ids - {""}


_TO_OFFSET: Final = list(ExchangeRow.model_fields).index("to_offset")


def _close(row: Row, superseded_offsets: dict[tuple[int, int], int]) -> Row:
    """Returns an exchange row with the offset at which its revision was superseded."""
    offset = superseded_offsets.get((row[1], row[2]))
    return row if offset is None else (*row[:_TO_OFFSET], offset, *row[_TO_OFFSET + 1 :])


def _compare(model: type[ReadModelRow], expected: list[Row], actual: list[Row]) -> list[str]:
    name = model.__tablename__
    expected_rows, actual_rows = (
        Counter(map(_to_integers, expected)),
        Counter(map(_to_integers, actual)),
    )
    differences = [
        f"{name}: lacks {_format_row(model, row)}" for row in expected_rows - actual_rows
    ]
    differences += [
        f"{name}: has, against the log, {_format_row(model, row)}"
        for row in actual_rows - expected_rows
    ]
    if len(differences) > _MAX_LISTED:
        differences = [
            *differences[:_MAX_LISTED],
            f"{name}: {format_count(len(differences) - _MAX_LISTED, 'more difference')}",
        ]
    return differences


def _to_integers(row: Row) -> Row:
    """Converts booleans and enumerations to integers, as SQL returns them."""
    return tuple(int(value) if isinstance(value, int) else value for value in row)


def _format_row(model: type[ReadModelRow], row: Row) -> str:
    values: dict[str, Any] = dict(zip(model.model_fields, row, strict=True))
    return ", ".join(
        f"{name}={value!r}" for name, value in values.items() if not isinstance(value, bytes)
    )
