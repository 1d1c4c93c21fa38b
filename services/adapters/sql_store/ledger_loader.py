"""Loads the part of a programme's state that a slab can change."""

from collections.abc import Collection, Iterator
from itertools import groupby, islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, any_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from services.adapters.sql_store.dictionary import ProgrammeDictionary
from services.adapters.sql_store.tables import (
    AliasRow,
    ExchangeRow,
    FactRow,
    OrganizationVersionRow,
    PartyRow,
    TopicRow,
    WaitingRow,
)
from services.adapters.wire.event import read_record
from services.ledger.changes import find_needs
from services.ledger.enums import RevisionState
from services.ledger.exchange import ExchangeCorrected, ExchangeRecorded
from services.ledger.facts import Event
from services.ledger.organization import OrganizationRegistered, OrganizationUpdated
from services.ledger.state import ExchangeHistory, Ledger, Needs, OrganizationVersion, Revision

Item = TypeVar("Item")

_CHUNK: Final = 5_000
"""Ids in one statement; SQLite takes at most 32,766 parameters."""


def load_ledger(connection: Connection, programme: int, programme_id: str, needs: Needs) -> Ledger:
    """Loads what `needs` names, and every waiting fact that the slab can release.

    Adds the needs of these waiting facts to `needs`.
    """
    ledger = Ledger()
    _load_waiting(connection, programme, programme_id, needs, ledger)
    if needs.organization_ids or needs.aliases:
        _load_roster(connection, programme, programme_id, ledger)
    fact, offsets = FactRow.table().c, {}
    for chunk in _chunks(needs.event_ids):
        statement = select(fact.event_id, fact.offset, fact.digest).where(
            fact.programme == programme, match_many(connection, fact.event_id)
        )
        for event_id, offset, digest in connection.execute(statement, {"many": chunk}):
            ledger.digests[event_id] = digest
            offsets[event_id] = offset
    numbers = [offsets[event_id] for event_id in needs.exchange_ids if event_id in offsets]
    for history in _load_histories(connection, programme, programme_id, numbers):
        ledger.histories[history.exchange_id] = history
    return ledger


def load_dictionary(connection: Connection, programme: int) -> ProgrammeDictionary:
    """Loads the numbers that were assigned in a programme."""
    party, topic = PartyRow.table().c, TopicRow.table().c
    parties = select(party.organization_id, party.party).where(party.programme == programme)
    topics = (
        select(topic.topic_set, topic.topic)
        .where(topic.programme == programme)
        .order_by(topic.topic_set, topic.topic)
    )
    return ProgrammeDictionary(
        programme,
        ((row.organization_id, row.party) for row in connection.execute(parties)),
        [
            (tuple(row.topic for row in rows), number)
            for number, rows in groupby(connection.execute(topics), lambda row: row.topic_set)
        ],
    )


def match_many(connection: Connection, column: Any) -> Any:
    """Returns the condition that a column has one of `many` values, a parameter at execution.

    Values inside the statement would stay in memory, because statements have reference cycles and
    are seldom collected. PostgreSQL reads an array faster than a list.
    """
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam("many", type_=ARRAY(column.type)))
    return column.in_(bindparam("many", expanding=True))


def _load_waiting(
    connection: Connection, programme: int, programme_id: str, needs: Needs, ledger: Ledger
) -> None:
    """Loads waiting facts until no further one can be released."""
    waiting = WaitingRow.table().c
    first_waiting = select(waiting.event_id).where(waiting.programme == programme).limit(1)
    if connection.execute(first_waiting).first() is None:
        return
    while True:
        released = []
        for chunk in _chunks(needs.list_awaited_keys()):
            statement = select(WaitingRow.table()).where(
                waiting.programme == programme,
                or_(
                    match_many(connection, waiting.awaited),
                    match_many(connection, waiting.event_id),
                ),
            )
            for row in connection.execute(statement, {"many": chunk}):
                if row.event_id not in ledger.waiting_keys:
                    logged = read_record(row.offset, row.record_time, programme_id, row.value)
                    ledger.add_waiting_fact(row.event_id, logged, row.awaited)
                    released.append(logged)
        if not released:
            break
        needs.add(find_needs(released))


def _load_roster(connection: Connection, programme: int, programme_id: str, ledger: Ledger) -> None:
    version = OrganizationVersionRow.table().c
    versions = (
        select(OrganizationVersionRow.table())
        .where(version.programme == programme)
        .order_by(version.organization_id, version.version)
    )
    for row in connection.execute(versions):
        event = _parse_event(row.content, programme_id)
        fact = event.fact
        assert isinstance(fact, OrganizationRegistered | OrganizationUpdated)
        ledger.roster[row.organization_id] = OrganizationVersion(
            number=row.version,
            organization=fact.organization,
            event_id=row.event_id,
            from_offset=row.from_offset,
            recorded_by=event.recorded_by,
            source=event.source,
            value=row.content,
        )
    alias = AliasRow.table().c
    bindings = select(alias.alias, alias.organization_id).where(alias.programme == programme)
    for name, organization_id in connection.execute(bindings):
        ledger.aliases[name] = organization_id


def _load_histories(
    connection: Connection, programme: int, programme_id: str, numbers: Collection[int]
) -> Iterator[ExchangeHistory]:
    exchange = ExchangeRow.table().c
    for chunk in _chunks(numbers):
        revisions = (
            select(ExchangeRow.table())
            .where(exchange.programme == programme, match_many(connection, exchange.exchange))
            .order_by(exchange.exchange, exchange.revision)
        )
        rows_by_exchange = connection.execute(revisions, {"many": chunk})
        for number, rows in groupby(rows_by_exchange, lambda row: row.exchange):
            history: ExchangeHistory | None = None
            for row in rows:
                history = history or ExchangeHistory(row.exchange_id, number, [])
                event = _parse_event(row.content, programme_id)
                content_event = (
                    history.current.content_event if row.state == RevisionState.RETRACTED else event
                )
                assert isinstance(content_event.fact, ExchangeRecorded | ExchangeCorrected)
                history.revisions.append(
                    Revision(
                        number=row.revision,
                        event_id=row.event_id,
                        from_offset=row.from_offset,
                        record_time=row.record_time,
                        recorded_by=row.recorded_by,
                        state=RevisionState(row.state),
                        source=event.source,
                        content_event=content_event,
                        exchange=content_event.fact.exchange,
                        value=row.content,
                    )
                )
            assert history is not None
            yield history


def _parse_event(value: bytes, programme_id: str) -> Event:
    event = read_record(0, 0, programme_id, value).event
    assert event is not None, "a stored fact was readable when it was stored"
    return event


def _chunks(items: Collection[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk
