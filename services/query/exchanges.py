"""Exchanges with all their revisions: the evidence behind every number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from mutua.v1 import event_pb2
from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_revisions
from services.adapters.wire.values import tidy, to_instant
from services.ledger.enums import RevisionState
from services.ledger.errors import ImpossibleQuestionError, NotFoundError, Violation
from services.ledger.identity import resolve
from services.ledger.question import POSSIBLE_DOUBLE_REPORTS
from services.ledger.records import ExchangeFilter, StoredRevision
from services.query.executor import QueryContext
from services.query.paging import MAX_PAGE_SIZE
from services.query.row_order import OrderTerm, parse_order

ORDERABLE_TIMES: Final = ("occur_time", "record_time")
"""What exchanges can be sorted by: times of the current revision."""
_ROWS_PER_READ: Final = 500
"""Maximum number of possible doubles in memory: a page may have room for only a few."""

Revisions = list[StoredRevision]


def list_exchanges(asked: QueryContext) -> pb.ListExchangesResponse:
    """A page of exchanges in log order or by time; possible doubles come act by act."""
    order = parse_order(asked.request.order_by, ORDERABLE_TIMES)
    if asked.request.possible_doubles:
        acts = _possible_double_acts(asked)
        rows = _possible_doubles(asked, acts)

        def key(revisions: Revisions) -> list[int]:
            return [acts[revisions[-1].exchange], revisions[-1].exchange]
    else:
        rows = asked.snapshot.read_exchanges(
            *(asked.question.programme_id, _exchange_filter(asked), order),
            *(asked.page.after_key, asked.page.size + 1),
        )

        def key(revisions: Revisions) -> list[int]:
            return _key(revisions, order)

    rest = asked.coverage_fields()
    doubled = rest["coverage"].possible_double_count > 0
    page = pb.ListExchangesResponse(
        warnings=[POSSIBLE_DOUBLE_REPORTS] if doubled else [],
        **rest,
    )
    return asked.fill_page(page, rows, from_revisions, key)


def get_exchange(asked: QueryContext) -> pb.GetExchangeResponse:
    """One exchange; with `before_event_id` its revisions before that one. See `from_revisions`.

    Raises NotFoundError for an id under which no exchange was recorded, ImpossibleQuestionError for
    a revision that it does not have.
    """
    programme_id, exchange_id = asked.question.programme_id, _id(asked.request.exchange_id)
    one_exchange = ExchangeFilter(exchange_ids=(exchange_id,))
    revisions = next(asked.snapshot.read_exchanges(programme_id, one_exchange, (), None, 1), None)
    if revisions is None:
        raise NotFoundError(
            f"no exchange {exchange_id!r} was recorded in programme {programme_id!r}; "
            "mutua exchanges lists those that were"
        )
    if before := _id(asked.request.before_event_id):
        revisions = _earlier(revisions, before)
    return pb.GetExchangeResponse(exchange=from_revisions(revisions), **asked.coverage_fields())


def _earlier(revisions: list[StoredRevision], event_id: str) -> list[StoredRevision]:
    """The revisions before one. Raises ImpossibleQuestionError where there are none."""
    places = [place for place, row in enumerate(revisions) if row.event_id == event_id]
    if not any(places):
        problem = "is not the event id of a revision of this exchange that has one before it"
        raise ImpossibleQuestionError(
            f"before_event_id {problem}", (Violation("before_event_id", problem),)
        )
    return revisions[: places[0]]


def _possible_double_acts(asked: QueryContext) -> dict[int, int]:
    """Exchange number -> number of its act, for exchanges that may be two reports of one act.

    Raises ImpossibleQuestionError when another order is asked for.
    """
    if asked.request.order_by:
        problem = (
            "is given with possible_doubles, which are listed act by act; leave one of them out"
        )
        raise ImpossibleQuestionError(f"order_by {problem}", (Violation("order_by", problem),))
    acts, numbers = asked.frame.find_possible_doubles(asked.frame.select_exchanges(asked.question))
    return dict(zip(numbers.tolist(), acts.tolist(), strict=True))


def _possible_doubles(asked: QueryContext, acts: Mapping[int, int]) -> Iterator[Revisions]:
    """The exchanges of `acts` that pass all filters, in order, after the previous page."""
    chosen, after = _exchange_filter(asked), tuple(asked.page.after_key or ())
    numbers = iter([number for number, act in acts.items() if (act, number) > after])
    while some := tuple(islice(numbers, _ROWS_PER_READ)):
        rows = asked.snapshot.read_exchanges(
            asked.question.programme_id, replace(chosen, numbers=some), (), None, len(some)
        )
        by_number = {revisions[0].exchange: revisions for revisions in rows}
        yield from (by_number[number] for number in some if number in by_number)


def _exchange_filter(asked: QueryContext) -> ExchangeFilter:
    """Which exchanges are asked for.

    Raises ImpossibleQuestionError for more ids than a page holds.
    """
    request, question = asked.request, asked.question
    if len(request.exchange_ids) > MAX_PAGE_SIZE:
        limit = f"has {len(request.exchange_ids):,} ids; at most {MAX_PAGE_SIZE:,}"
        raise ImpossibleQuestionError(f"exchange_ids {limit}", (Violation("exchange_ids", limit),))
    return ExchangeFilter(
        from_day=question.from_day,
        to_day=question.to_day,
        kinds=question.kinds,
        formalities=question.formalities,
        topics=question.topics,
        parties=_recorded_ids(asked, question.organization_ids),
        givers=_recorded_ids(asked, (request.giver_id,)),
        receivers=_recorded_ids(asked, (request.receiver_id,)),
        batch=tidy(request.batch),
        exchange_ids=tuple(map(_id, request.exchange_ids)),
        standing_only=request.standing_only,
        excluded_numbers=_internal_numbers(asked),
    )


def _recorded_ids(asked: QueryContext, organization_ids: Sequence[str]) -> tuple[str, ...] | None:
    """The ids as recorded that mean one of these organizations; None when none is named."""
    aliases = asked.frame.aliases
    wanted = {resolve(aliases, name) for each in organization_ids if (name := tidy(each))}
    if not wanted:
        return None
    return tuple(each for each in asked.frame.columns.ids if resolve(aliases, each) in wanted)


def _internal_numbers(asked: QueryContext) -> tuple[int, ...]:
    """Internal exchanges of the side that is asked for, which are evidence of no tie."""
    side_id = tidy(asked.request.giver_id) or tidy(asked.request.receiver_id)
    if not side_id:
        return ()
    frame = asked.frame
    return tuple(frame.find_internal_numbers(resolve(frame.aliases, side_id)))


def _id(typed: str) -> str:
    return typed.strip().lower()


def _key(revisions: Sequence[StoredRevision], order: Sequence[OrderTerm]) -> list[int]:
    """Where an exchange stands in an order; see `Snapshot.exchanges`."""
    current = revisions[-1]
    said = [row for row in revisions if row.state is not RevisionState.RETRACTED][-1]
    event = event_pb2.Event.FromString(said.value)
    times = {
        "occur_time": to_instant(event.occur_time, ""),
        "record_time": current.record_time,
    }
    return [*(times[term.field] for term in order), current.exchange]
