"""The client for asyncio programs, with the methods of `Client`."""

import asyncio
import os
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Sequence,
)
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import Self, TypeVar, Unpack

from mutua import read_rpcs
from mutua.async_connection import AsyncConnection, AsyncRetryClock
from mutua.async_recording_stream import AsyncRecordingStream
from mutua.errors import MutuaError
from mutua.filters import Filters, takes_filters, to_question
from mutua.limits import MAX_PAGE_SIZE
from mutua.location import DirectoryLocation, locate
from mutua.pages import AsyncPages, ListRequest, ListResponse
from mutua.read_rpcs import ListRpc, ReadRpc
from mutua.recording import BatchBuilder, Recorded, complete_event
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.query_service_pb2 import (
    Balance,
    Batch,
    Exchange,
    GetBalanceRequest,
    GetBalanceResponse,
    GetConcentrationRequest,
    GetConcentrationResponse,
    GetExchangeRequest,
    GetExchangeResponse,
    GetNetworkRequest,
    GetNetworkResponse,
    GetProgrammeRequest,
    GetProgrammeResponse,
    GetStatusRequest,
    GetStatusResponse,
    ListBalancesRequest,
    ListBatchesRequest,
    ListExchangesRequest,
    ListOrganizationsRequest,
    ListPairsRequest,
    ListQuarantineRequest,
    Organization,
    Pair,
    QuarantinedRecord,
    Question,
)

Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=ListResponse)
Row = TypeVar("Row")


class _AsyncioClock:
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


