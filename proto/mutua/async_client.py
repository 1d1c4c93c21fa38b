"""What asyncio programs use: the twin of `Client`."""

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import grpc

from mutua import reads
from mutua.async_connection import AsyncClock, AsyncConnection
from mutua.async_stream import AsyncStream
from mutua.connection import addresses
from mutua.pages import AsyncPages, Page
from mutua.reads import ListRead, Read
from mutua.recording import Batching, Recorded, completed
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.query_service_pb2 import GetNetworkResponse, Question
from mutua.v1.query_service_pb2_grpc import QueryServiceStub

Asked = ParamSpec("Asked")
Response = TypeVar("Response")
PageOf = TypeVar("PageOf", bound=Page)
Row = TypeVar("Row")


class _AsyncioClock:
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


def _answer(
    read: Callable[Concatenate[str, Asked], Read[Response]],
) -> "Callable[Concatenate[AsyncClient, Asked], Awaitable[Response]]":
    @wraps(read)
    async def ask(self: "AsyncClient", /, *args: Asked.args, **kwargs: Asked.kwargs) -> Response:
        return await self._ask(read(self.programme, *args, **kwargs))

    return ask


def _list(
    read: Callable[Concatenate[str, Asked], ListRead[PageOf, Row]],
) -> "Callable[Concatenate[AsyncClient, Asked], Awaitable[AsyncPages[Row]]]":
    @wraps(read)
    async def ask(
        self: "AsyncClient", /, *args: Asked.args, **kwargs: Asked.kwargs
    ) -> AsyncPages[Row]:
        return await self._pages(read(self.programme, *args, **kwargs))

    return ask


class AsyncClient:
    """`Client` for asyncio: the same arguments, the same methods, awaited; the same errors.

    Belongs to the event loop in which it is made. Lists are awaited for their first page and then
    iterated: `async for balance in await client.list_balances()`.
    """

    def __init__(
        self,
        server: str,
        programme: str = "default",
        organization: str = "",
        deadline_seconds: float = 30.0,
        *,
        clock: AsyncClock = _AsyncioClock,
    ) -> None:
        self.programme = programme
        self._connections = [
            AsyncConnection(
                address, organization=organization, deadline_seconds=deadline_seconds, clock=clock
            )
            for address in addresses(server)
        ]
        # One address serves both.
        self._ingest, self._query = self._connections[0], self._connections[-1]
        self._ingest_stub = IngestServiceStub(self._ingest.channel)
        self._stub = QueryServiceStub(self._query.channel)

    async def record(self, events: Iterable[Event]) -> str:
        """See `Client.record`. When its task is cancelled, nobody knows whether the facts stand."""
        request = RecordEventsRequest(events=[completed(each, self.programme) for each in events])
        method = self._ingest_stub.RecordEvents
        return (await self._ingest.call(method, request, is_write=True)).position

    async def record_stream(
        self, events: Iterable[Event] | AsyncIterable[Event]
    ) -> AsyncGenerator[Recorded, None]:
        """See `Client.record_stream`. Events are taken in a task of their own, a little ahead.

        What was sent is answered before an error of `events` itself is raised. Close it when it
        is not iterated to its end (`contextlib.aclosing`).
        """
        method = IngestServiceStub(self._ingest.blocking_channel).RecordStream
        stream = AsyncStream(self._ingest, method)
        feeding = asyncio.create_task(stream.feed(self._batches(events)))
        try:
            while await stream.has_unanswered():
                yield await stream.answer()
            await feeding
        finally:
            feeding.cancel()
            stream.close()

    get_balance = _answer(reads.get_balance)
    get_concentration = _answer(reads.get_concentration)
    get_exchange = _answer(reads.get_exchange)
    get_programme = _answer(reads.get_programme)
    get_status = _answer(reads.get_status)
    list_balances = _list(reads.list_balances)
    list_pairs = _list(reads.list_pairs)
    list_organizations = _list(reads.list_organizations)
    list_exchanges = _list(reads.list_exchanges)
    list_batches = _list(reads.list_batches)
    list_quarantine = _list(reads.list_quarantine)

    async def get_network(
        self, question: Question | None = None, *, min_position: str = "", order_by: str = ""
    ) -> GetNetworkResponse:
        """Organizations as nodes, isolates too, and all directed ties as edges."""
        read = reads.get_network(
            self.programme, question, min_position=min_position, order_by=order_by
        )
        network = await self._ask(read)
        while network.next_page_token:
            read.request.page_token = network.next_page_token
            reads.join(network, await self._ask(read))
        return network

    async def close(self) -> None:
        """Ends requests under way as CANCELLED; later ones raise ValueError, like a closed file."""
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
        await self.close()

    async def _batches(
        self, events: Iterable[Event] | AsyncIterable[Event]
    ) -> AsyncIterator[list[Event]]:
        batching = Batching()
        async for event in _each(events):
            if batch := batching.add(completed(event, self.programme)):
                yield batch
        if batch := batching.rest():
            yield batch

    async def _ask(self, read: Read[Response]) -> Response:
        # The table names the stub's methods by their other sort; on this channel they are async.
        method = cast("grpc.aio.UnaryUnaryMultiCallable[Any, Response]", read.method(self._stub))
        return await self._query.call(method, read.request)

    async def _pages(self, read: ListRead[PageOf, Row]) -> AsyncPages[Row]:
        async def fetch(page_token: str) -> tuple[PageOf, Iterable[Row]]:
            read.request.page_token = page_token
            page = await self._ask(read)
            return page, read.rows_of(page)

        return AsyncPages(await fetch(""), fetch)


async def _each(events: Iterable[Event] | AsyncIterable[Event]) -> AsyncIterator[Event]:
    if isinstance(events, AsyncIterable):
        async for event in events:
            yield event
    else:
        for event in events:
            yield event
