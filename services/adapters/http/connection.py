"""One connection of a client, with the limits that uvicorn does not have."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from heapq import nsmallest
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from services.adapters.http.problems import PROBLEM_TYPE, describe_problem
from services.adapters.open_files import count_http_connections
from services.adapters.wire.json_form import to_json
from services.ledger.errors import OverloadedError
from services.ledger.wording import format_count

_LINGER_SECONDS: Final = 2.0
_ROOMS: Final = 64
"""Part of the connections that is closed at once. Looking for one at a time, among thousands, a
crowd of new ones would stop all others for seconds."""
MAX_HEAD_BYTES: Final = 64 << 10
"""Maximum size of the first line and the headers of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What a client may use of the server."""

    max_connections: int = field(default_factory=count_http_connections)
    """Beyond them, the oldest between requests are closed, one or a 64th of all; ones without any
    request yet come first. If all have requests, a new one is refused."""
    head_seconds: float = 10.0
    """Time from the first byte of a request, or from connecting, to the end of its headers. Without
    it, connections that never send would use up all."""
    stall_seconds: float = 60.0
    """Time after which a client that takes nothing of a response loses the connection. Without it,
    each could keep a whole answer in memory for ever."""


class HttpConnection(H11Protocol):
    """A connection of HTTP/1.1."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._limits = limits
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._is_refused = False

    @property
    def is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.accept_time = self.loop.time()
        self._start_head_timer()
        if len(self.connections) > self._limits.max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        super().data_received(data)
        if not self.is_between_requests:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._start_head_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:  # the client has sent no further request
            self._stop_head_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer = self.loop.call_later(self._limits.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no request, or a request with too long a head."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            detail = (
                f"the first line and the headers have more than {MAX_HEAD_BYTES >> 10} KiB; ask "
                "for fewer values, or by gRPC"
            )
            self._refuse(status, detail, "INVALID_ARGUMENT", "REQUEST_TOO_LARGE")
        else:
            self._refuse(status, f"this is no request of HTTP/1.1: {msg}", "INVALID_ARGUMENT")

    def _make_room(self) -> None:
        others: set[Any] = {*self.connections} - {self}
        count = max(1, self._limits.max_connections // _ROOMS)
        oldest = nsmallest(count, filter(_is_idle, others), key=_order_to_close)
        if not oldest:
            self._refuse(
                503,
                f"this server has {format_count(self._limits.max_connections, 'connection')} "
                "already; try again later",
                OverloadedError.code,
                OverloadedError.reason,
            )
            return
        for each in oldest:
            self.connections.discard(each)
            each.transport.abort()

    def _refuse(self, status: int, detail: str, code: str, reason: str = "") -> None:
        """Answers with a problem, and takes in what the client still sends.

        Closing at once would reset the connection before the client has read the answer.
        """
        body = to_json(describe_problem(status, detail, code=code, reason=reason)).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {PROBLEM_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._is_refused = True
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head_seconds, self._end_silence)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_silence(self) -> None:
        self._head_timer = None
        self._refuse(
            408,
            f"no request arrived within {self._limits.head_seconds:g} s",
            "DEADLINE_EXCEEDED",
        )


def _is_idle(connection: Any) -> bool:
    return connection.is_between_requests and not connection.transport.is_closing()


def _order_to_close(connection: Any) -> tuple[bool, float]:
    return connection.cycle is not None, connection.accept_time
