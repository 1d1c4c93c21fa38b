"""The feed of a state: the rows of an answer, then what changes in them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from mutua.v1.watch_service_pb2 import (
    WATCH_EVENT_DELTA,
    WATCH_EVENT_PROGRESS,
    WATCH_EVENT_RESET,
    WATCH_EVENT_SNAPSHOT,
    WATCH_EVENT_SNAPSHOT_COMPLETE,
    WatchEvent,
)
from services.query.watch.answer import WatchedAnswer
from services.query.watch.feed import Feed, HeldState, Subscriber, fit_in_message
from services.query.watch.messages import MessageEncoder, WatchMessage
from services.query.watch.row_table import RowTable


class AnswerFeed(Feed):
    """The latest state of an answer, in a table from which each subscriber reads what it lacks."""

    def __init__(self, encoder: MessageEncoder, **options: Any) -> None:
        """`options` are those of `Feed`."""
        super().__init__(encoder, **options)
        self._table = RowTable(encoder.strip)
        self._messages: dict[tuple[int, WatchEvent.ValueType], tuple[WatchMessage, int]] = {}
        self._position = self._token = ""

    def publish(self, answer: WatchedAnswer) -> None:
        is_first, before = self._version is None, self._table.last_sequence
        version = self._version = answer.version
        if answer.rows is not None:
            self._table.update(answer.rows)
            self._table.forget_removals(min((each.place for each in self._subscribers), default=0))
        self._position = self._make_position(version.next_offset)
        self._token = self._make_token(version.next_offset, version, self._table.digest)
        self._messages.clear()
        if is_first or self._table.last_sequence != before:
            self._wake()

    async def _follow(
        self, subscriber: Subscriber, held: HeldState | None
    ) -> AsyncGenerator[WatchMessage, None]:
        event, progress_count = WATCH_EVENT_SNAPSHOT, self._progress_count
        if held is not None and held.state_digest == self._table.digest:
            event, subscriber.place = WATCH_EVENT_DELTA, self._table.last_sequence
            yield self._make_progress()
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
                yield self._make_progress()
            else:
                await self._wait_for_news()

    def _make_progress(self) -> WatchMessage:
        place, event = self._table.last_sequence, WATCH_EVENT_PROGRESS
        if (place, event) not in self._messages:
            self._messages[place, event] = self._encode(event, self._position, self._token), place
        return self._messages[place, event][0]

    def _take_message(self, place: int, event: WatchEvent.ValueType) -> tuple[WatchMessage, int]:
        """The message for every subscriber at a place, and the place after it."""
        if (place, event) not in self._messages:
            changes = self._table.list_changes(place)
            part = fit_in_message(changes)
            is_last = len(part) == len(changes)
            is_complete = is_last and event == WATCH_EVENT_SNAPSHOT
            message = self._encode(
                WATCH_EVENT_SNAPSHOT_COMPLETE if is_complete else event,
                self._position,
                self._token if is_last else "",
                part,
            )
            end = self._table.last_sequence if is_last else part[-1].sequence
            self._messages[place, event] = message, end
        return self._messages[place, event]
