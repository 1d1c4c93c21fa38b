"""A feed: one watched answer, kept up to date for all subscribers of the same question."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mutua.v1.watch_service_pb2 import (
    WATCH_EVENT_DELTA,
    WATCH_EVENT_PROGRESS,
    WATCH_EVENT_RESET,
    WATCH_EVENT_SNAPSHOT,
    WATCH_EVENT_SNAPSHOT_COMPLETE,
    WatchEvent,
)
from services.adapters.wire.values import from_instant
from services.ledger.errors import MutuaError
from services.query.paging import AnswerVersion
from services.query.watch.answer import WatchedAnswer
from services.query.watch.messages import MessageEncoder, WatchMessage
from services.query.watch.row_table import RowTable, TableChange

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
    pause_seconds: float = 0.1
    """Minimum time between the starts of two computations of an answer. A slow one is followed by a
    pause as long as itself, so that no watch computes more than half of the time."""
    poll_seconds: float = 0.25
    """Time after which a feed looks for news that nobody announced, such as midnight."""


DEFAULT_TIMING: Final = WatchTiming()


@dataclass(slots=True, eq=False)
class _Subscriber:
    """`place` is the sequence of the last change sent, see `RowTable`."""

    place: int
    is_over: bool = False


class HeldState(NamedTuple):
    """What a returning subscriber holds, from its resume token."""

    next_offset: int
    position: str
    state_digest: str
    resume_token: str


class Feed:
    """The latest state of one answer. It belongs to an event loop."""

    def __init__(
        self,
        encoder: MessageEncoder,
        *,
        make_position: Callable[[int], str],
        make_token: Callable[[AnswerVersion, str], str],
        timing: WatchTiming,
    ) -> None:
        """`make_position` takes a next offset, `make_token` a version and a digest of rows."""
        self._encoder = encoder
        self._make_position = make_position
        self._make_token = make_token
        self._timing = timing
        self._table = RowTable(encoder.strip)
        self._subscribers: set[_Subscriber] = set()
        self._messages: dict[tuple[int, WatchEvent.ValueType], tuple[WatchMessage, int]] = {}
        self._news = asyncio.Event()
        self._version: AnswerVersion | None = None
        self._token = ""
        self._error: MutuaError | None = None
        self._progress_count = 0
        self._sent_time = 0.0
        self._sent_offset = 0

    @property
    def version(self) -> AnswerVersion | None:
        """The version of the answer; None before the first one."""
        return self._version

    def publish(self, answer: WatchedAnswer) -> None:
        """Replaces the answer, and wakes subscribers if a row has changed."""
        is_first, before = self._version is None, self._table.last_sequence
        self._version = answer.version
        if answer.rows is not None:
            self._table.update(answer.rows)
            self._table.forget_removals(min((each.place for each in self._subscribers), default=0))
        self._token = self._make_token(answer.version, self._table.digest)
        self._messages.clear()
        if is_first or self._table.last_sequence != before:
            self._wake()

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
        subscriber = _Subscriber(place=0)
        self._subscribers.add(subscriber)
        end_timer = asyncio.get_running_loop().call_later(
            self._timing.max_stream_seconds, self._end_one, subscriber
        )
        try:
            async for message in self._follow(subscriber, held):
                yield message
        finally:
            end_timer.cancel()
            self._subscribers.discard(subscriber)

    async def _follow(
        self, subscriber: _Subscriber, held: HeldState | None
    ) -> AsyncGenerator[WatchMessage, None]:
        async for message in self._reach(subscriber, held):
            yield message
        if self._is_behind(held):  # the stream is over
            return
        event, progress_count = WATCH_EVENT_SNAPSHOT, self._progress_count
        if held is not None and held.state_digest == self._table.digest:
            event, subscriber.place = WATCH_EVENT_DELTA, self._table.last_sequence
            yield self._take_progress()
        elif held is not None:
            yield self._encode(WATCH_EVENT_RESET, self._position)
        while not (subscriber.is_over and event == WATCH_EVENT_DELTA):
            if subscriber.place < self._table.last_sequence:
                message, subscriber.place = self._take_message(subscriber.place, event)
                progress_count = self._progress_count
                if message.resume_token:
                    event = WATCH_EVENT_DELTA
                yield message
            elif progress_count != self._progress_count:
                progress_count = self._progress_count
                yield self._take_progress()
            else:
                await self._wait_for_news()

    async def _reach(
        self, subscriber: _Subscriber, held: HeldState | None
    ) -> AsyncGenerator[WatchMessage, None]:
        """Waits for an answer that is not older than what a subscriber holds.

        Meanwhile it is sent progress at that state.
        """
        progress_count = self._progress_count
        while not subscriber.is_over and self._is_behind(held):
            if held is not None and progress_count != self._progress_count:
                progress_count = self._progress_count
                yield self._encode(WATCH_EVENT_PROGRESS, held.position, held.resume_token)
            await self._wait_for_news()

    def _is_behind(self, held: HeldState | None) -> bool:
        """Whether the answer is older than the one that a subscriber holds."""
        if self._version is None:
            return True
        return held is not None and self._version.next_offset < held.next_offset

    def _take_message(self, place: int, event: WatchEvent.ValueType) -> tuple[WatchMessage, int]:
        """The message for every subscriber at a place, and the place after it."""
        if (place, event) not in self._messages:
            changes = self._table.list_changes(place)
            part = _fit(changes)
            is_last = len(part) == len(changes)
            end = self._table.last_sequence if is_last else part[-1].sequence
            is_complete = is_last and event == WATCH_EVENT_SNAPSHOT
            message = self._encode(
                WATCH_EVENT_SNAPSHOT_COMPLETE if is_complete else event,
                self._position,
                self._token if is_last else "",
                part,
            )
            self._messages[place, event] = message, end
        return self._messages[place, event]

    def _take_progress(self) -> WatchMessage:
        place, event = self._table.last_sequence, WATCH_EVENT_PROGRESS
        if (place, event) not in self._messages:
            message = self._encode(event, self._position, self._token)
            self._messages[place, event] = message, place
        return self._messages[place, event][0]

    @property
    def _position(self) -> str:
        assert self._version is not None, "a feed has an answer before it sends one"
        return self._make_position(self._version.next_offset)

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

    def _end_one(self, subscriber: _Subscriber) -> None:
        subscriber.is_over = True
        self._wake(is_message=False)

    def _wake(self, *, is_message: bool = True) -> None:
        if is_message and self._version is not None:
            self._sent_time, self._sent_offset = time.monotonic(), self._version.next_offset
        news, self._news = self._news, asyncio.Event()
        news.set()


def _fit(changes: Sequence[TableChange]) -> Sequence[TableChange]:
    """The first changes that fit in a message, one at least."""
    size = 0
    for count, change in enumerate(changes):
        size += len(change.content)
        if size > MAX_MESSAGE_BYTES and count:
            return changes[:count]
    return changes
