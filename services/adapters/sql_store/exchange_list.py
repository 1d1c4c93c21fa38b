"""Lists of exchanges: the filters of a question, an order, and where a page goes on."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, exists, or_, select

from services.adapters.sql_store.tables import (
    ExchangeRow,
    FactRow,
    JointPartyRow,
    LegRow,
    PartyRow,
    RetractedPartyRow,
    TopicRow,
)
from services.ledger.enums import RevisionState, Side
from services.ledger.records import ExchangeFilter, StoredRevision

_READ_AT_ONCE: Final = 500
"""Maximum number of exchanges in memory with their revisions: a page may have room for few."""


def list_exchanges(
    connection: Connection,
    programme: int,
    chosen: ExchangeFilter,
    order: Sequence[tuple[str, bool]],
    after: Sequence[int] | None,
    limit: int,
) -> Iterator[list[StoredRevision]]:
    """See `ports.Snapshot.exchanges`."""
    exchange = ExchangeRow.table().c
    times = [(exchange[name], latest) for name, latest in order]
    columns = [*times, (exchange.exchange, False)]
    keys = (
        select(exchange.exchange)
        .where(
            exchange.programme == programme,
            exchange.to_offset.is_(None),
            *([] if after is None else [_beyond(columns, after)]),
            *_conditions(programme, chosen),
            *_selection(programme, chosen),
            *_sides(programme, chosen),
        )
        .order_by(*(column.desc() if latest else column for column, latest in columns))
        .limit(limit)
    )
    numbers = list(connection.execute(keys).scalars())
    for start in range(0, len(numbers), _READ_AT_ONCE):
        yield from _revisions(connection, programme, numbers[start : start + _READ_AT_ONCE])


def _revisions(
    connection: Connection, programme: int, numbers: Sequence[int]
) -> Iterator[list[StoredRevision]]:
    """The revisions of each of these exchanges, in the order of `numbers`."""
    exchange = ExchangeRow.table().c
    statement = (
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
        StoredRevision(row[0], row[1], RevisionState(row[2]), *row[3:])
        for row in connection.execute(statement).all()
    )
    by_number = {number: list(group) for number, group in groupby(rows, lambda row: row.exchange)}
    return map(by_number.__getitem__, numbers)


def _beyond(columns: Sequence[tuple[Any, bool]], after: Sequence[int]) -> Any:
    """Rows that stand behind a key in the order: equal so far, and then further on."""
    found: list[Any] = []
    equal: list[Any] = []
    for (column, latest), value in zip(columns, after, strict=True):
        found.append(and_(*equal, column < value if latest else column > value))
        equal.append(column == value)
    return or_(*found)


def _conditions(programme: int, chosen: ExchangeFilter) -> Iterator[Any]:
    exchange, topic = ExchangeRow.table().c, TopicRow.table().c
    if chosen.from_day is not None:
        yield exchange.first_day >= chosen.from_day
    if chosen.to_day is not None:
        yield exchange.first_day < chosen.to_day
    if chosen.kinds:
        yield exchange.kind.in_(chosen.kinds)
    if chosen.formalities:
        yield exchange.formality.in_(chosen.formalities)
    if chosen.topics:
        yield exchange.topic_set.in_(
            select(topic.topic_set).where(
                topic.programme == programme, topic.topic.in_(chosen.topics)
            )
        )


def _selection(programme: int, chosen: ExchangeFilter) -> Iterator[Any]:
    exchange, fact = ExchangeRow.table().c, FactRow.table().c
    if chosen.batch:
        yield exchange.batch == chosen.batch
    if chosen.exchange_ids:
        yield exchange.exchange.in_(
            select(fact.offset).where(
                fact.programme == programme, fact.event_id.in_(chosen.exchange_ids)
            )
        )
    if chosen.numbers is not None:
        yield exchange.exchange.in_(chosen.numbers)
    if chosen.standing_only:
        yield exchange.state != RevisionState.RETRACTED
    if chosen.excluded_numbers:
        # As literals: there may be more than a statement takes parameters.
        numbers: Any = bindparam(
            "excluded", chosen.excluded_numbers, expanding=True, literal_execute=True
        )
        yield exchange.exchange.not_in(numbers)


def _sides(programme: int, chosen: ExchangeFilter) -> Iterator[Any]:
    """An exchange has a leg from each giver to each receiver, so that what is found of each side
    for itself is one leg."""
    leg = LegRow.table().c
    if chosen.parties is not None:
        yield _names(programme, chosen.parties, (leg.giver, leg.receiver))
    if chosen.givers is not None:
        yield _names(programme, chosen.givers, (leg.giver,), Side.GIVER)
    if chosen.receivers is not None:
        yield _names(programme, chosen.receivers, (leg.receiver,), Side.RECEIVER)


def _names(
    programme: int, organization_ids: Sequence[str], ends: Sequence[Any], side: Side | None = None
) -> Any:
    """That one of the organizations is at one of these ends of a leg; without a side, or joint.

    A retracted exchange has no legs any more; its parties remember their side.
    """
    exchange, party = ExchangeRow.table().c, PartyRow.table().c
    joint, retracted = JointPartyRow.table().c, RetractedPartyRow.table().c
    numbers = select(party.party).where(
        party.programme == programme, party.organization_id.in_(organization_ids)
    )

    def found(row: Any, *conditions: Any) -> Any:
        return exists().where(
            row.programme == programme, row.exchange == exchange.exchange, *conditions
        )

    at_an_end = found(LegRow.table().c, or_(*(end.in_(numbers) for end in ends)))
    was_party = retracted.party.in_(numbers)
    if side is None:
        joined = found(joint, joint.party.in_(numbers))
        return or_(at_an_end, joined, found(retracted, was_party))
    return or_(at_an_end, found(retracted, was_party, retracted.side == side))
