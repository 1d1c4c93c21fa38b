"""One long recording of `AsyncClient`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from mutua.async_connection import AsyncConnection, AsyncLink
from mutua.connection import Attempts, new_request_id
from mutua.recording import Recorded, UnansweredGroups
from mutua.recording_stream import StreamCall, StreamResult
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordStreamRequest, RecordStreamResponse


class AsyncRecordingStream:
    """Groups in, answers out, through as many calls as it takes: one task feeds, one takes."""

    def __init__(self, connection: AsyncConnection, link: AsyncLink) -> None:
        self._connection = connection
        self._link = link
        self._request_id = new_request_id()
        self._window = UnansweredGroups()
        self._is_complete = False
        self._changed = asyncio.Event()
        self._open()

    async def feed(self, batches: AsyncIterator[list[Event]]) -> None:
        """Sends a group for each batch, waiting while too much is not answered."""
        try:
            async for events in batches:
                group = RecordStreamRequest(events=events)
                self._window.add(group)
                self._call.send(group)
                self._changed.set()
                await self._until(lambda: not self._window.is_full)
        finally:
            self._is_complete = True
            self._call.finish()
            self._changed.set()

    async def has_unanswered(self) -> bool:
        """Waits until something is sent; False when everything is and was answered."""
        await self._until(lambda: bool(self._window) or self._is_complete)
        return bool(self._window)

    async def next_answer(self) -> Recorded:
        attempts = Attempts(self._connection, is_write=True, request_id=self._request_id)
        while True:
            received = await self._next(attempts.timeout_seconds())
            if isinstance(received, RecordStreamResponse):
                self._changed.set()
                return self._window.pop_oldest(received)
            await self._connection.sleep(attempts.delay_seconds(received))
            self._call.cancel()
            self._link = await self._connection.next_link(self._link, attempts)
            self._open()

    def close(self) -> None:
        """Gives up what is not answered."""
        if self._window or not self._is_complete:
            self._call.cancel()

    async def _next(self, timeout_seconds: float) -> StreamResult:
        try:
            return await asyncio.wait_for(self._received.get(), timeout_seconds)
        except TimeoutError:
            return self._connection.timeout_error()

    def _open(self) -> None:
        """Begins a call with the first group that was not answered."""
        self._received: asyncio.Queue[StreamResult] = asyncio.Queue()
        put, loop = self._received.put_nowait, asyncio.get_running_loop()

        def receive(received: StreamResult) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(put, received)

        self._call = StreamCall(self._link.blocking, self._connection, self._request_id, receive)
        for group in self._window:
            self._call.send(group)
        if self._is_complete:
            self._call.finish()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()
