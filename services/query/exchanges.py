"""Exchanges with all their revisions: the evidence behind every number."""

from collections.abc import Iterator, Sequence
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_revisions
from services.adapters.wire.values import tidy, to_instant
from services.ledger.errors import NotFound, QuestionImpossible, Violation
from services.ledger.identity import resolve
from services.ledger.ports import ExchangeFilter, RevisionRow
from services.query.answering import Asked
from services.query.order import Term, parse_order
from services.query.paging import MAX_SIZE

TIMES: Final = ("occur_time", "record_time")
"""What exchanges can be sorted by: times of the current revision."""
_PAGE_BYTES: Final = 4 << 20


def list_exchanges(asked: Asked) -> pb.ListExchangesResponse:
    """Those that fit a page, in log order or by the times asked for."""
    order = parse_order(asked.request.order_by, TIMES)
    size = asked.page.size
    found = asked.snapshot.exchanges(
        asked.question.programme_id, _chosen(asked), order, asked.page.after, size + 1
    )
    rows = list(_fitting(found[:size]))
    exchanges = [from_revisions(revisions) for revisions in rows]
    more = len(found) > len(rows)
    return pb.ListExchangesResponse(
        exchanges=exchanges,
        next_page_token=asked.token(_key(exchanges[-1], rows[-1], order)) if more else "",
        **asked.rest(),
    )


def get_exchange(asked: Asked) -> pb.GetExchangeResponse:
    """Raises NotFound for an id under which no exchange was recorded."""
    programme_id, exchange_id = asked.question.programme_id, _id(asked.request.exchange_id)
    wanted = ExchangeFilter(exchange_ids=(exchange_id,))
    found = asked.snapshot.exchanges(programme_id, wanted, (), None, 1)
    if not found:
        raise NotFound(
            f"no exchange {exchange_id!r} was recorded in programme {programme_id!r}; "
            "mutua exchanges lists those that were"
        )
    return pb.GetExchangeResponse(exchange=from_revisions(found[0]), **asked.rest())


def _chosen(asked: Asked) -> ExchangeFilter:
    """Which exchanges are asked for. Raises QuestionImpossible for more ids than a page holds."""
    request, question = asked.request, asked.question
    if len(request.exchange_ids) > MAX_SIZE:
        limit = f"has {len(request.exchange_ids):,} ids; at most {MAX_SIZE:,}"
        raise QuestionImpossible(f"exchange_ids {limit}", (Violation("exchange_ids", limit),))
    return ExchangeFilter(
        from_day=question.from_day,
        to_day=question.to_day,
        kinds=question.kinds,
        formalities=question.formalities,
        topics=question.topics,
        parties=_recorded(asked, question.organization_ids),
        givers=_recorded(asked, (request.giver_id,)),
        receivers=_recorded(asked, (request.receiver_id,)),
        batch=tidy(request.batch),
        exchange_ids=tuple(map(_id, request.exchange_ids)),
        standing_only=request.standing_only,
    )


def _recorded(asked: Asked, organization_ids: Sequence[str]) -> tuple[str, ...] | None:
    """The ids as recorded that mean one of these organizations; None when none is named."""
    aliases = asked.frame.aliases
    wanted = {resolve(aliases, name) for each in organization_ids if (name := tidy(each))}
    if not wanted:
        return None
    return tuple(each for each in asked.frame.columns.ids if resolve(aliases, each) in wanted)


def _id(typed: str) -> str:
    return typed.strip().lower()


def _key(exchange: pb.Exchange, rows: Sequence[RevisionRow], order: Sequence[Term]) -> list[int]:
    """Where an exchange stands in an order; see `Snapshot.exchanges`."""
    said = [each for each in exchange.revisions if each.HasField("content")][-1]
    times = {"occur_time": to_instant(said.occur_time, ""), "record_time": rows[-1].record_time}
    return [*(times[term.field] for term in order), rows[-1].exchange]


def _fitting(exchanges: list[list[RevisionRow]]) -> Iterator[list[RevisionRow]]:
    """As many exchanges as a page of bytes holds, at least one."""
    room = _PAGE_BYTES
    for revisions in exchanges:
        size = sum(len(row.value) for row in revisions)
        if size > room < _PAGE_BYTES:
            return
        room -= size
        yield revisions
