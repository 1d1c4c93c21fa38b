"""Measures and logs every call, under its request id and trace."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final

from mutua.errors import MutuaError as ClientError
from services.adapters.telemetry.logs import set_request_id
from services.adapters.telemetry.metrics import CALL_SECONDS, OK, Meter
from services.adapters.telemetry.tracing import TRACEPARENT, call_span, get_trace_id
from services.ledger.errors import MutuaError

logger = logging.getLogger(__name__)

_REQUEST_ID: Final = "x-request-id"
_VALID_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def instrument_handler(
    handle: Callable[[Any, Any], Any], method: str, meter: Meter, *, streams: bool
) -> Callable[[Any, Any], Any]:
    """Wraps a handler; `streams` is whether it returns an async iterator of responses."""
    name = method.rpartition("/")[2]

    async def unary(request: Any, context: Any) -> Any:
        with _Call(name, context, meter):
            return await handle(request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        with _Call(name, context, meter):
            async with aclosing(handle(request, context)) as responses:
                async for response in responses:
                    yield response

    return stream if streams else unary


class _Call:
    """Context manager around a call. A class, because a generator costs twice as much."""

    __slots__ = ("_context", "_meter", "_name", "_span", "_start_time")

    def __init__(self, name: str, context: Any, meter: Meter) -> None:
        self._name = name
        self._context = context
        self._meter = meter

    def __enter__(self) -> None:
        self._start_time = time.perf_counter()
        sent_id = traceparent = ""
        for key, value in self._context.invocation_metadata() or ():
            if key == _REQUEST_ID and _VALID_ID.fullmatch(value):
                sent_id = value
            elif key == TRACEPARENT:
                traceparent = value
        self._span = call_span(self._name, traceparent)
        if self._span is not None:
            self._span.__enter__()
            sent_id = sent_id or get_trace_id()
        set_request_id(sent_id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        outcome = _outcome(error)
        seconds = time.perf_counter() - self._start_time
        self._meter.observe(CALL_SECONDS, seconds, self._name, outcome)
        logger.info("%s: %s in %.3f s", self._name, outcome, seconds)
        if self._span is not None:
            self._span.__exit__(kind, error, trace)


def _outcome(error: BaseException | None) -> str:
    match error:
        case None:
            return OK
        case MutuaError():
            return error.reason or error.code
        case ClientError():
            return error.reason or error.code.name
        case asyncio.CancelledError() | GeneratorExit():
            return "CANCELLED"
        case _:
            return "INTERNAL"
