"""Appends to the log from an event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from services.adapters.call_context import CallContext
from services.adapters.grpc.deadline import limit_wait
from services.adapters.telemetry.metrics import (
    APPEND_SECONDS,
    INGESTED_FACTS,
    NO_OP_METER,
    OK,
    Meter,
)
from services.ledger.errors import MutuaError, OutcomeUnknownError
from services.ledger.ports import Log
from services.ledger.position import Position

_MAX_WAIT_SECONDS: Final = 20.0


# decision 0124: acknowledge after durable
class LogAppender:
    """Appends records and delivers the outcomes to one event loop.

    The log resolves its futures on another thread. One wake-up of the loop delivers all outcomes
    that are ready by then.
    """

    def __init__(self, log: Log, meter: Meter = NO_OP_METER) -> None:
        self._log = log
        self._meter = meter
        meter.add(INGESTED_FACTS, 0, OK)
        self._completed_appends: deque[tuple[asyncio.Future[Position], Future[Position]]] = deque()
        self._is_delivery_scheduled = False

    def append(self, programme_id: str, values: Sequence[bytes]) -> asyncio.Future[Position]:
        """Appends records; see `ports.Log`. Cancelling the result does not cancel the append."""
        loop, start = asyncio.get_running_loop(), time.perf_counter()
        outcome: asyncio.Future[Position] = loop.create_future()

        def complete(append: Future[Position]) -> None:
            error = append.exception()
            self.count_facts(len(values), error)
            if error is None:
                self._meter.observe(APPEND_SECONDS, time.perf_counter() - start)
            self._completed_appends.append((outcome, append))
            if not self._is_delivery_scheduled:
                self._is_delivery_scheduled = True
                with suppress(RuntimeError):  # the loop is closed, so nothing awaits the outcome
                    loop.call_soon_threadsafe(self._deliver_outcomes)

        try:
            append = self._log.append(programme_id, values)
        except MutuaError as error:
            self.count_facts(len(values), error)
            raise
        append.add_done_callback(complete)
        return outcome

    def count_facts(self, fact_count: int, error: BaseException | None) -> None:
        """Counts facts as durable, or under the reason of their error."""
        outcome = OK if error is None else getattr(error, "reason", "") or "INTERNAL"
        self._meter.add(INGESTED_FACTS, fact_count, outcome)

    def _deliver_outcomes(self) -> None:
        # Reset before reading the queue: an append that completes later schedules a new wake-up.
        self._is_delivery_scheduled = False
        while self._completed_appends:
            outcome, append = self._completed_appends.popleft()
            if outcome.done():
                continue
            if (error := append.exception()) is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(append.result())


async def wait_until_durable(outcome: asyncio.Future[Position], context: CallContext) -> Position:
    """The position of an append, once it is durable.

    Raises what the log raises, and OutcomeUnknownError if the log does not answer within the
    caller's deadline or 20 seconds.
    """
    wait_seconds = min(_MAX_WAIT_SECONDS, limit_wait(context, _MAX_WAIT_SECONDS))
    try:
        async with asyncio.timeout(wait_seconds):
            return await outcome
    except TimeoutError:
        raise OutcomeUnknownError(
            "the log has not answered yet",
            remedy="send the identical request again, facts count once",
        ) from None
