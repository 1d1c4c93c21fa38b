"""Lists of exchanges: the filters of a question, an order, and where a page continues."""

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
    exchange_filter: ExchangeFilter,
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
            *([] if after is None else [_after_key(columns, after)]),
            *_conditions(programme, exchange_filter),
            *_number_conditions(programme, exchange_filter),
            *_side_conditions(programme, exchange_filter),
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
    """Yields the revisions of every exchange, in the order of `numbers`."""
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
            exchange.from_offset,
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


def _after_key(columns: Sequence[tuple[Any, bool]], after: Sequence[int]) -> Any:
    """Returns a condition for rows after a key in the order."""
    alternatives: list[Any] = []
    equal: list[Any] = []
    for (column, latest), value in zip(columns, after, strict=True):
        alternatives.append(and_(*equal, column < value if latest else column > value))
        equal.append(column == value)
    return or_(*alternatives)


def _conditions(programme: int, exchange_filter: ExchangeFilter) -> Iterator[Any]:
    exchange, topic = ExchangeRow.table().c, TopicRow.table().c
    if exchange_filter.from_day is not None:
        yield exchange.first_day >= exchange_filter.from_day
    if exchange_filter.to_day is not None:
        yield exchange.first_day < exchange_filter.to_day
    if exchange_filter.kinds:
        yield exchange.kind.in_(exchange_filter.kinds)
    if exchange_filter.formalities:
        yield exchange.formality.in_(exchange_filter.formalities)
    if exchange_filter.topics:
        yield exchange.topic_set.in_(
            select(topic.topic_set).where(
                topic.programme == programme, topic.topic.in_(exchange_filter.topics)
            )
        )


def _number_conditions(programme: int, exchange_filter: ExchangeFilter) -> Iterator[Any]:
    exchange, fact = ExchangeRow.table().c, FactRow.table().c
    if exchange_filter.batch:
        yield exchange.batch == exchange_filter.batch
    if exchange_filter.exchange_ids:
        yield exchange.exchange.in_(
            select(fact.offset).where(
                fact.programme == programme, fact.event_id.in_(exchange_filter.exchange_ids)
            )
        )
    if exchange_filter.numbers is not None:
        yield exchange.exchange.in_(exchange_filter.numbers)
    if exchange_filter.standing_only:
        yield exchange.state != RevisionState.RETRACTED
    if (changed_from := exchange_filter.changed_from) is not None:
        # Two ranges of an index each, because first revisions are not in the one on changes.
        yield or_(
            and_(exchange.revision == 0, exchange.exchange >= changed_from),
            and_(exchange.revision > 0, exchange.from_offset >= changed_from),
        )
    if exchange_filter.excluded_numbers:
        # As literals, because a statement takes fewer parameters.
        numbers: Any = bindparam(
            "excluded", exchange_filter.excluded_numbers, expanding=True, literal_execute=True
        )
        yield exchange.exchange.not_in(numbers)


def _side_conditions(programme: int, exchange_filter: ExchangeFilter) -> Iterator[Any]:
    """Yields one condition a side.

    An exchange has a leg from every giver to every receiver, so conditions that match on either
    side separately also match one leg.
    """
    leg = LegRow.table().c
    if exchange_filter.parties is not None:
        yield _has_party(programme, exchange_filter.parties, (leg.giver, leg.receiver))
    if exchange_filter.givers is not None:
        yield _has_party(programme, exchange_filter.givers, (leg.giver,), Side.GIVER)
    if exchange_filter.receivers is not None:
        yield _has_party(programme, exchange_filter.receivers, (leg.receiver,), Side.RECEIVER)


def _has_party(
    programme: int, organization_ids: Sequence[str], ends: Sequence[Any], side: Side | None = None
) -> Any:
    """Returns a condition that an organization is at one of these ends of a leg.

    Without a side, joint parties match too. A retracted exchange has no legs; its party rows store
    their side.
    """
    exchange, party = ExchangeRow.table().c, PartyRow.table().c
    joint, retracted = JointPartyRow.table().c, RetractedPartyRow.table().c
    numbers = select(party.party).where(
        party.programme == programme, party.organization_id.in_(organization_ids)
    )

    def row_exists(row: Any, *conditions: Any) -> Any:
        return exists().where(
            row.programme == programme, row.exchange == exchange.exchange, *conditions
        )

    is_at_end = row_exists(LegRow.table().c, or_(*(end.in_(numbers) for end in ends)))
    was_party = retracted.party.in_(numbers)
    if side is None:
        is_joint = row_exists(joint, joint.party.in_(numbers))
        return or_(is_at_end, is_joint, row_exists(retracted, was_party))
    return or_(is_at_end, row_exists(retracted, was_party, retracted.side == side))
