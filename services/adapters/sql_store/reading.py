"""One consistent view of the read models, as the query service reads it."""

from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from services.adapters.tables import (
    AliasRow,
    ExchangeRow,
    FactRow,
    JointPartyRow,
    LegRow,
    OrganizationVersionRow,
    PartyRow,
    PositionRow,
    ProgrammeRow,
    QuarantineRow,
    RetractedPartyRow,
    WaitingRow,
)
from services.adapters.wire.event import read_record
from services.ledger.organization import (
    Organization,
    OrganizationRegistered,
    OrganizationUpdated,
)
from services.ledger.ports import Counts, ExchangeFilter, FlowRows, RevisionRow
from services.ledger.words import State

_STANDING_FIELDS = (
    "exchange",
    "first_day",
    "end_day",
    "dated",
    "kind",
    "formality",
    "reported_by",
    "recorder",
    "giver_minutes",
    "receiver_minutes",
    "benefit_minutes",
    "symmetric",
)
"""What `network.columns` keeps of an exchange, in its order."""


class SqlSnapshot:
    """See `ports.Snapshot`. Lives as long as the transaction of its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def position(self) -> int:
        found = self._connection.execute(select(PositionRow.table().c.next_offset)).scalar()
        return found or 0

    def has_programme(self, programme_id: str) -> bool:
        return self._programme(programme_id) >= 0

    def counts(self, programme_id: str) -> Counts:
        programme = self._programme(programme_id)
        exchange = ExchangeRow.table().c
        standing = (
            select(func.count())
            .select_from(ExchangeRow.table())
            .where(exchange.programme == programme, *_stands())
        )
        return Counts(
            fact_count=self._count(FactRow.table(), programme),
            exchange_count=self._connection.execute(standing).scalar_one(),
            waiting_count=self._count(WaitingRow.table(), programme),
            quarantine_count=self._count(QuarantineRow.table(), programme),
        )

    def flows(self, programme_id: str, from_offset: int) -> FlowRows:
        programme = self._programme(programme_id)
        exchange = ExchangeRow.table()
        columns = [exchange.c[name] for name in _STANDING_FIELDS]
        fresh = [exchange.c.programme == programme, exchange.c.from_offset >= from_offset]
        standing = select(*columns).where(*fresh, *_stands()).order_by(exchange.c.exchange)
        replaced = select(exchange.c.exchange).where(*fresh, exchange.c.revision > 0).distinct()
        leg, joint, party = LegRow.table(), JointPartyRow.table(), PartyRow.table()
        alias = AliasRow.table()
        return FlowRows(
            parties=self.rows(
                select(party.c.party, party.c.organization_id)
                .where(party.c.programme == programme)
                .order_by(party.c.party)
            ),
            exchanges=self.rows(standing),
            legs=self.rows(
                self._of_fresh(select(*list(leg.c)[1:]), leg, programme, from_offset).order_by(
                    leg.c.exchange, leg.c.giver, leg.c.receiver
                )
            ),
            joint=self.rows(
                self._of_fresh(select(*list(joint.c)[1:]), joint, programme, from_offset).order_by(
                    joint.c.exchange, joint.c.party
                )
            ),
            replaced=[row[0] for row in self.rows(replaced)] if from_offset else [],
            organizations=self._organizations(programme, programme_id),
            aliases=self.rows(
                select(alias.c.alias, alias.c.organization_id)
                .where(alias.c.programme == programme)
                .order_by(alias.c.alias)
            ),
        )

    def exchanges(
        self, programme_id: str, chosen: ExchangeFilter, after: int, limit: int
    ) -> list[list[RevisionRow]]:
        programme = self._programme(programme_id)
        exchange = ExchangeRow.table().c
        numbers = (
            select(exchange.exchange)
            .where(
                exchange.programme == programme,
                exchange.exchange > after,
                exchange.to_offset.is_(None),
                *self._conditions(programme, chosen),
            )
            .order_by(exchange.exchange)
            .limit(limit)
        )
        revisions = (
            select(
                exchange.exchange,
                exchange.exchange_id,
                exchange.state,
                exchange.event_id,
                exchange.record_time,
                exchange.recorded_by,
                exchange.content,
            )
            .where(exchange.programme == programme, exchange.exchange.in_(numbers))
            .order_by(exchange.exchange, exchange.revision)
        )
        rows = (
            RevisionRow(row[0], row[1], State(row[2]), *row[3:]) for row in self.rows(revisions)
        )
        return [list(group) for _, group in groupby(rows, lambda row: row.exchange)]

    def _conditions(self, programme: int, chosen: ExchangeFilter) -> list[Any]:
        exchange = ExchangeRow.table().c
        conditions: list[Any] = []
        if chosen.from_day is not None:
            conditions.append(exchange.first_day >= chosen.from_day)
        if chosen.to_day is not None:
            conditions.append(exchange.first_day < chosen.to_day)
        if chosen.batch:
            conditions.append(exchange.batch == chosen.batch)
        if chosen.exchange_ids:
            fact = FactRow.table().c
            conditions.append(
                exchange.exchange.in_(
                    select(fact.offset).where(
                        fact.programme == programme, fact.event_id.in_(chosen.exchange_ids)
                    )
                )
            )
        if chosen.parties is not None:
            conditions.append(self._names_one_of(programme, chosen.parties))
        return conditions

    @staticmethod
    def _names_one_of(programme: int, parties: tuple[str, ...]) -> Any:
        exchange, leg, party = ExchangeRow.table().c, LegRow.table().c, PartyRow.table().c
        numbers = select(party.party).where(
            party.programme == programme, party.organization_id.in_(parties)
        )
        found = [
            exists().where(
                leg.programme == programme,
                leg.exchange == exchange.exchange,
                or_(leg.giver.in_(numbers), leg.receiver.in_(numbers)),
            )
        ]
        found += [
            exists().where(
                table.c.programme == programme,
                table.c.exchange == exchange.exchange,
                table.c.party.in_(numbers),
            )
            for table in (JointPartyRow.table(), RetractedPartyRow.table())
        ]
        return or_(*found)

    def _of_fresh(
        self, statement: Select[Any], table: Any, programme: int, from_offset: int
    ) -> Select[Any]:
        """Rows of standing exchanges that changed at `from_offset` or later."""
        statement = statement.where(table.c.programme == programme)
        if from_offset == 0:
            return statement
        exchange = ExchangeRow.table().c
        return statement.where(
            table.c.exchange.in_(
                select(exchange.exchange).where(
                    and_(exchange.programme == programme, exchange.from_offset >= from_offset)
                )
            )
        )

    def _organizations(self, programme: int, programme_id: str) -> list[Organization]:
        version = OrganizationVersionRow.table().c
        newest = (
            select(version.organization_id, func.max(version.version).label("version"))
            .where(version.programme == programme)
            .group_by(version.organization_id)
            .subquery()
        )
        contents = select(version.content).where(
            version.programme == programme,
            version.organization_id == newest.c.organization_id,
            version.version == newest.c.version,
        )
        return [_organization(row[0], programme_id) for row in self.rows(contents)]

    def _programme(self, programme_id: str) -> int:
        """Its dense number; -1, which no row has, when nothing was recorded in it."""
        programme = ProgrammeRow.table().c
        found = self._connection.execute(
            select(programme.programme).where(programme.programme_id == programme_id)
        ).scalar()
        return -1 if found is None else found

    def _count(self, table: Any, programme: int) -> int:
        counting = select(func.count()).select_from(table).where(table.c.programme == programme)
        return self._connection.execute(counting).scalar_one()

    def rows(self, statement: Any) -> list[Any]:
        return list(self._connection.execute(statement))


def _stands() -> tuple[Any, ...]:
    exchange = ExchangeRow.table().c
    return (exchange.to_offset.is_(None), exchange.state != State.RETRACTED)


def _organization(content: bytes, programme_id: str) -> Organization:
    event = read_record(0, 0, programme_id, content).event
    assert event is not None
    assert isinstance(event.fact, OrganizationRegistered | OrganizationUpdated)
    return event.fact.organization
