"""Appends, awaited on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from services.adapters.grpc.server import Context, get_remaining_seconds
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
_ANSWER_SECONDS: Final = 0.2
"""Kept of the caller's deadline, so that the caller hears the reason rather than a deadline."""


# decision 0124: acknowledge after durable
class LogAppender:
    """What the log resolves on its own thread comes to the event loop, many by one wake-up.

    Belongs to one event loop.
    """

    def __init__(self, log: Log, meter: Meter = NO_OP_METER) -> None:
        self._log = log
        self._meter = meter
        meter.add(INGESTED_FACTS, 0, OK)
        self._completed_appends: deque[tuple[asyncio.Future[Position], Future[Position]]] = deque()
        self._is_delivery_scheduled = False

    def append(self, programme_id: str, values: Sequence[bytes]) -> asyncio.Future[Position]:
        """See `ports.Log`. Whoever cancels the result gives up waiting, never the append."""
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        outcome: asyncio.Future[Position] = loop.create_future()

        def settle(done: Future[Position]) -> None:
            error = done.exception()
            self.count_facts(len(values), error)
            if error is None:
                self._meter.observe(APPEND_SECONDS, time.perf_counter() - began)
            self._completed_appends.append((outcome, done))
            if not self._is_delivery_scheduled:
                self._is_delivery_scheduled = True
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._deliver_outcomes)

        try:
            appending = self._log.append(programme_id, values)
        except MutuaError as refusal:
            self.count_facts(len(values), refusal)
            raise
        appending.add_done_callback(settle)
        return outcome

    def count_facts(self, fact_count: int, error: BaseException | None) -> None:
        """Tells what became of facts: that they are durable, or why they are not."""
        outcome = OK if error is None else getattr(error, "reason", "") or "INTERNAL"
        self._meter.add(INGESTED_FACTS, fact_count, outcome)

    def _deliver_outcomes(self) -> None:
        # Before looking: what is settled from here on makes a wake-up of its own.
        self._is_delivery_scheduled = False
        while self._completed_appends:
            outcome, done = self._completed_appends.popleft()
            if outcome.done():
                continue
            if (error := done.exception()) is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(done.result())


async def wait_until_durable(outcome: asyncio.Future[Position], context: Context) -> Position:
    """Waits for an append as long as the caller does.

    Raises what the log raises, and OutcomeUnknownError when the log does not answer in time.
    """
    remaining = get_remaining_seconds(context)
    patience = _MAX_WAIT_SECONDS if remaining is None else remaining - _ANSWER_SECONDS
    try:
        async with asyncio.timeout(min(_MAX_WAIT_SECONDS, max(0.0, patience))):
            return await outcome
    except TimeoutError:
        raise OutcomeUnknownError(
            "the log has not answered yet; send the identical request again, facts count once"
        ) from None