class AsyncClient:
    """`Client` for asyncio: the same arguments, the same methods, awaited; the same errors.

    It belongs to the event loop that creates it. Await a list for its first page, then iterate:
    `async for balance in await client.list_balances()`.
    """

    def __init__(
        self,
        server: str = "",
        programme: str = "default",
        organization: str = "",
        deadline_seconds: float = 30.0,
        *,
        directory: str | os.PathLike[str] | DirectoryLocation | None = None,
        clock: AsyncRetryClock = _AsyncioClock,
    ) -> None:
        self.programme = programme
        self.organization = organization
        self._connections = [
            AsyncConnection(
                location, organization=organization, deadline_seconds=deadline_seconds, clock=clock
            )
            for location in locate(server, directory)
        ]
        # One server does both.
        self._ingest, self._query = self._connections[0], self._connections[-1]

    async def record(self, events: Iterable[Event]) -> str:
        """See `Client.record`. If its task is cancelled, the facts may or may not be recorded."""
        request = RecordEventsRequest(
            events=[complete_event(each, self.programme) for each in events]
        )
        response = await self._ingest.call(
            lambda link: link.ingest.RecordEvents, request, is_write=True
        )
        return response.position

    async def record_stream(
        self, events: Iterable[Event] | AsyncIterable[Event]
    ) -> AsyncGenerator[Recorded, None]:
        """See `Client.record_stream`. A separate task consumes `events`, a little ahead.

        Events that were sent are answered before an error of `events` itself is raised. Close the
        generator (`contextlib.aclosing`) unless you iterate it to its end.
        """
        stream = AsyncRecordingStream(self._ingest, await self._ingest.link())
        feeding = asyncio.create_task(stream.feed(self._batches(events)))
        try:
            while await stream.has_unanswered():
                yield await stream.next_answer()
            await feeding
        finally:
            feeding.cancel()
            stream.close()

    @takes_filters
    async def get_balance(
        self,
        organization_id: str,
        question: Question | None = None,
        *,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetBalanceResponse:
        """The balance of one organization. Raises NOT_FOUND if no fact names it."""
        request = GetBalanceRequest(
            organization_id=organization_id,
            question=to_question(self.programme, question, filters),
            min_position=min_position,
        )
        return await self._ask(read_rpcs.BALANCE, request)

    @takes_filters
    async def get_concentration(
        self,
        question: Question | None = None,
        *,
        min_position: str = "",
        **filters: Unpack[Filters],
    ) -> GetConcentrationResponse:
        """How concentrated giving and receiving are: Gini, top three share and Lorenz curve."""
        request = GetConcentrationRequest(
            question=to_question(self.programme, question, filters), min_position=min_position
        )
        return await self._ask(read_rpcs.CONCENTRATION, request)

    async def get_exchange(
        self, exchange_id: str, *, min_position: str = ""
    ) -> GetExchangeResponse:
        """One exchange with all its revisions. Raises NOT_FOUND if it is not recorded."""
        request = GetExchangeRequest(
            programme_id=self.programme, exchange_id=exchange_id, min_position=min_position
        )
        answer = await self._ask(read_rpcs.EXCHANGE, request)
        while answer.exchange.earlier_revision_count:
            request.before_event_id = answer.exchange.revisions[0].event_id
            read_rpcs.prepend_revisions(answer, await self._ask(read_rpcs.EXCHANGE, request))
        return answer

    @takes_filters
    async def get_network(
        self,
        question: Question | None = None,
        *,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> GetNetworkResponse:
        """Organizations, including isolates, as nodes, and all directed ties as edges."""
        request = GetNetworkRequest(
            question=to_question(self.programme, question, filters),
            page_size=MAX_PAGE_SIZE,
            min_position=min_position,
            order_by=order_by,
        )
        network = await self._ask(read_rpcs.NETWORK, request)
        while network.next_page_token:
            request.page_token = network.next_page_token
            read_rpcs.append_page(network, await self._ask(read_rpcs.NETWORK, request))
        return network

    async def get_programme(self, *, min_position: str = "") -> GetProgrammeResponse:
        """The settings of the programme, and its topics with their labels."""
        request = GetProgrammeRequest(programme_id=self.programme, min_position=min_position)
        return await self._ask(read_rpcs.PROGRAMME, request)

    async def get_status(self, *, min_position: str = "") -> GetStatusResponse:
        """The progress of the read models and their counts of records."""
        request = GetStatusRequest(programme_id=self.programme, min_position=min_position)
        return await self._ask(read_rpcs.STATUS, request)

    @takes_filters
    async def list_balances(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> AsyncPages[Balance]:
        """The amounts that every organization gave and received, ordered by organization id."""
        request = ListBalancesRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return await self._pages(read_rpcs.BALANCES, request)

    @takes_filters
    async def list_pairs(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> AsyncPages[Pair]:
        """One row per pair of organizations with an exchange, ordered by giver and receiver id."""
        request = ListPairsRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return await self._pages(read_rpcs.PAIRS, request)

    @takes_filters
    async def list_organizations(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        **filters: Unpack[Filters],
    ) -> AsyncPages[Organization]:
        """The roster and every unregistered organization in an exchange, ordered by id."""
        request = ListOrganizationsRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
        )
        return await self._pages(read_rpcs.ORGANIZATIONS, request)

    @takes_filters
    async def list_exchanges(
        self,
        question: Question | None = None,
        *,
        page_size: int = 0,
        min_position: str = "",
        order_by: str = "",
        batch: str = "",
        exchange_ids: Sequence[str] = (),
        giver_id: str = "",
        receiver_id: str = "",
        standing_only: bool = False,
        possible_doubles: bool = False,
        **filters: Unpack[Filters],
    ) -> AsyncPages[Exchange]:
        """Exchanges with all their revisions, in log order.

        `standing_only` leaves out retracted exchanges. `giver_id` and `receiver_id` together select
        the evidence of one edge, `possible_doubles` the exchanges that may be reported twice.
        """
        request = ListExchangesRequest(
            question=to_question(self.programme, question, filters),
            page_size=page_size,
            min_position=min_position,
            order_by=order_by,
            batch=batch,
            exchange_ids=exchange_ids,
            giver_id=giver_id,
            receiver_id=receiver_id,
            standing_only=standing_only,
            possible_doubles=possible_doubles,
        )
        return await self._pages(read_rpcs.EXCHANGES, request)

    async def list_batches(
        self, *, page_size: int = 0, min_position: str = ""
    ) -> AsyncPages[Batch]:
        """The imported batches, ordered by name and generation."""
        request = ListBatchesRequest(
            programme_id=self.programme, page_size=page_size, min_position=min_position
        )
        return await self._pages(read_rpcs.BATCHES, request)

    async def list_quarantine(
        self, *, offsets: Sequence[int] = (), page_size: int = 0, min_position: str = ""
    ) -> AsyncPages[QuarantinedRecord]:
        """Quarantined records with their reason, in log order: all, or only those at `offsets`."""
        request = ListQuarantineRequest(
            programme_id=self.programme,
            page_size=page_size,
            min_position=min_position,
            offsets=offsets,
        )
        return await self._pages(read_rpcs.QUARANTINE, request)

    async def close(self) -> None:
        """See `Client.close`."""
        for connection in self._connections:
            await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The first error explains more than its consequence.
        with suppress(MutuaError) if error is not None else nullcontext():
            await self.close()

    async def _batches(
        self, events: Iterable[Event] | AsyncIterable[Event]
    ) -> AsyncIterator[list[Event]]:
        batching = BatchBuilder()
        async for event in _each(events):
            if batch := batching.add(complete_event(event, self.programme)):
                yield batch
        if batch := batching.flush():
            yield batch

    async def _ask(self, read: ReadRpc[Response], request: object) -> Response:
        return await self._query.call(lambda link: read.stub_method(link.query), request)

    async def _pages(self, read: ListRpc[PageOf, Row], request: ListRequest) -> AsyncPages[Row]:
        async def fetch(page_token: str) -> tuple[PageOf, Iterable[Row]]:
            request.page_token = page_token
            page = await self._ask(read, request)
            return page, read.rows_of(page)

        return AsyncPages(await fetch(""), fetch)


async def _each(events: Iterable[Event] | AsyncIterable[Event]) -> AsyncIterator[Event]:
    if isinstance(events, AsyncIterable):
        async for event in events:
            yield event
    else:
        for event in events:
            yield event
