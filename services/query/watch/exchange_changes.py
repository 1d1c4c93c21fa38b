"""Reads the exchanges that were recorded, corrected or retracted from an offset on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from mutua.v1.query_service_pb2 import Exchange
from services.adapters.wire.answer import from_revisions
from services.ledger.records import ExchangeFilter
from services.query.exchanges import make_exchange_filter
from services.query.query_context import QueryContext
from services.query.watch.feed import MAX_MESSAGE_BYTES
from services.query.watch.row_table import TableChange

_MAX_EXCHANGES: Final = 200
"""Exchanges that are read for one message."""
_IN_LOG_ORDER: Final = (("from_offset", False),)


class ExchangeChanges(NamedTuple):
    """Changes of a list, up to but without the offset `next_offset`."""

    rows: Sequence[TableChange]
    next_offset: int


def read_exchange_changes(query: QueryContext, from_offset: int) -> ExchangeChanges:
    """The first exchanges whose latest revision is in force from this offset or a later one.

    An exchange that does not match the filters is a removal, if it was recorded before. The request
    is one of ListExchanges.
    """
    programme_id = query.question.programme_id
    changed = ExchangeFilter(changed_from=from_offset)
    exchanges = query.snapshot.read_exchanges(
        programme_id, changed, _IN_LOG_ORDER, None, _MAX_EXCHANGES + 1
    )
    page = list(islice(exchanges, _MAX_EXCHANGES + 1))
    numbers = tuple(revisions[-1].exchange for revisions in page)
    matching = {
        revisions[-1].exchange
        for revisions in query.snapshot.read_exchanges(
            programme_id,
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
        if size_bytes > MAX_MESSAGE_BYTES or count == _MAX_EXCHANGES:
            return ExchangeChanges(rows, current.from_offset)
        key = ("exchanges", current.exchange_id)
        if current.exchange in matching:
            content = from_revisions(revisions).SerializeToString()
            rows.append(TableChange(current.from_offset, key, content))
            size_bytes += len(content)
        elif current.exchange < from_offset:
            content = Exchange(exchange_id=current.exchange_id).SerializeToString()
            rows.append(TableChange(current.from_offset, key, content, is_removed=True))
    return ExchangeChanges(rows, query.version.next_offset)
