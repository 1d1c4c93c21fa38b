"""Keeps a feed up to date: computes its answer again when something moved."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from services.ledger.errors import LogUnavailableError, MutuaError
from services.query.paging import AnswerVersion
from services.query.position_tracker import PositionTracker
from services.query.watch.answer import WatchedAnswer
from services.query.watch.computing_limit import ComputingLimit
from services.query.watch.feed import Feed, WatchTiming

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0


# decision 0128: watches compute answers again and compare rows
class FeedUpdater:
    """The loop that computes one answer. It belongs to the event loop of its feed."""

    def __init__(
        self,
        feed: Feed,
        *,
        read: Callable[[AnswerVersion | None], Awaitable[WatchedAnswer]],
        read_end: Callable[[], Awaitable[int]],
        make_stamp: Callable[[], Hashable],
        positions: PositionTracker,
        computing_limit: ComputingLimit,
        timing: WatchTiming,
    ) -> None:
        """`read` computes the answer unless it has the version given.

        `read_end` returns the end of the log. `make_stamp` returns a value that changes when the
        answer may have changed.
        """
        self._feed = feed
        self._read = read
        self._read_end = read_end
        self._make_stamp = make_stamp
        self._positions = positions
        self._computing_limit = computing_limit
        self._computing_seconds: float | None = None
        self._timing = timing

    async def run(self) -> None:
        """Updates the feed until the server stops, or the question turns out to have no answer.

        While read models cannot be read, subscribers stay and get no news but progress.
        """
        announcing = asyncio.create_task(self._announce_progress())
        try:
            await self._update_repeatedly()
        finally:
            announcing.cancel()

    async def _announce_progress(self) -> None:
        """Announces it on time, and the end too, also while an answer takes long to compute."""
        while not self._positions.is_stopped:
            await asyncio.sleep(self._timing.poll_seconds)
            self._feed.announce_progress()
        self._feed.end()

    async def _update_repeatedly(self) -> None:
        while not self._positions.is_stopped:
            stamp = self._make_stamp()
            error = await self._try_update()
            if error is not None and not self._is_temporary(error):
                self._feed.fail(error)
                return
            if error is not None:
                logger.warning("a watch waits: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            elapsed = self._computing_seconds or 0.0
            await asyncio.sleep(max(self._timing.pause_seconds - elapsed, elapsed))
            while self._make_stamp() == stamp and not self._positions.is_stopped:
                await self._positions.wait_for_move(self._timing.poll_seconds)
        self._feed.end()

    async def _try_update(self) -> MutuaError | None:
        """Publishes the answer; returns the error if there is none.

        An answer that is older than the one before is not published: read models go back when
        their database is restored, and return soon, unless the log has lost that position too.
        """
        known = self._feed.version
        try:
            async with self._computing_limit.wait_for_turn(self._computing_seconds):
                start_time = time.monotonic()
                answer = await self._read(known)
                self._computing_seconds = time.monotonic() - start_time
            is_older = known is not None and answer.version.next_offset < known.next_offset
            if known is None or not is_older or await self._read_end() < known.next_offset:
                self._feed.publish(answer)
        except MutuaError as error:
            return error
        except Exception:
            logger.exception("a watch cannot compute its answer")
            return LogUnavailableError("the answer cannot be computed at the moment")
        return None

    def _is_temporary(self, error: MutuaError) -> bool:
        """Whether subscribers should wait. A feed that never had an answer fails at once."""
        return self._feed.version is not None and error.code == LogUnavailableError.code
