"""The check behind every number: the log folded anew, compared with every table."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from services.adapters.sql_store.loading import load_dictionary
from services.adapters.sql_store.reading import SqlSnapshot
from services.adapters.sql_store.rows import Row, insertions
from services.adapters.sqlite_log import SqliteLog
from services.adapters.sqlite_store import SqliteStore
from services.adapters.tables import (
    ExchangeRow,
    FactRow,
    PartyRow,
    PositionRow,
    ProgrammeRow,
    ReadModel,
    TopicRow,
)
from services.adapters.wire.event import read_record
from services.ledger.changes import Changes, project
from services.ledger.facts import Logged
from services.ledger.ports import Held, Record
from services.ledger.state import Ledger
from services.projector.embedded import why_held
from services.projector.slab import mark

_PAGE: Final = 10_000
_SHOWN: Final = 20
"""Differences told one by one; the others are counted."""

Tables = dict[type[ReadModel], list[Row]]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """`fact_count` facts were folded; `differences` are sentences, [] when all is as it must be.

    `beyond_count` records of the log were not projected yet, and so not compared; `held` says why
    they cannot be, "" when they can.
    """

    fact_count: int
    differences: list[str]
    beyond_count: int = 0
    held: str = ""

    @property
    def ok(self) -> bool:
        return not self.differences


def verify(log: SqliteLog, store: SqliteStore) -> VerifyReport:
    """Compares at the position of one snapshot of the read models; needs no lock."""
    with store.snapshot(log.number) as snapshot:
        end = snapshot.position()
        differences = _check_log(log)
        records = _read(log, end)
        if len(records) < end:
            differences.append(
                f"log: ends at {len(records):,}, but {end:,} facts were projected; it was cut"
            )
        try:
            expected = _expected(log.log_id, records, snapshot)
        except Held as held:
            return VerifyReport(0, [*differences, f"log: {held}, it was projected by a newer one"])
        for model in ReadModel.__subclasses__():
            actual = [tuple(row) for row in snapshot.rows(select(model.table()))]
            differences += _compare(model, expected.get(model, []), actual)
    facts = len(expected.get(FactRow, []))
    return VerifyReport(facts, differences, max(0, log.end() - end), why_held(log, end))


def _check_log(log: SqliteLog) -> list[str]:
    """Whether every record is as it was written and none is missing."""
    damaged, gap = log.damage()
    found = [f"log: the record at offset {offset:,} is damaged" for offset in damaged[:_SHOWN]]
    if len(damaged) > _SHOWN:
        found.append(f"log: {len(damaged) - _SHOWN:,} more records are damaged")
    if gap is not None:
        found.append(f"log: the record at offset {gap:,} is missing")
    return found


def _read(log: SqliteLog, end: int) -> list[Record]:
    records: list[Record] = []
    while len(records) < end:
        page = log.read(len(records), min(_PAGE, end - len(records)))
        if not page:
            break
        records += page
    return records


def _expected(log_id: str, records: list[Record], snapshot: SqlSnapshot) -> Tables:
    """The rows that the tables must hold, made from nothing but the log.

    Which number stands for which name is the tables' own affair; that each stands for one is not.
    """
    programme = ProgrammeRow.table().c
    programmes = dict(snapshot.rows(select(programme.programme_id, programme.programme)))
    by_programme: dict[str, list[Logged]] = defaultdict(list)
    for record in records:
        by_programme[record.programme_id].append(
            read_record(record.offset, record.record_time, record.programme_id, record.value)
        )
    tables: Tables = defaultdict(list)
    if records:
        last = mark(log_id, 0, records[-1])
        tables[PositionRow] = [
            (last.partition, last.log_id, last.next_offset, last.record_time, last.digest)
        ]
    for programme_id, facts in by_programme.items():
        changes = project(programme_id, Ledger(), facts)
        number = programmes.get(programme_id, -1)
        dictionary = load_dictionary(snapshot.connection, number)
        rows = insertions(dictionary, changes)
        rows[ProgrammeRow] = [(number, programme_id, 0, changes.last_offset)]
        rows[PartyRow] = [
            (number, dictionary.party.numbers[each], each) for each in _parties(changes)
        ]
        rows[TopicRow] = [
            (number, dictionary.topic_set.numbers[topics], topic)
            for topics in {revision.exchange.topics for _, revision in changes.journal.revisions}
            for topic in topics
        ]
        fallen = {(number, revision): at for number, revision, at in changes.fallen}
        rows[ExchangeRow] = [_closed(row, fallen) for row in rows[ExchangeRow]]
        for model, added in rows.items():
            tables[model] += added
    return tables


def _parties(changes: Changes) -> set[str]:
    """Every organization id that rows say by number."""
    found: set[str] = set()
    for _, revision in changes.journal.revisions:
        found.update(revision.exchange.everybody())
        found.add(revision.said.recorded_by)
    return found - {""}


_TO_OFFSET: Final = list(ExchangeRow.model_fields).index("to_offset")


def _closed(row: Row, fallen: dict[tuple[int, int], int]) -> Row:
    """An exchange row as it is after its revision ceased to be current."""
    at = fallen.get((row[1], row[2]))
    return row if at is None else (*row[:_TO_OFFSET], at, *row[_TO_OFFSET + 1 :])


def _compare(model: type[ReadModel], expected: list[Row], actual: list[Row]) -> list[str]:
    name = model.__tablename__
    must, has = Counter(map(_plain, expected)), Counter(map(_plain, actual))
    found = [f"{name}: lacks {_show(model, row)}" for row in must - has]
    found += [f"{name}: has, against the log, {_show(model, row)}" for row in has - must]
    if len(found) > _SHOWN:
        found = [*found[:_SHOWN], f"{name}: {len(found) - _SHOWN:,} more differences"]
    return found


def _plain(row: Row) -> Row:
    """Booleans and enumerations as the integers that SQL gives back."""
    return tuple(int(value) if isinstance(value, int) else value for value in row)


def _show(model: type[ReadModel], row: Row) -> str:
    named: dict[str, Any] = dict(zip(model.model_fields, row, strict=True))
    return ", ".join(
        f"{name}={value!r}" for name, value in named.items() if not isinstance(value, bytes)
    )
