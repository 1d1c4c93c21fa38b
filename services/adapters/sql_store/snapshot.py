"""One consistent view of the read models, as the query service reads it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, func, select

from services.adapters.sql_store.exchange_list import list_exchanges
from services.adapters.sql_store.flow_reader import FlowReader
from services.adapters.sql_store.packed_columns import NumberReader, read_numbers_as_text
from services.adapters.sql_store.tables import (
    AliasRow,
    BatchRow,
    ExchangeRow,
    FactRow,
    NothingToReportRow,
    PairingRow,
    PositionRow,
    ProgrammeConfigurationRow,
    ProgrammeRow,
    QuarantineRow,
    StatementRow,
    WaitingRow,
)
from services.adapters.wire.event import read_record
from services.ledger.enums import QuarantineCause, RevisionState
from services.ledger.flow_rows import ColumnWatermark, FlowRows
from services.ledger.pairing import PairingChoice, PairingStatement
from services.ledger.programme import ProgrammeConfigured
from services.ledger.records import (
    BoundAlias,
    ExchangeFilter,
    ImportedBatch,
    ProgrammeCounts,
    ReadModelStatus,
    StoredQuarantineRecord,
    StoredRevision,
)
from services.ledger.statements import Statement
from services.ledger.times import Month


class SqlSnapshot:
    """Implements `ports.Snapshot`, for as long as the transaction of its connection.

    Positions are read once, because nothing changes within the transaction.
    """

    read_numbers: NumberReader = staticmethod(read_numbers_as_text)

    def __init__(self, connection: Connection, partition: int) -> None:
        self.connection = connection
        self._partition = partition
        self._next_offset: int | None = None
        self._programmes: dict[str, tuple[int, int]] = {}

    def limit_statement_time(self, seconds: float) -> None:
        """Does nothing, because a statement on a local file cannot be cancelled."""

    def read_next_offset(self) -> int:
        if self._next_offset is None:
            row = PositionRow.table().c
            statement = select(row.next_offset).where(row.partition == self._partition)
            self._next_offset = self.connection.execute(statement).scalar() or 0
        return self._next_offset

    def list_programmes(self) -> list[str]:
        """Returns the ids of programmes with a record, sorted."""
        programme = ProgrammeRow.table().c.programme_id
        return [row[0] for row in self.fetch_all(select(programme).order_by(programme))]

    def read_last_offset(self, programme_id: str) -> int:
        _, last_offset = self._find_programme(programme_id)
        return last_offset

    def has_programme(self, programme_id: str) -> bool:
        return self._programme(programme_id) >= 0

    def read_counts(self, programme_id: str) -> ProgrammeCounts:
        programme = self._programme(programme_id)
        exchange = ExchangeRow.table().c
        standing = (
            select(func.count())
            .select_from(ExchangeRow.table())
            .where(exchange.programme == programme, *_is_standing())
        )
        return ProgrammeCounts(
            fact_count=self._count(FactRow.table(), programme),
            exchange_count=self.connection.execute(standing).scalar_one(),
            waiting_count=self._count(WaitingRow.table(), programme),
            quarantine_count=self._count(QuarantineRow.table(), programme),
        )

    def read_status(self) -> ReadModelStatus:
        row = PositionRow.table().c
        positions = self.fetch_all(select(row.partition, row.next_offset, row.record_time))
        waiting, quarantined = (
            self.connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (WaitingRow.table(), QuarantineRow.table())
        )
        return ReadModelStatus(
            {partition: (end, recorded) for partition, end, recorded in positions},
            waiting,
            quarantined,
        )

    def read_flow_rows(self, programme_id: str, known: ColumnWatermark) -> FlowRows:
        programme = self._programme(programme_id)
        flows = FlowReader(
            self.connection, programme, known, self.read_next_offset(), self.read_numbers
        )
        return flows.read(programme_id)

    def read_exchanges(
        self,
        programme_id: str,
        chosen: ExchangeFilter,
        order: Sequence[tuple[str, bool]],
        after: Sequence[int] | None,
        limit: int,
    ) -> Iterator[list[StoredRevision]]:
        programme = self._programme(programme_id)
        return list_exchanges(self.connection, programme, chosen, order, after, limit)

    def read_statements(self, programme_id: str, exchange: int) -> list[Statement]:
        row = StatementRow.table().c
        statement = (
            select(*(row["content" if name == "value" else name] for name in Statement._fields))
            .where(row.programme == self._programme(programme_id), row.exchange == exchange)
            .order_by(row.from_offset, row.offset)
        )
        return [Statement(*each) for each in self.fetch_all(statement)]

    def read_aliases(self, programme_id: str, from_offset: int) -> list[BoundAlias]:
        row = AliasRow.table().c
        statement = (
            select(*(row[name] for name in BoundAlias._fields))
            .where(row.programme == self._programme(programme_id), row.from_offset >= from_offset)
            .order_by(row.from_offset, row.alias)
        )
        return [BoundAlias(*each) for each in self.fetch_all(statement)]

    def read_batches(self, programme_id: str) -> list[ImportedBatch]:
        batch = BatchRow.table().c
        columns = [batch[field.name] for field in fields(ImportedBatch)]
        statement = (
            select(*columns)
            .where(batch.programme == self._programme(programme_id))
            .order_by(batch.batch, batch.generation, batch.recorded_by)
        )
        return [ImportedBatch(**row._mapping) for row in self.fetch_all(statement)]

    def read_configurations(self, programme_id: str) -> list[ProgrammeConfigured]:
        row = ProgrammeConfigurationRow.table().c
        contents = (
            select(row.content)
            .where(row.programme == self._programme(programme_id))
            .order_by(row.offset)
        )
        return [_parse_configuration(row.content, programme_id) for row in self.fetch_all(contents)]

    def read_pairing_statements(self, programme_id: str) -> list[PairingStatement]:
        row = PairingRow.table().c
        columns = [row[name] for name in PairingStatement._fields]
        statement = (
            select(*columns)
            .where(row.programme == self._programme(programme_id))
            .order_by(row.offset)
        )
        return [
            PairingStatement(*each)._replace(chosen_by=PairingChoice(each.chosen_by))
            for each in self.fetch_all(statement)
        ]

    def read_reports_of_nothing(self, programme_id: str) -> list[tuple[str, Month]]:
        row = NothingToReportRow.table().c
        reports = (
            select(row.organization_id, row.month)
            .where(row.programme == self._programme(programme_id))
            .distinct()
            .order_by(row.organization_id, row.month)
        )
        return [(each.organization_id, each.month) for each in self.fetch_all(reports)]

    def read_quarantine(
        self, programme_id: str, offsets: Collection[int], after: int, limit: int
    ) -> list[StoredQuarantineRecord]:
        row = QuarantineRow.table().c
        statement = select(row.offset, row.reason, row.detail, row.record_time, row.value).where(
            row.programme == self._programme(programme_id), row.offset > after
        )
        if offsets:
            statement = statement.where(row.offset.in_(offsets))
        return [
            StoredQuarantineRecord(record.offset, QuarantineCause(record.reason), *record[2:])
            for record in self.fetch_all(statement.order_by(row.offset).limit(limit))
        ]

    def find_recorded_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        fact = FactRow.table().c
        statement = select(fact.event_id).where(
            fact.programme == self._programme(programme_id), fact.event_id.in_(event_ids)
        )
        return {row.event_id for row in self.fetch_all(statement)}

    def _programme(self, programme_id: str) -> int:
        number, _ = self._find_programme(programme_id)
        return number

    def _find_programme(self, programme_id: str) -> tuple[int, int]:
        """Returns the dense number of a programme and the offset of its last record.

        Both are -1, which no row has, when the programme has no record.
        """
        if programme_id not in self._programmes:
            programme = ProgrammeRow.table().c
            statement = select(programme.programme, programme.last_offset)
            row = self.connection.execute(
                statement.where(programme.programme_id == programme_id)
            ).first()
            self._programmes[programme_id] = (-1, -1) if row is None else (row[0], row[1])
        return self._programmes[programme_id]

    def _count(self, table: Any, programme: int) -> int:
        counting = select(func.count()).select_from(table).where(table.c.programme == programme)
        return self.connection.execute(counting).scalar_one()

    def fetch_all(self, statement: Any) -> list[Any]:
        return list(self.connection.execute(statement))


def _parse_configuration(content: bytes, programme_id: str) -> ProgrammeConfigured:
    event = read_record(0, 0, programme_id, content).event
    assert event is not None
    assert isinstance(event.fact, ProgrammeConfigured)
    return event.fact


def _is_standing() -> tuple[Any, ...]:
    exchange = ExchangeRow.table().c
    return (exchange.to_offset.is_(None), exchange.state != RevisionState.RETRACTED)
