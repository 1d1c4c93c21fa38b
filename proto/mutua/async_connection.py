"""One server address for asyncio: the channel to it, and the retries of a request."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

import grpc

from mutua.connection import CHANNEL_OPTIONS, Attempts, Peer
from mutua.errors import MutuaError

Response = TypeVar("Response")


class AsyncClock(Protocol):
    """The time that retries need."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> Awaitable[None]: ...


class AsyncConnection(Peer):
    """Sends requests to one address until they are answered or the deadline has passed."""

    def __init__(
        self, address: str, *, organization: str, deadline_seconds: float, clock: AsyncClock
    ) -> None:
        super().__init__(
            address,
            organization=organization,
            deadline_seconds=deadline_seconds,
            monotonic=clock.monotonic,
        )
        asyncio.get_running_loop()  # gRPC would take another loop in silence, and then hang
        self.channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.blocking_channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.sleep = clock.sleep

    async def call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Any, Response]",
        request: object,
        *,
        is_write: bool = False,
    ) -> Response:
        """The answer. Raises the MutuaError that ended the attempts."""
        self.require_open()
        attempts = Attempts(self, is_write=is_write)
        metadata = self.metadata(attempts.request_id)
        while True:
            try:
                response = await method(
                    request, timeout=attempts.timeout_seconds(), metadata=metadata
                )
            except grpc.RpcError as failure:
                delay = attempts.delay_seconds(self.failed(failure))
            except asyncio.CancelledError:
                # A call that the closing channel ended looks as if its task had been cancelled.
                task = asyncio.current_task()
                if task is None or task.cancelling() or not self.is_closed:
                    raise
                raise MutuaError("The client was closed.", code=grpc.StatusCode.CANCELLED) from None
            else:
                self.was_reached = True
                return response
            await self.sleep(delay)

    async def close(self) -> None:
        """Ends requests under way as CANCELLED."""
        self.is_closed = True
        self.blocking_channel.close()
        await self.channel.close()
