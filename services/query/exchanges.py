"""Questions about exchanges and their revisions: the evidence behind every number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from mutua.limits import MAX_PAGE_SIZE
from mutua.v1 import event_pb2
from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_revisions
from services.adapters.wire.values import tidy, to_instant
from services.ledger.enums import RevisionState
from services.ledger.errors import ImpossibleQuestionError, NotFoundError
from services.ledger.identity import resolve
from services.ledger.question import POSSIBLE_DOUBLE_REPORTS
from services.ledger.records import ExchangeFilter, StoredRevision
from services.query.query_context import QueryContext
from services.query.row_order import OrderTerm, parse_order
from services.query.statements import make_statement_fields

ORDERABLE_TIMES: Final = ("occur_time", "record_time")
"""Fields that exchanges can be sorted by: times of the current revision."""
_ROWS_PER_READ: Final = 500
"""Maximum number of possible doubles in memory: a page may have room for only a few."""

Revisions = list[StoredRevision]


def list_exchanges(query: QueryContext) -> pb.ListExchangesResponse:
    """A page of exchanges in log order or by time; possible doubles are grouped by act."""
    order = parse_order(query.request.order_by, ORDERABLE_TIMES)
    if query.request.possible_doubles:
        acts = _possible_double_acts(query)
        rows = _possible_doubles(query, acts)

        def make_key(revisions: Revisions) -> list[int]:
            return [acts[revisions[-1].exchange], revisions[-1].exchange]
    else:
        rows = query.snapshot.read_exchanges(
            *(query.question.programme_id, make_exchange_filter(query), order),
            *(query.page.after_key, query.page.size + 1),
        )

        def make_key(revisions: Revisions) -> list[int]:
            return _make_key(revisions, order)

    fields = query.coverage_fields()
    has_doubles = fields["coverage"].possible_double_count > 0
    page = pb.ListExchangesResponse(
        warnings=[POSSIBLE_DOUBLE_REPORTS] if has_doubles else [],
        **fields,
    )
    return query.fill_page(page, rows, from_revisions, make_key)


def get_exchange(query: QueryContext) -> pb.GetExchangeResponse:
    """One exchange; with `before_event_id` only the revisions before that one.

    Raises NotFoundError if no exchange has this id, ImpossibleQuestionError if the exchange has no
    revision before `before_event_id`.
    """
    programme_id, exchange_id = query.question.programme_id, _id(query.request.exchange_id)
    one_exchange = ExchangeFilter(exchange_ids=(exchange_id,))
    revisions = next(query.snapshot.read_exchanges(programme_id, one_exchange, (), None, 1), None)
    if revisions is None:
        raise NotFoundError(
            f"no exchange {exchange_id!r} was recorded in programme {programme_id!r}",
            remedy="mutua exchanges lists what was",
        )
    statement_fields = make_statement_fields(query, revisions)
    if before := _id(query.request.before_event_id):
        revisions = _earlier(revisions, before)
    return pb.GetExchangeResponse(
        exchange=from_revisions(revisions), **statement_fields, **query.coverage_fields()
    )


def _earlier(revisions: list[StoredRevision], event_id: str) -> list[StoredRevision]:
    """The revisions before an event. Raises ImpossibleQuestionError if there are none."""
    indices = [index for index, row in enumerate(revisions) if row.event_id == event_id]
    if not any(indices):
        raise ImpossibleQuestionError.for_field(
            "before_event_id",
            "is not the event id of a revision of this exchange that has one before it",
        )
    return revisions[: indices[0]]


def _possible_double_acts(query: QueryContext) -> dict[int, int]:
    """Exchange number -> act number, for exchanges that may be two reports of one act.

    Raises ImpossibleQuestionError if the request also has an order.
    """
    if query.request.order_by:
        raise ImpossibleQuestionError.for_field(
            "order_by",
            "cannot be combined with possible_doubles, which are listed act by act",
            "leave one of them out",
        )
    acts, numbers = query.view.find_possible_doubles(query.view.select_exchanges(query.question))
    return dict(zip(numbers.tolist(), acts.tolist(), strict=True))


def _possible_doubles(query: QueryContext, acts: Mapping[int, int]) -> Iterator[Revisions]:
    """The exchanges of `acts` that pass all filters, after those of the previous page."""
    exchange_filter, after_key = make_exchange_filter(query), tuple(query.page.after_key or ())
    numbers = iter([number for number, act in acts.items() if (act, number) > after_key])
    while batch := tuple(islice(numbers, _ROWS_PER_READ)):
        batch_filter = replace(exchange_filter, numbers=batch)
        rows = query.snapshot.read_exchanges(
            query.question.programme_id, batch_filter, (), None, len(batch)
        )
        by_number = {revisions[0].exchange: revisions for revisions in rows}
        yield from (by_number[number] for number in batch if number in by_number)


def make_exchange_filter(query: QueryContext) -> ExchangeFilter:
    """The filter that the request and its question describe.

    Raises ImpossibleQuestionError for more ids than a page holds.
    """
    request, question = query.request, query.question
    if len(request.exchange_ids) > MAX_PAGE_SIZE:
        raise ImpossibleQuestionError.for_field(
            "exchange_ids", f"has {len(request.exchange_ids):,} ids", f"at most {MAX_PAGE_SIZE:,}"
        )
    return ExchangeFilter(
        from_day=question.from_day,
        to_day=question.to_day,
        kinds=question.kinds,
        formalities=question.formalities,
        topics=question.topics,
        parties=_recorded_ids(query, question.organization_ids),
        givers=_recorded_ids(query, (request.giver_id,)),
        receivers=_recorded_ids(query, (request.receiver_id,)),
        batch=tidy(request.batch),
        exchange_ids=tuple(map(_id, request.exchange_ids)),
        standing_only=request.standing_only,
        excluded_numbers=_internal_numbers(query),
    )


def _recorded_ids(query: QueryContext, organization_ids: Sequence[str]) -> tuple[str, ...] | None:
    """The recorded ids that resolve to one of these organizations; None without organizations."""
    aliases = query.view.aliases
    resolved_ids = {resolve(aliases, name) for text in organization_ids if (name := tidy(text))}
    if not resolved_ids:
        return None
    return tuple(
        recorded_id
        for recorded_id in query.view.columns.ids
        if resolve(aliases, recorded_id) in resolved_ids
    )


def _internal_numbers(query: QueryContext) -> tuple[int, ...]:
    """Internal exchanges of the requested giver or receiver, which are evidence of no tie."""
    side_id = tidy(query.request.giver_id) or tidy(query.request.receiver_id)
    if not side_id:
        return ()
    view = query.view
    return tuple(view.find_internal_numbers(resolve(view.aliases, side_id)))


def _id(text: str) -> str:
    return text.strip().lower()


def _make_key(revisions: Sequence[StoredRevision], order: Sequence[OrderTerm]) -> list[int]:
    """The key of an exchange in an order; see `Snapshot.read_exchanges`."""
    current = revisions[-1]
    described = [row for row in revisions if row.state is not RevisionState.RETRACTED][-1]
    event = event_pb2.Event.FromString(described.value)
    times = {
        "occur_time": to_instant(event.occur_time, ""),
        "record_time": current.record_time,
    }
    return [*(times[term.field] for term in order), current.exchange]
