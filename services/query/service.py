"""QueryService: every answer at one position, with what it rests on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final, TypeVar

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.query_service_pb2_grpc import QueryServiceServicer
from services.adapters.grpc_server import Context, remaining_seconds, scope_of
from services.adapters.wire.answer import (
    from_balance,
    from_coverage,
    from_pair,
    from_revisions,
)
from services.adapters.wire.question import require_no_order, to_question
from services.adapters.wire.values import from_day, tidy
from services.ledger.errors import NotAllowed, NotFound
from services.ledger.identity import resolve
from services.ledger.ports import QueryStore, RevisionRow, Snapshot
from services.ledger.position import Position, parse_position
from services.ledger.question import Coverage, Question
from services.ledger.times import Day, Instant, day_of
from services.network.balances import balances
from services.network.frame import Frame
from services.network.pairs import pairs
from services.query.lists import exchange_filter, organization_count, organizations
from services.query.paging import page_of
from services.query.programmes import Programmes
from services.query.progress import DEFAULT_WAIT_SECONDS, Progress

NAME: Final = "mutua.v1.QueryService"
FACTS_WAITING: Final = "FACTS_WAITING"
FACTS_QUARANTINED: Final = "FACTS_QUARANTINED"
_THREADS: Final = 8
_PAGE_BYTES: Final = 4 << 20
_ANSWER_SECONDS: Final = 0.2
"""Kept of the caller's deadline, so that the caller hears the reason rather than a deadline."""

Result = TypeVar("Result")


