"""A feed: what the subscribers of one question share."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, NamedTuple

from mutua.v1.watch_service_pb2 import WATCH_EVENT_PROGRESS, WatchEvent
from services.adapters.wire.values import from_instant
from services.ledger.errors import MutuaError
from services.query.paging import AnswerVersion
from services.query.watch.answer import WatchedAnswer
from services.query.watch.messages import MessageEncoder, WatchMessage
from services.query.watch.row_table import TableChange

MAX_MESSAGE_BYTES: Final = 128 << 10
"""Rows of a message, except when one row alone is larger. A subscriber that stops reading keeps one
message in memory, so a thousand of them keep 128 MiB at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTiming:
    """How often feeds compute and send, and how long streams last; all in seconds."""

    max_stream_seconds: float = 3_600.0
    progress_seconds: float = 10.0
    """Maximum time without a message."""
    moved_progress_seconds: float = 1.0
    """Time after which a subscriber learns of a new position although no row has changed."""
    pause_seconds: float = 0.2
    """Minimum time between the starts of two computations of an answer. A slow one is followed by a
    pause as long as itself, so that no watch computes more than half of the time."""
    poll_seconds: float = 0.25
    """Time after which a feed looks for news that nobody announced, such as midnight."""


DEFAULT_TIMING: Final = WatchTiming()


@dataclass(slots=True, eq=False)
class Subscriber:
    """`place` is the sequence of the last change in a table that it was sent; 0 without a table."""

    place: int = 0
    is_over: bool = False


class HeldState(NamedTuple):
    """What a returning subscriber holds, from its resume token."""

    next_offset: int
    position: str
    state_digest: str
    resume_token: str


class Feed(ABC):
    """Up-to-date content for all subscribers of one question. It belongs to an event loop."""

    def __init__(
        self,
        encoder: MessageEncoder,
        *,
        make_position: Callable[[int], str],
        make_token: Callable[[int, AnswerVersion, str], str],
        timing: WatchTiming,
    ) -> None:
        """`make_position` takes a next offset.

        `make_token` takes a next offset, a version and the digest of rows.
        """
        self._encoder = encoder
        self._make_position = make_position
        self._make_token = make_token
        self._timing = timing
        self._subscribers: set[Subscriber] = set()
        self._news = asyncio.Event()
        self._version: AnswerVersion | None = None
        self._error: MutuaError | None = None
        self._progress_count = 0
        self._sent_time = 0.0
        self._sent_offset = 0

    @property
    def version(self) -> AnswerVersion | None:
        """The version of the content; None before the first one."""
        return self._version

    @abstractmethod
    def publish(self, answer: WatchedAnswer) -> None:
        """Replaces the content, and wakes subscribers if it has changed."""

    @abstractmethod
    def _follow(
        self, subscriber: Subscriber, held: HeldState | None
    ) -> AsyncGenerator[WatchMessage, None]:
        """The messages for a subscriber, once there is content as recent as what it holds."""

    @abstractmethod
    def _make_progress(self) -> WatchMessage:
        """A message for subscribers that have everything."""

    def fail(self, error: MutuaError) -> None:
        """Ends every stream with an error."""
        self._error = error
        self._wake()

    def end(self) -> None:
        """Ends every stream after its current step."""
        for subscriber in self._subscribers:
            subscriber.is_over = True
        self._wake()

    def announce_progress(self) -> None:
        """Has every subscriber sent a message of progress if one is due."""
        if self._version is None:
            return
        has_moved = self._version.next_offset != self._sent_offset
        timing = self._timing
        limit = timing.moved_progress_seconds if has_moved else timing.progress_seconds
        if time.monotonic() - self._sent_time >= limit:
            self._progress_count += 1
            self._wake()

    async def subscribe(self, held: HeldState | None) -> AsyncGenerator[WatchMessage, None]:
        """The messages for one subscriber, which holds nothing or the state of its token.

        Ends after the maximum time of a stream. Raises the error with which the feed failed.
        """
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        end_timer = asyncio.get_running_loop().call_later(
            self._timing.max_stream_seconds, self._end_one, subscriber
        )
        try:
            async with aclosing(self._reach(subscriber, held)) as messages:
                async for message in messages:
                    yield message
            if not self._is_behind(held):  # else the stream is over
                async with aclosing(self._follow(subscriber, held)) as messages:
                    async for message in messages:
                        yield message
        finally:
            end_timer.cancel()
            self._subscribers.discard(subscriber)

    async def _reach(
        self, subscriber: Subscriber, held: HeldState | None
    ) -> AsyncGenerator[WatchMessage, None]:
        """Waits for content that is not older than what a subscriber holds.

        Meanwhile it is sent progress at that state.
        """
        progress_count = self._progress_count
        while not subscriber.is_over and self._is_behind(held):
            if held is not None and progress_count != self._progress_count:
                progress_count = self._progress_count
                yield self._encode(WATCH_EVENT_PROGRESS, held.position, held.resume_token)
            await self._wait_for_news()

    def _is_behind(self, held: HeldState | None) -> bool:
        if self._version is None:
            return True
        return held is not None and self._version.next_offset < held.next_offset

    def _encode(
        self,
        event: WatchEvent.ValueType,
        position: str,
        resume_token: str = "",
        changes: Sequence[TableChange] = (),
    ) -> WatchMessage:
        content = self._encoder.encode(
            changes,
            event=event,
            position=position,
            resume_token=resume_token,
            time=from_instant(time.time_ns() // 1_000),
        )
        return WatchMessage(event, position, resume_token, content, self._encoder.message_type)

    async def _wait_for_news(self) -> None:
        if self._error is None:
            await self._news.wait()
        if self._error is not None:
            raise self._error

    def _end_one(self, subscriber: Subscriber) -> None:
        subscriber.is_over = True
        self._wake(is_message=False)

    def _wake(self, *, is_message: bool = True) -> None:
        if is_message and self._version is not None:
            self._sent_time, self._sent_offset = time.monotonic(), self._version.next_offset
        news, self._news = self._news, asyncio.Event()
        news.set()


def fit_in_message(changes: Sequence[TableChange]) -> Sequence[TableChange]:
    """The first changes that fit in a message, one at least."""
    size = 0
    for count, change in enumerate(changes):
        size += len(change.content)
        if size > MAX_MESSAGE_BYTES and count:
            return changes[:count]
    return changes
