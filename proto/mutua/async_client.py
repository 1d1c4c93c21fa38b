"""The client for asyncio programs, with the methods of `Client`."""

import asyncio
import os
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
)
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import Self

from mutua.async_connection import AsyncConnection, AsyncRetryClock
from mutua.async_reader import AsyncReader
from mutua.async_recording_stream import AsyncRecordingStream
from mutua.errors import MutuaError
from mutua.location import DirectoryLocation, locate
from mutua.recording import BatchBuilder, Recorded, complete_event
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest


class _AsyncioClock:
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


class AsyncClient(AsyncReader):
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


async def _each(events: Iterable[Event] | AsyncIterable[Event]) -> AsyncIterator[Event]:
    if isinstance(events, AsyncIterable):
        async for event in events:
            yield event
    else:
        for event in events:
            yield event
