"""`GET /api/v1/watch/...`: an answer and what changes in it, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mutua.v1.watch_service_pb2 import WatchEvent
from services.adapters.call_context import CallContext
from services.adapters.http.http_context import ORGANIZATION_HEADER, HttpContext
from services.adapters.http.parameters import read_request
from services.adapters.http.questions import name_route, wait_until_disconnected
from services.adapters.telemetry.call_metrics import instrument_handler
from services.adapters.telemetry.metrics import Meter
from services.adapters.wire.json_form import to_dictionary
from services.ledger.errors import MutuaError

KEEP_ALIVE_SECONDS: Final = 15.0
_RETRY_MILLISECONDS: Final = 1_000
"""Pause after which a browser connects again."""
_SMALL_BYTES: Final = 16_000
"""Messages up to this size are rendered on the event loop, because a thread would cost more."""
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_PREFIX: Final = "WATCH_EVENT_"
_LAST_EVENT_ID: Final = "last-event-id"
_HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would collect events
    "vary": ORGANIZATION_HEADER,
}


class StreamedMessage(Protocol):
    """A message of a watch, which its subscribers share."""

    @property
    def event(self) -> WatchEvent.ValueType:
        """What the message is."""

    @property
    def resume_token(self) -> str:
        """ "" unless the message is the last of a step."""

    @property
    def content(self) -> bytes:
        """The message in wire format."""

    @property
    def message(self) -> Any:
        """The message."""


class Watching(Protocol):
    """Sends the messages of watches."""

    def watch(
        self, rpc: str, request: Any, context: CallContext
    ) -> AsyncGenerator[StreamedMessage, None]:
        """The messages of a watch. Raises MutuaError, usually instead of the first one."""


def make_watch_routes(
    services: Sequence[ServiceDescriptor],
    watching: Watching,
    meter: Meter,
    *,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
) -> Iterator[Route]:
    """A route for each rpc of these services that streams."""
    events = _EventWriter()
    for rpc in (rpc for service in services for rpc in service.methods):
        if rpc.server_streaming:
            watch = _Watch(rpc, watching, meter, events, keep_alive_seconds)
            yield Route(name_route(rpc), watch.open, methods=["GET"], name=rpc.name)


class _Watch:
    """Opens the streams of one rpc."""

    def __init__(
        self,
        rpc: MethodDescriptor,
        watching: Watching,
        meter: Meter,
        events: _EventWriter,
        keep_alive_seconds: float,
    ) -> None:
        self._rpc = rpc
        self._watching = watching
        self._events = events
        self._keep_alive_seconds = keep_alive_seconds
        self._watch = instrument_handler(self._follow, rpc.name, meter, streams=True)

    async def open(self, request: Request) -> EventStream:
        events = self._watch(request, HttpContext(request))
        return EventStream(events, self._keep_alive_seconds)

    async def _follow(self, request: Request, context: CallContext) -> AsyncGenerator[bytes, None]:
        """The events. The token is the one of the last event that a browser has, else the
        parameter."""
        message = read_request(request.scope["query_string"], self._rpc.input_type)
        message.resume_token = request.headers.get(_LAST_EVENT_ID, "") or message.resume_token
        async with aclosing(self._watching.watch(self._rpc.name, message, context)) as messages:
            async for each in messages:
                yield await self._events.write(each)


class _EventWriter:
    """Writes messages as events, each once for all who are sent it."""

    def __init__(self) -> None:
        self._events: WeakKeyDictionary[StreamedMessage, asyncio.Future[bytes]] = (
            WeakKeyDictionary()
        )

    async def write(self, message: StreamedMessage) -> bytes:
        """The event. A large one is rendered on a thread."""
        if (event := self._events.get(message)) is None:
            event = self._events[message] = asyncio.ensure_future(self._render(message))
        return await asyncio.shield(event)

    async def _render(self, message: StreamedMessage) -> bytes:
        if len(message.content) <= _SMALL_BYTES:
            return _render(message)
        return await asyncio.to_thread(_render, message)


def _render(message: StreamedMessage) -> bytes:
    """An event named `snapshot` or `delta`, `reset`, `progress`; its id is the resume token."""
    name = WatchEvent.Name(message.event).removeprefix(_PREFIX).lower().removesuffix("_complete")
    lines = [f"event: {name}", f"data: {_encode(to_dictionary(message.message))}"]
    if message.resume_token:  # otherwise a browser keeps the id of the step before
        lines.append(f"id: {message.resume_token}")
    return "\n".join((*lines, "\n")).encode()


class EventStream:
    """A response of events, which ends when they end or the client is gone.

    An error before the first event is raised; a later one ends the stream, and the client meets it
    when it comes back.
    """

    def __init__(self, events: AsyncGenerator[bytes, None], keep_alive_seconds: float) -> None:
        self._events = events
        self._keep_alive_seconds = keep_alive_seconds
        self._is_open = False
        self._sent_count = 0

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_events(send))
        others = (
            asyncio.create_task(wait_until_disconnected(receive)),
            asyncio.create_task(self._keep_alive(send)),
        )
        try:
            await asyncio.wait((sending, others[0]), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, *others):
                task.cancel()
            await asyncio.wait((sending, *others))

    async def _send_events(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            try:
                async for event in events:
                    if not self._is_open:
                        await self._open(send)
                    self._sent_count += 1
                    await _send_body(send, event)
            except MutuaError:
                if not self._is_open:
                    raise
        if not self._is_open:
            await self._open(send)
        await _send_body(send, b"", more_body=False)

    async def _open(self, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _send_body(send, f"retry: {_RETRY_MILLISECONDS}\n\n".encode())
        self._is_open = True

    async def _keep_alive(self, send: Send) -> None:
        """Sends a comment after a time without an event, so that no proxy ends the stream."""
        while True:
            sent_count = self._sent_count
            await asyncio.sleep(self._keep_alive_seconds)
            if self._is_open and self._sent_count == sent_count:
                await _send_body(send, b": keep-alive\n\n")


async def _send_body(send: Send, body: bytes, *, more_body: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more_body})
