"""Appends, awaited on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from services.adapters.grpc_server import Context, remaining_seconds
from services.ledger.errors import MutuaError, OutcomeUnknown
from services.ledger.ports import Log
from services.ledger.position import Position
from services.metrics import APPEND_SECONDS, FACTS, OK, UNMEASURED, Meter

_MAX_WAIT_SECONDS: Final = 20.0
_ANSWER_SECONDS: Final = 0.2
"""Kept of the caller's deadline, so that the caller hears the reason rather than a deadline."""


class Appends:
    """What the log resolves on its own thread comes to the event loop, many by one wake-up.

    Belongs to one event loop.
    """

    def __init__(self, log: Log, meter: Meter = UNMEASURED) -> None:
        self._log = log
        self._meter = meter
        meter.add(FACTS, 0, OK)
        self._settled: deque[tuple[asyncio.Future[Position], Future[Position]]] = deque()
        self._is_waking = False

    def append(self, programme_id: str, values: Sequence[bytes]) -> asyncio.Future[Position]:
        """See `ports.Log`. Whoever cancels the result gives up waiting, never the append."""
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        outcome: asyncio.Future[Position] = loop.create_future()

        def settle(done: Future[Position]) -> None:
            error = done.exception()
            self.count(len(values), error)
            if error is None:
                self._meter.observe(APPEND_SECONDS, time.perf_counter() - began)
            self._settled.append((outcome, done))
            if not self._is_waking:
                self._is_waking = True
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._tell)

        try:
            appending = self._log.append(programme_id, values)
        except MutuaError as refusal:
            self.count(len(values), refusal)
            raise
        appending.add_done_callback(settle)
        return outcome

    def count(self, fact_count: int, error: BaseException | None) -> None:
        """Tells what became of facts: that they are durable, or why they are not."""
        outcome = OK if error is None else getattr(error, "reason", "") or "INTERNAL"
        self._meter.add(FACTS, fact_count, outcome)

    def _tell(self) -> None:
        # Before looking: what is settled from here on makes a wake-up of its own.
        self._is_waking = False
        while self._settled:
            outcome, done = self._settled.popleft()
            if outcome.done():
                continue
            if (error := done.exception()) is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(done.result())


async def durable(outcome: asyncio.Future[Position], context: Context) -> Position:
    """Waits for an append as long as the caller does.

    Raises what the log raises, and OutcomeUnknown when the log does not answer in time.
    """
    remaining = remaining_seconds(context)
    patience = _MAX_WAIT_SECONDS if remaining is None else remaining - _ANSWER_SECONDS
    try:
        async with asyncio.timeout(min(_MAX_WAIT_SECONDS, max(0.0, patience))):
            return await outcome
    except TimeoutError:
        raise OutcomeUnknown(
            "the log has not answered yet; send the identical request again, facts count once"
        ) from None
