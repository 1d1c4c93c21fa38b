"""One server for asyncio: the channel to it, and the retries of a request."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

import grpc

from mutua.connection import CHANNEL_OPTIONS, Attempts, Link, Peer
from mutua.errors import MutuaError
from mutua.location import Location
from mutua.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from mutua.v1.watch_service_pb2_grpc import WatchServiceStub

Response = TypeVar("Response")


class AsyncRetryClock(Protocol):
    """The time that retries need."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> Awaitable[None]: ...


class AsyncLink:
    """A channel to one address, and the stubs on it; `blocking` is the same for threads."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        # The stubs are typed for blocking channels; on this one their methods are awaited.
        self.ingest = IngestServiceStub(cast(grpc.Channel, self.channel))
        self.query = QueryServiceStub(cast(grpc.Channel, self.channel))
        self.analysis = AnalysisServiceStub(cast(grpc.Channel, self.channel))
        self.watch = WatchServiceStub(cast(grpc.Channel, self.channel))
        self.blocking = Link(grpc.insecure_channel(address, options=CHANNEL_OPTIONS))

    async def close(self) -> None:
        self.blocking.channel.close()
        await self.channel.close()


class AsyncConnection(Peer):
    """`Connection` for asyncio."""

    def __init__(
        self,
        location: Location,
        *,
        organization: str,
        deadline_seconds: float,
        clock: AsyncRetryClock,
    ) -> None:
        super().__init__(
            location,
            organization=organization,
            deadline_seconds=deadline_seconds,
            monotonic=clock.monotonic,
        )
        asyncio.get_running_loop()  # gRPC would take another loop in silence, and then hang
        self.sleep = clock.sleep
        self._lock = asyncio.Lock()
        self._link: AsyncLink | None = None
        self._former: list[AsyncLink] = []  # their calls end by themselves

    async def link(self) -> AsyncLink:
        """See `Connection.link`. To open a data directory takes time: it is done on a thread."""
        async with self._lock:
            self.require_open()
            if self._link is None:
                self.address = await asyncio.to_thread(self.location.address)
                self._link = AsyncLink(self.address)
            return self._link

    async def call(
        self,
        method: "Callable[[AsyncLink], grpc.UnaryUnaryMultiCallable[Any, Response]]",
        request: object,
        *,
        is_write: bool = False,
    ) -> Response:
        """The answer. Raises the MutuaError that ended the attempts."""
        link = await self.link()
        attempts = Attempts(self, is_write=is_write)
        metadata = self.metadata(attempts.request_id)
        while True:
            send = cast("grpc.aio.UnaryUnaryMultiCallable[Any, Response]", method(link))
            try:
                response = await send(
                    request, timeout=attempts.timeout_seconds(), metadata=metadata
                )
            except grpc.RpcError as failure:
                delay = attempts.delay_seconds(self.to_error(failure))
            except asyncio.CancelledError:
                self._raise_if_closed()
                raise
            else:
                self.was_reached = True
                return response
            await self.sleep(delay)
            link = await self.next_link(link, attempts)

    async def stream(
        self,
        method: "grpc.UnaryStreamMultiCallable[Any, Response]",
        request: object,
        request_id: str,
    ) -> AsyncGenerator[Response, None]:
        """See `Connection.stream`."""
        send = cast("grpc.aio.UnaryStreamMultiCallable[Any, Response]", method)
        call = send(request, metadata=self.metadata(request_id))
        try:
            async for response in call:
                self.was_reached = True
                yield response
        except grpc.RpcError as failure:
            raise self.to_error(failure) from failure
        except asyncio.CancelledError:
            self._raise_if_closed()
            raise
        finally:
            call.cancel()

    async def next_link(self, link: AsyncLink, attempts: Attempts) -> AsyncLink:
        """See `Connection.link_after`."""
        async with self._lock:
            has_moved = self.location.has_moved
            if self._link is link and await asyncio.to_thread(has_moved, self.address):
                self._former.append(link)
                self._link = None
        next_link = await self.link()
        if next_link is not link:
            attempts.restart_deadline()
        return next_link

    async def close(self) -> None:
        """Ends requests under way as CANCELLED."""
        self.is_closed = True
        async with self._lock:
            for link in (self._link, *self._former):
                if link is not None:
                    await link.close()
        await asyncio.to_thread(self.location.close)

    def _raise_if_closed(self) -> None:
        """Raises MutuaError for a CancelledError that comes from closing the client.

        A call that the closing channel ended looks as if its task had been cancelled.
        """
        task = asyncio.current_task()
        if task is not None and not task.cancelling() and self.is_closed:
            raise MutuaError("The client was closed.", code=grpc.StatusCode.CANCELLED) from None
