"""Every call has an id and a trace, is measured, and can be found in the log."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final

from services.adapters.telemetry.logs import set_request_id
from services.adapters.telemetry.metrics import CALL_SECONDS, OK, Meter
from services.adapters.telemetry.tracing import TRACEPARENT, call_span, get_trace_id
from services.ledger.errors import MutuaError

logger = logging.getLogger(__name__)

_REQUEST_ID: Final = "x-request-id"
_FIT: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def instrument_handler(
    handle: Callable[[Any, Any], Any], method: str, meter: Meter, *, streams: bool
) -> Callable[[Any, Any], Any]:
    """A handler that does the same; `streams` is whether it answers with many responses."""
    name = method.rpartition("/")[2]

    async def unary(request: Any, context: Any) -> Any:
        with _Call(name, context, meter):
            return await handle(request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        with _Call(name, context, meter):
            async with aclosing(handle(request, context)) as answers:
                async for answer in answers:
                    yield answer

    return stream if streams else unary


class _Call:
    """One call, from its first step to its last. A class, as a generator costs twice as much."""

    __slots__ = ("_began", "_context", "_meter", "_name", "_span")

    def __init__(self, name: str, context: Any, meter: Meter) -> None:
        self._name = name
        self._context = context
        self._meter = meter

    def __enter__(self) -> None:
        self._began = time.perf_counter()
        given = traceparent = ""
        for key, value in self._context.invocation_metadata() or ():
            if key == _REQUEST_ID and _FIT.fullmatch(value):
                given = value
            elif key == TRACEPARENT:
                traceparent = value
        self._span = call_span(self._name, traceparent)
        if self._span is not None:
            self._span.__enter__()
            given = given or get_trace_id()
        set_request_id(given)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        outcome = _outcome(error)
        seconds = time.perf_counter() - self._began
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
        case asyncio.CancelledError() | GeneratorExit():
            return "CANCELLED"
        case _:
            return "INTERNAL"
