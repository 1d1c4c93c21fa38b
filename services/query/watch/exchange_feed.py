"""The feed of a list: what is recorded, corrected, retracted or added by an alias from a place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from mutua.v1.watch_service_pb2 import WATCH_EVENT_DELTA, WATCH_EVENT_PROGRESS
from services.ledger.errors import LogUnavailableError
from services.query.watch.answer import WatchedAnswer
from services.query.watch.exchange_changes import ExchangeChanges, ListPlace
from services.query.watch.feed import Feed, HeldState, Subscriber
from services.query.watch.messages import MessageEncoder, WatchMessage

_RETRY_SECONDS: Final = 1.0


class ExchangeFeed(Feed):
    """Reads what follows each subscriber's place, once for all subscribers at the same place.

    A slow subscriber costs no memory, because what it has not read yet is in the read models.
    """

    def __init__(
        self,
        encoder: MessageEncoder,
        read_changes: Callable[[ListPlace], Awaitable[ExchangeChanges]],
        **options: Any,
    ) -> None:
        """`read_changes` reads from a place on. `options` are those of `Feed`."""
        super().__init__(encoder, **options)
        self._read_changes = read_changes
        self._reads: dict[ListPlace, asyncio.Task[tuple[WatchMessage | None, ListPlace]]] = {}

    def publish(self, answer: WatchedAnswer) -> None:
        has_changed = self._version is None or not answer.version.has_same_rows_as(self._version)
        self._version = answer.version
        if has_changed:
            self._reads.clear()
            self._wake(is_message=False)  # perhaps none matches, then progress is due

    async def _follow(
        self, subscriber: Subscriber, held: HeldState | None
    ) -> AsyncGenerator[WatchMessage, None]:
        assert self._version is not None, "a feed has content before it is followed"
        place = ListPlace(self._version.next_offset if held is None else held.next_offset)
        progress_count = self._progress_count
        yield self._make_progress_at(place)
        while not subscriber.is_over:
            if place.next_offset <= self._version.programme_offset:
                message, next_place = await self._read_message(place)
                if next_place <= place:  # the read models went back, and will return
                    await self._wait_for_news()
                    continue
                place = next_place
                if message is not None:
                    progress_count = self._progress_count
                    yield message
            elif progress_count != self._progress_count:
                progress_count = self._progress_count
                place = max(place, ListPlace(self._version.next_offset))
                yield self._make_progress()
            else:
                await self._wait_for_news()

    def _make_progress(self) -> WatchMessage:
        assert self._version is not None, "a feed has content before it reports progress"
        return self._make_progress_at(ListPlace(self._version.next_offset))

    def _make_progress_at(self, place: ListPlace) -> WatchMessage:
        return self._encode(WATCH_EVENT_PROGRESS, *self._make_place(place))

    async def _read_message(self, place: ListPlace) -> tuple[WatchMessage | None, ListPlace]:
        """The message for every subscriber at a place, if any, and the place after it."""
        if place not in self._reads:
            self._reads[place] = asyncio.create_task(self._make_message(place))
        # A subscriber that leaves must not end the read of the others.
        return await asyncio.shield(self._reads[place])

    async def _make_message(self, place: ListPlace) -> tuple[WatchMessage | None, ListPlace]:
        while True:
            try:
                changes = await self._read_changes(place)
            except LogUnavailableError:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                break
        if not changes.rows:
            return None, changes.place
        position, token = self._make_place(changes.place)
        message = self._encode(WATCH_EVENT_DELTA, position, token, changes.rows)
        return message, changes.place

    def _make_place(self, place: ListPlace) -> tuple[str, str]:
        """The position and the resume token of a place, whose added exchanges are sent again."""
        assert self._version is not None, "a feed has content before it names a place"
        token = self._make_token(place.next_offset, self._version, "")
        return self._make_position(place.next_offset), token
