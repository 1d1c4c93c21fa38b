"""Receives the bodies of requests within limits of size, memory and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from starlette.requests import Request

from services.adapters.http.problems import HttpError
from services.ledger.errors import OverloadedError, RequestTooLargeError

BODY_SECONDS: Final = 30.0


class WrongContentTypeError(HttpError):
    """The body is not said to be of the type that is expected."""

    status = 415


class SlowBodyError(HttpError):
    """The body did not arrive in time. Nothing was appended."""

    code = "DEADLINE_EXCEEDED"
    status = 408


class BodyReader:
    """Receives bodies of one content type, which share a budget of memory.

    The type is one that no form of another web site can send without asking first.
    """

    def __init__(
        self,
        content_type: str,
        *,
        max_bytes: int,
        max_waiting_bytes: int,
        remedy: str,
        seconds: float = BODY_SECONDS,
    ) -> None:
        """`max_waiting_bytes` bounds all bodies that are received or read at one time. `remedy`
        follows the limit when a body is too large.
        """
        self._content_type = content_type
        self._max_bytes = max_bytes
        self._max_waiting_bytes = max_waiting_bytes
        self._remedy = remedy
        self._seconds = seconds
        self._waiting_bytes = 0

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[bytes]:
        """The body, which counts against the budget while the context lasts. Raises MutuaError."""
        self._require_type(request)
        with self._reserve(self._find_length(request)) as limit:
            yield await self._read(request, limit)

    def _require_type(self, request: Request) -> None:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != self._content_type:
            raise WrongContentTypeError(
                f"the body is of the type {content_type!r}", remedy=f"send {self._content_type}"
            )

    def _find_length(self, request: Request) -> int:
        """The bytes that the body may have. Raises RequestTooLargeError."""
        length = request.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else self._max_bytes
        if size > self._max_bytes:
            raise self._make_size_error(f"{size:,}")
        return size

    @contextmanager
    def _reserve(self, size: int) -> Iterator[int]:
        """Reserves memory for a body. Raises OverloadedError if other bodies take it all."""
        if self._waiting_bytes + size > self._max_waiting_bytes:
            raise OverloadedError("too many bodies are being received", remedy="try again later")
        self._waiting_bytes += size
        try:
            yield size
        finally:
            self._waiting_bytes -= size

    async def _read(self, request: Request, limit: int) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                async for part in request.stream():
                    body += part
                    if len(body) > limit:
                        raise self._make_size_error(f"more than {limit:,}")
        except TimeoutError:
            raise SlowBodyError(
                f"the body did not arrive within {self._seconds:g} s", remedy="send less at a time"
            ) from None
        return bytes(body)

    def _make_size_error(self, size: str) -> RequestTooLargeError:
        return RequestTooLargeError(
            f"the body has {size} bytes", remedy=f"send at most {self._max_bytes:,}{self._remedy}"
        )
