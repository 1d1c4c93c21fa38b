"""Exchanges with all their revisions: the evidence behind every number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_revisions
from services.adapters.wire.values import tidy, to_instant
from services.ledger.errors import NotFound, QuestionImpossible, Violation
from services.ledger.identity import resolve
from services.ledger.ports import ExchangeFilter, RevisionRow
from services.ledger.question import POSSIBLE_DOUBLE_REPORTS
from services.query.answering import Asked
from services.query.order import Term, parse_order
from services.query.paging import MAX_SIZE

TIMES: Final = ("occur_time", "record_time")
"""What exchanges can be sorted by: times of the current revision."""
_PAGE_BYTES: Final = 4 << 20


Revisions = list[RevisionRow]


def list_exchanges(asked: Asked) -> pb.ListExchangesResponse:
    """Those that fit a page, in log order or by the times asked for; doubles act by act."""
    order = parse_order(asked.request.order_by, TIMES)
    size = asked.page.size
    acts: dict[int, int] = {}
    if asked.request.possible_doubles:
        acts = _acts(asked)
        matching = _doubles(asked, acts)
    else:
        matching = asked.snapshot.exchanges(
            asked.question.programme_id, _chosen(asked), order, asked.page.after, size + 1
        )
    rows = list(_fitting(matching[:size]))
    exchanges = [from_revisions(revisions) for revisions in rows]
    token = ""
    if len(matching) > len(rows):
        number = rows[-1][-1].exchange
        key = [acts[number], number] if acts else _key(exchanges[-1], rows[-1], order)
        token = asked.token(key)
    rest = asked.rest()
    doubled = rest["coverage"].possible_double_count > 0
    return pb.ListExchangesResponse(
        exchanges=exchanges,
        next_page_token=token,
        warnings=[POSSIBLE_DOUBLE_REPORTS] if doubled else [],
        **rest,
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


def _acts(asked: Asked) -> dict[int, int]:
    """The exchanges that may be two reports of one, act by act: of each number that of its act.

    Raises QuestionImpossible when another order is asked for.
    """
    if asked.request.order_by:
        said = "is given with possible_doubles, which are listed act by act; leave one of them out"
        raise QuestionImpossible(f"order_by {said}", (Violation("order_by", said),))
    acts, numbers = asked.frame.possible_doubles(asked.frame.inside(asked.question))
    return dict(zip(numbers.tolist(), acts.tolist(), strict=True))


def _doubles(asked: Asked, acts: Mapping[int, int]) -> list[Revisions]:
    """Up to one more than a page of these exchanges that all filters let through, in order."""
    chosen, after = _chosen(asked), tuple(asked.page.after or ())
    numbers = iter([number for number, act in acts.items() if (act, number) > after])
    matching: list[Revisions] = []
    while len(matching) <= asked.page.size and (some := tuple(islice(numbers, MAX_SIZE))):
        rows = asked.snapshot.exchanges(
            asked.question.programme_id, replace(chosen, numbers=some), (), None, len(some)
        )
        by_number = {revisions[0].exchange: revisions for revisions in rows}
        matching += [by_number[number] for number in some if number in by_number]
    return matching[: asked.page.size + 1]


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
        excluded=_internal(asked),
    )


def _recorded(asked: Asked, organization_ids: Sequence[str]) -> tuple[str, ...] | None:
    """The ids as recorded that mean one of these organizations; None when none is named."""
    aliases = asked.frame.aliases
    wanted = {resolve(aliases, name) for each in organization_ids if (name := tidy(each))}
    if not wanted:
        return None
    return tuple(each for each in asked.frame.columns.ids if resolve(aliases, each) in wanted)


def _internal(asked: Asked) -> tuple[int, ...]:
    """Where a side is asked for: standing internal exchanges, which are evidence of no tie."""
    named = tidy(asked.request.giver_id) or tidy(asked.request.receiver_id)
    if not named:
        return ()
    frame = asked.frame
    return tuple(frame.internal_numbers(resolve(frame.aliases, named)))


def _id(typed: str) -> str:
    return typed.strip().lower()


def _key(exchange: pb.Exchange, rows: Sequence[RevisionRow], order: Sequence[Term]) -> list[int]:
    """Where an exchange stands in an order; see `Snapshot.exchanges`."""
    said = [each for each in exchange.revisions if each.HasField("content")][-1]
    times = {"occur_time": to_instant(said.occur_time, ""), "record_time": rows[-1].record_time}
    return [*(times[term.field] for term in order), rows[-1].exchange]


def _fitting(exchanges: list[Revisions]) -> Iterator[Revisions]:
    """As many exchanges as a page of bytes holds, at least one."""
    room = _PAGE_BYTES
    for revisions in exchanges:
        size = sum(len(row.value) for row in revisions)
        if size > room < _PAGE_BYTES:
            return
        room -= size
        yield revisions