class QueryService(QueryServiceServicer):
    def __init__(
        self,
        store: QueryStore,
        progress: Progress,
        *,
        log_id: str,
        log_end: Callable[[], int],
        model_version: int,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._store = store
        self._progress = progress
        self._log_id = log_id
        self._log_end = log_end
        self._model_version = model_version
        self._clock = clock
        self._programmes = Programmes()
        # Threads of its own: questions never take those in which facts are checked.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="question")

    async def GetBalance(
        self, request: pb.GetBalanceRequest, context: Context
    ) -> pb.GetBalanceResponse:
        question = replace(self._question(request.question, context), organization_ids=())
        organization_id = tidy(request.organization_id)

        def answer(_: Snapshot, frame: Frame) -> pb.GetBalanceResponse:
            wanted = resolve(frame.aliases, organization_id)
            if wanted not in frame.roster and not frame.has_seen(wanted):
                raise NotFound(
                    f"organization {organization_id!r} is neither registered nor named in an "
                    "exchange; mutua organizations lists those that are"
                )
            found = balances(frame, question, including=wanted)
            [balance] = [row for row in found.rows if row.organization_id == wanted]
            return pb.GetBalanceResponse(
                balance=from_balance(balance),
                **self._reading(frame, question, found.coverage, found.warnings),
            )

        return await self._ask(request, context, question, answer)

    async def ListBalances(
        self, request: pb.ListBalancesRequest, context: Context
    ) -> pb.ListBalancesResponse:
        require_no_order(request.order_by)
        question, page = self._question(request.question, context), page_of(request)

        def answer(_: Snapshot, frame: Frame) -> pb.ListBalancesResponse:
            found = balances(frame, question)
            rows = [row for row in found.rows if not page.after or row.organization_id > page.after]
            rows, more = rows[: page.size], len(rows) > page.size
            return pb.ListBalancesResponse(
                balances=map(from_balance, rows),
                next_page_token=page.token(rows[-1].organization_id) if more else "",
                **self._reading(frame, question, found.coverage, found.warnings),
            )

        return await self._ask(request, context, question, answer)

    async def ListPairs(
        self, request: pb.ListPairsRequest, context: Context
    ) -> pb.ListPairsResponse:
        require_no_order(request.order_by)
        question, page = self._question(request.question, context), page_of(request)

        def answer(_: Snapshot, frame: Frame) -> pb.ListPairsResponse:
            found = pairs(frame, question)
            after = tuple(page.after or ())
            rows = [row for row in found.rows if (row.giver_id, row.receiver_id) > after]
            rows, more = rows[: page.size], len(rows) > page.size
            return pb.ListPairsResponse(
                pairs=map(from_pair, rows),
                next_page_token=page.token([rows[-1].giver_id, rows[-1].receiver_id])
                if more
                else "",
                **self._reading(frame, question, found.coverage, found.warnings),
            )

        return await self._ask(request, context, question, answer)

    async def ListExchanges(
        self, request: pb.ListExchangesRequest, context: Context
    ) -> pb.ListExchangesResponse:
        require_no_order(request.order_by)
        question, page = self._question(request.question, context), page_of(request)

        def answer(snapshot: Snapshot, frame: Frame) -> pb.ListExchangesResponse:
            after = -1 if page.after is None else page.after
            chosen = exchange_filter(frame, question, request)
            found = snapshot.exchanges(question.programme_id, chosen, after, page.size + 1)
            rows = list(_fitting(found[: page.size]))
            more = len(found) > len(rows)
            coverage = frame.coverage(question, frame.inside(question))
            return pb.ListExchangesResponse(
                exchanges=map(from_revisions, rows),
                next_page_token=page.token(rows[-1][0].exchange) if more else "",
                **self._reading(frame, question, coverage, ()),
            )

        return await self._ask(request, context, question, answer)

    async def ListOrganizations(
        self, request: pb.ListOrganizationsRequest, context: Context
    ) -> pb.ListOrganizationsResponse:
        require_no_order(request.order_by)
        question, page = self._question(request.question, context), page_of(request)

        def answer(_: Snapshot, frame: Frame) -> pb.ListOrganizationsResponse:
            found = organizations(frame, question)
            rows = [row for row in found if not page.after or row.organization_id > page.after]
            rows, more = rows[: page.size], len(rows) > page.size
            coverage = frame.coverage(question, frame.inside(question))
            return pb.ListOrganizationsResponse(
                organizations=rows,
                next_page_token=page.token(rows[-1].organization_id) if more else "",
                **self._reading(frame, question, coverage, ()),
            )

        return await self._ask(request, context, question, answer)

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        question = self._question(pb.Question(programme_id=request.programme_id), context)

        def answer(snapshot: Snapshot, frame: Frame) -> pb.GetStatusResponse:
            counts = snapshot.counts(question.programme_id)
            end = max(self._log_end(), frame.columns.next_offset)
            coverage = frame.coverage(question, frame.inside(question))
            warnings = [FACTS_WAITING] if counts.waiting_count else []
            warnings += [FACTS_QUARANTINED] if counts.quarantine_count else []
            reading = self._reading(frame, question, coverage, warnings)
            return pb.GetStatusResponse(
                log_position=str(Position(self._log_id, 0, end)),
                projection_position=reading["position"],
                lag_count=end - frame.columns.next_offset,
                fact_count=counts.fact_count,
                exchange_count=counts.exchange_count,
                organization_count=organization_count(frame, question),
                waiting_count=counts.waiting_count,
                quarantine_count=counts.quarantine_count,
                model_version=self._model_version,
                **reading,
            )

        return await self._ask(request, context, question, answer)

    async def _ask(
        self,
        request: Any,
        context: Context,
        question: Question,
        answer: Callable[[Snapshot, Frame], Result],
    ) -> Result:
        """Waits for the position asked for, then answers off the event loop from one snapshot."""
        if request.min_position:
            wanted = parse_position(request.min_position, log_id=self._log_id)
            await self._progress.reach(wanted.next_offset, _patience(context))

        def run() -> Result:
            while True:
                with self._store.snapshot() as snapshot:
                    frame = self._programmes.frame(
                        snapshot, question.programme_id, question.identity
                    )
                    # Another question may have moved the columns on: then take a newer snapshot.
                    if frame.columns.next_offset == snapshot.position():
                        return answer(snapshot, frame)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def _question(self, message: pb.Question, context: Context) -> Question:
        """What is asked and by whom. Raises NotAllowed, before anything is computed."""
        scope = scope_of(context)
        if not scope.sees_all:
            raise NotAllowed("this caller may not ask this question")
        return to_question(message, today=self._today(), scope=scope)

    def _today(self) -> Day:
        return day_of(self._clock())

    def _reading(
        self, frame: Frame, question: Question, coverage: Coverage, warnings: Sequence[str]
    ) -> dict[str, Any]:
        """What every answer carries."""
        return {
            "position": str(Position(self._log_id, 0, frame.columns.next_offset)),
            "as_of_date": from_day(question.as_of_day),
            "coverage": from_coverage(coverage),
            "warnings": warnings,
        }


def _fitting(exchanges: list[list[RevisionRow]]) -> Iterator[list[RevisionRow]]:
    """As many exchanges as a page of bytes holds, at least one."""
    room = _PAGE_BYTES
    for revisions in exchanges:
        size = sum(len(row.value) for row in revisions)
        if size > room < _PAGE_BYTES:
            return
        room -= size
        yield revisions


def _patience(context: Context) -> float:
    remaining = remaining_seconds(context)
    if remaining is None:
        return DEFAULT_WAIT_SECONDS
    return max(0.0, remaining - _ANSWER_SECONDS)
