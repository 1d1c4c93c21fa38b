"""Reads the exchanges that a list gained, lost or has with other content from a place on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from mutua.v1.query_service_pb2 import Exchange
from services.adapters.wire.answer import from_revisions
from services.adapters.wire.values import tidy
from services.ledger.identity import resolve
from services.ledger.records import ExchangeFilter, StoredRevision
from services.query.exchanges import make_exchange_filter
from services.query.query_context import QueryContext
from services.query.watch.feed import MAX_MESSAGE_BYTES
from services.query.watch.row_table import TableChange

_MAX_EXCHANGES: Final = 200
"""Exchanges that are read for one message."""
_IN_CHANGE_ORDER: Final = (("from_offset", False),)


class ListPlace(NamedTuple):
    """How much of a list's changes a subscriber has: those before the record at `next_offset`.

    `last_number` is the last exchange it was sent of the ones that an alias at this record adds.
    """

    next_offset: int
    last_number: int = -1


class ExchangeChanges(NamedTuple):
    """Changes of a list, and the place after them."""

    rows: Sequence[TableChange]
    place: ListPlace


class _AddedIds(NamedTuple):
    """Recorded ids that become an organization of the question by the record at an offset."""

    offset: int
    recorded_ids: set[str]


def read_exchange_changes(query: QueryContext, place: ListPlace) -> ExchangeChanges:
    """The first changes after a place, up to the next alias that adds exchanges to the list.

    The request is one of ListExchanges. Aliases only add exchanges, because they are never undone.
    """
    added = _find_added_ids(query, place.next_offset)
    if added is None:
        return _read_revised(query, place.next_offset, query.version.next_offset)
    if added.offset > place.next_offset:
        return _read_revised(query, place.next_offset, added.offset)
    return _read_added(query, place, added)


def _read_revised(query: QueryContext, start: int, end: int) -> ExchangeChanges:
    """The first exchanges whose latest revision is in force from an offset in [start, end).

    An exchange that does not match the filters is a removal, if it was recorded before.
    """
    changed = ExchangeFilter(changed_from=start)
    page = list(
        query.snapshot.read_exchanges(
            query.question.programme_id, changed, _IN_CHANGE_ORDER, None, _MAX_EXCHANGES + 1
        )
    )
    numbers = tuple(revisions[-1].exchange for revisions in page)
    matching = {
        revisions[-1].exchange
        for revisions in query.snapshot.read_exchanges(
            query.question.programme_id,
            replace(make_exchange_filter(query), numbers=numbers),
            (),
            None,
            len(numbers),
        )
    }
    rows: list[TableChange] = []
    size_bytes = 0
    for count, revisions in enumerate(page):
        current = revisions[-1]
        if current.from_offset >= end:
            break
        if size_bytes > MAX_MESSAGE_BYTES or count == _MAX_EXCHANGES:
            return ExchangeChanges(rows, ListPlace(current.from_offset))
        if current.exchange in matching:
            rows.append(_make_row(revisions))
            size_bytes += len(rows[-1].content)
        elif current.exchange < start:
            content = Exchange(exchange_id=current.exchange_id).SerializeToString()
            key = ("exchanges", current.exchange_id)
            rows.append(TableChange(current.from_offset, key, content, is_removed=True))
    return ExchangeChanges(rows, ListPlace(end))


def _read_added(query: QueryContext, place: ListPlace, added: _AddedIds) -> ExchangeChanges:
    """The first exchanges of added ids after a place, from those before the alias."""
    parties = replace(make_exchange_filter(query), parties=tuple(added.recorded_ids))
    exchanges: Iterator[list[StoredRevision]] = query.snapshot.read_exchanges(
        query.question.programme_id, parties, (), [place.last_number], _MAX_EXCHANGES + 1
    )
    rows: list[TableChange] = []
    size_bytes, last_number = 0, place.last_number
    for count, revisions in enumerate(exchanges):
        if (number := revisions[-1].exchange) > added.offset:
            break
        if size_bytes > MAX_MESSAGE_BYTES or count == _MAX_EXCHANGES:
            return ExchangeChanges(rows, ListPlace(place.next_offset, last_number))
        rows.append(_make_row(revisions))
        size_bytes, last_number = size_bytes + len(rows[-1].content), number
    # No exchange changes at this offset, because its record is one of an organization.
    return ExchangeChanges(rows, ListPlace(place.next_offset + 1))


def _find_added_ids(query: QueryContext, from_offset: int) -> _AddedIds | None:
    """What the first record from an offset on adds that gives an organization of the question an
    alias, or makes it one; None if no record does."""
    asked = [name for text in query.question.organization_ids if (name := tidy(text))]
    if not asked or not query.view.aliases:
        return None
    bound = query.snapshot.read_aliases(query.question.programme_id, from_offset)
    later = {each.alias for each in bound}
    aliases = {each: to for each, to in query.view.aliases.items() if each not in later}
    added = None
    for each in bound:
        if added is not None and each.from_offset > added.offset:
            break
        before = {resolve(aliases, name) for name in asked}
        joined = {each.alias, resolve(aliases, each.organization_id)}
        if before & joined and (others := joined - before):
            ids = {name for name in query.view.columns.ids if resolve(aliases, name) in others}
            added = _AddedIds(each.from_offset, ids | (added.recorded_ids if added else set()))
        aliases[each.alias] = each.organization_id
    return added


def _make_row(revisions: Sequence[StoredRevision]) -> TableChange:
    current = revisions[-1]
    content = from_revisions(revisions).SerializeToString()
    return TableChange(current.from_offset, ("exchanges", current.exchange_id), content)
