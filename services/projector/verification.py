"""The check behind every number: the log folded anew, compared with every table."""

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
from services.projector.embedded_projector import find_hold_reason
from services.projector.slab import make_watermark

_PAGE: Final = 10_000
_SHOWN: Final = 20
"""Differences told one by one; the others are counted."""

TableRows = dict[type[ReadModelRow], list[Row]]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """`fact_count` facts were folded; `differences` are sentences, [] when all is as it must be.

    `unprojected_count` records of the log were not projected yet, and so not compared; `held` says
    why they cannot be, "" when they can.
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
"""Told of what ("facts folded"), how much of how much is done."""


def ignore_progress(what: str, done: int, total: int) -> None:
    """For those whom nobody watches."""


# decision 0125: the core is pure
def verify(
    log: Partition,
    store: SqlStore,
    *,
    partition_count: int = 1,
    progress: VerifyProgress = ignore_progress,
) -> VerifyReport:
    """Compares one partition, of as many as the log has, at the position of one snapshot.

    Needs no lock. Rows that belong to no partition of the log are differences of the first.
    """
    with store.open_snapshot(log.number) as snapshot:
        end = snapshot.read_next_offset()
        differences = _check_log(log) if isinstance(log, _DamageCheckable) else []
        records = _read(log, end)
        if len(records) < end:
            differences.append(
                f"log: ends at {len(records):,}, but {format_count(end, 'fact', 'was')} projected; "
                "it was cut"
            )
        try:
            expected = _expected(log, records, snapshot, progress)
        except UnknownFactKindError as held:
            return VerifyReport(0, [*differences, f"log: {held}, it was projected by a newer one"])
        models = ReadModelRow.__subclasses__()
        for number, model in enumerate(models, start=1):
            rows = snapshot.fetch_all(_of_partition(model, log.number, partition_count))
            actual = [tuple(row) for row in rows]
            differences += _compare(model, expected.get(model, []), actual)
            progress("tables compared", number, len(models))
    facts = len(expected.get(FactRow, []))
    return VerifyReport(facts, differences, max(0, log.end() - end), find_hold_reason(log, end))


@runtime_checkable
class _DamageCheckable(Protocol):
    """A log that can tell which of its records are not as they were written, and which is missing.

    Where the log cannot, whatever keeps it can.
    """

    def find_damage(self) -> tuple[list[int], int | None]: ...


def _of_partition(model: type[ReadModelRow], partition: int, partition_count: int) -> Select[Any]:
    """The rows that are made from a partition; the first also has those that are made from none."""
    table, programme = model.table(), ProgrammeRow.table().c

    def is_there(column: Any) -> Any:
        return column == partition if partition else not_(between(column, 1, partition_count - 1))

    if "partition" in table.c:
        return select(table).where(is_there(table.c.partition))
    if partition == 0:
        elsewhere = select(programme.programme).where(not_(is_there(programme.partition)))
        return select(table).where(table.c.programme.not_in(elsewhere))
    here = select(programme.programme).where(is_there(programme.partition))
    return select(table).where(table.c.programme.in_(here))


def _check_log(log: _DamageCheckable) -> list[str]:
    """Whether every record is as it was written and none is missing."""
    damaged, gap = log.find_damage()
    found = [f"log: the record at offset {offset:,} is damaged" for offset in damaged[:_SHOWN]]
    if len(damaged) > _SHOWN:
        found.append(f"log: {format_count(len(damaged) - _SHOWN, 'more record', 'is')} damaged")
    if gap is not None:
        found.append(f"log: the record at offset {gap:,} is missing")
    return found


def _read(log: Partition, end: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < end:
        page = log.read(len(records), min(_PAGE, end - len(records)))
        if not page:
            break
        records += page
    return list(make_monotonic(records))


def _expected(
    log: Partition, records: list[Record], snapshot: SqlSnapshot, progress: VerifyProgress
) -> TableRows:
    """The rows that the tables must hold, made from nothing but the log.

    Which number stands for which name is the tables' own affair; that each stands for one is not.
    """
    programme = ProgrammeRow.table().c
    programmes = dict(snapshot.fetch_all(select(programme.programme_id, programme.programme)))
    by_programme: dict[str, list[LoggedRecord]] = defaultdict(list)
    for number, record in enumerate(records):
        if number % _PAGE == 0:
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
            (number, dictionary.parties.numbers[each], each) for each in _parties(changes)
        ]
        rows[TopicRow] = [
            (number, dictionary.topic_sets.numbers[topics], topic)
            for topics in {revision.exchange.topics for _, revision in changes.journal.revisions}
            for topic in topics
        ]
        fallen = {(number, revision): at for number, revision, at in changes.superseded_revisions}
        rows[ExchangeRow] = [_closed(row, fallen) for row in rows[ExchangeRow]]
        for model, added in rows.items():
            tables[model] += added
    return tables


def _parties(changes: ProgrammeChanges) -> set[str]:
    """Every organization id that rows say by number."""
    found: set[str] = set()
    for _, revision in changes.journal.revisions:
        found.update(revision.exchange.list_party_ids())
        found.add(revision.content_event.recorded_by)
    return found - {""}


_TO_OFFSET: Final = list(ExchangeRow.model_fields).index("to_offset")


def _closed(row: Row, fallen: dict[tuple[int, int], int]) -> Row:
    """An exchange row as it is after its revision ceased to be current."""
    at = fallen.get((row[1], row[2]))
    return row if at is None else (*row[:_TO_OFFSET], at, *row[_TO_OFFSET + 1 :])


def _compare(model: type[ReadModelRow], expected: list[Row], actual: list[Row]) -> list[str]:
    name = model.__tablename__
    must, has = Counter(map(_plain, expected)), Counter(map(_plain, actual))
    found = [f"{name}: lacks {_show(model, row)}" for row in must - has]
    found += [f"{name}: has, against the log, {_show(model, row)}" for row in has - must]
    if len(found) > _SHOWN:
        found = [*found[:_SHOWN], f"{name}: {format_count(len(found) - _SHOWN, 'more difference')}"]
    return found


def _plain(row: Row) -> Row:
    """Booleans and enumerations as the integers that SQL gives back."""
    return tuple(int(value) if isinstance(value, int) else value for value in row)


def _show(model: type[ReadModelRow], row: Row) -> str:
    named: dict[str, Any] = dict(zip(model.model_fields, row, strict=True))
    return ", ".join(
        f"{name}={value!r}" for name, value in named.items() if not isinstance(value, bytes)
    )
