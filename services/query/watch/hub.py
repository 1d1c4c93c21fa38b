"""The hub: one feed for each distinct question that somebody watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from services.adapters.telemetry.metrics import WATCH_FEEDS, WATCH_SUBSCRIBERS, Meter
from services.ledger.errors import (
    ForeignDataError,
    ImpossibleQuestionError,
    InvalidPositionError,
    LogUnavailableError,
    OverloadedError,
)
from services.ledger.ports import ReadableLog
from services.ledger.position import Position, parse_position
from services.ledger.question import Scope
from services.query.executor import QueryExecutor
from services.query.paging import AnswerVersion, digest_request
from services.query.position_tracker import PositionTracker
from services.query.query_context import QueryContext
from services.query.questions import RegisteredQuestion
from services.query.watch.answer import WatchedAnswer, read_rows, read_version
from services.query.watch.answer_feed import AnswerFeed
from services.query.watch.computing_limit import ComputingLimit
from services.query.watch.exchange_changes import (
    ExchangeChanges,
    ListPlace,
    read_exchange_changes,
)
from services.query.watch.exchange_feed import ExchangeFeed
from services.query.watch.feed import Feed, HeldState, WatchTiming
from services.query.watch.feed_updater import FeedUpdater
from services.query.watch.messages import WatchMessage
from services.query.watch.register import WATCHES, RegisteredWatch
from services.query.watch.resume_token import ResumeToken, TokenSigner

MAX_FEEDS: Final = 500
"""Maximum number of distinct questions that one process watches. Without it callers could have a
process compute and keep any number of answers."""
_UNCACHED_SECONDS: Final = 1.0
"""Age at which an answer is computed again that depends on more than facts and the day."""

Result = TypeVar("Result")


class _FeedKey(NamedTuple):
    """Identifies a feed: subscribers with equal keys share it."""

    question_digest: str
    scope: Scope


@dataclass(slots=True)
class _RunningFeed:
    """A feed with its task; it ends with its last subscriber."""

    feed: Feed
    task: asyncio.Task[None]
    subscriber_count: int = 0


class WatchHub:
    """Keeps watched answers up to date, each once for all its subscribers.

    It belongs to the event loop of the position tracker, and knows no transport.
    """

    def __init__(
        self,
        executor: QueryExecutor,
        questions: Mapping[str, RegisteredQuestion],
        positions: PositionTracker,
        *,
        log: ReadableLog,
        token_key: bytes,
        timing: WatchTiming,
        meter: Meter,
        max_feeds: int = MAX_FEEDS,
    ) -> None:
        self._executor = executor
        self._questions = questions
        self._positions = positions
        self._log = log
        self._signer = TokenSigner(token_key, log_id=log.log_id, origins=log.origins)
        self._timing = timing
        self.max_feeds = max_feeds
        self._feeds: dict[_FeedKey, _RunningFeed] = {}
        self._computing_limit = ComputingLimit()
        meter.watch(WATCH_FEEDS, lambda: self.feed_count)
        meter.watch(WATCH_SUBSCRIBERS, lambda: self.subscriber_count)

    @property
    def feed_count(self) -> int:
        """Number of distinct questions that are watched."""
        return len(self._feeds)

    @property
    def subscriber_count(self) -> int:
        """Number of subscribers of all feeds."""
        return sum(running.subscriber_count for running in list(self._feeds.values()))

    async def subscribe(
        self, rpc: str, request: Any, scope: Scope
    ) -> AsyncGenerator[WatchMessage, None]:
        """The messages of a watch, by the name of its rpc, for one subscriber.

        `request` is the message of the rpc; its resume_token may be empty. Close the generator
        (`contextlib.aclosing`) unless you iterate it to its end. It ends after the maximum time of
        a stream, and when the server stops.

        Raises MutuaError at the first message: InvalidResumeTokenError for a token of another
        question, principal or log, ImpossibleQuestionError, and what the question raises. Raises
        LogUnavailableError at any message once the log was replaced.
        """
        if self._positions.is_stopped:
            raise LogUnavailableError("this server is stopping", remedy="ask again, others answer")
        _refuse_known_at(request)
        watch = WATCHES[rpc]
        without = ("resume_token", "after_position") if watch.is_list else ("resume_token",)
        key = _FeedKey(digest_request(request, without=without), scope)
        with _refer_to_others():
            held = await self._read_held_state(key, watch, request)
        running = self._feeds.get(key) or self._start_feed(key, watch, request)
        running.subscriber_count += 1
        try:
            with _refer_to_others():
                async with aclosing(running.feed.subscribe(held)) as messages:
                    async for message in messages:
                        yield message
        finally:
            running.subscriber_count -= 1
            if not running.subscriber_count:
                running.task.cancel()
                self._forget_feed(key, running)

    async def _read_held_state(
        self, key: _FeedKey, watch: RegisteredWatch, request: Any
    ) -> HeldState | None:
        """What a subscriber holds by its request; None for nothing.

        Of a position that the log has lost, the state is one that no answer equals.
        """
        state_digest = ""
        if request.resume_token:
            token, position = self._signer.read(
                request.resume_token,
                question_digest=key.question_digest,
                principal=key.scope.organization_id,
            )
            state_digest = token.state_digest
        elif watch.is_list and request.after_position:
            position = parse_position(
                request.after_position, log_id=self._log.log_id, origins=self._log.origins
            )
        else:
            return None
        offset, partition = position.next_offset, self._find_partition(request)
        if position.partition != partition:
            raise InvalidPositionError(
                "the position is one of another programme", remedy="leave it out or ask again"
            )
        if offset > self._positions.get(partition).next_offset:
            end = await self._read_end(partition)
            if offset > end:
                offset, state_digest = end, ""
        return HeldState(offset, str(position), state_digest, request.resume_token)

    def _start_feed(self, key: _FeedKey, watch: RegisteredWatch, request: Any) -> _RunningFeed:
        if len(self._feeds) >= self.max_feeds:
            raise OverloadedError(
                f"this server watches {self.max_feeds:,} different questions already",
                remedy="watch one that others watch, or ask another server",
            )
        partition = self._find_partition(request)
        asked = self._questions[watch.question.name]
        message, encoder = watch.make_request(request), watch.make_encoder()

        async def read(use: Callable[[QueryContext], Result]) -> Result:
            return await self._executor.read(message, key.scope, asked, use)

        options: dict[str, Any] = {
            "make_position": lambda offset: str(Position(self._log.log_id, partition, offset)),
            "make_token": partial(self._make_token, key, partition),
            "timing": self._timing,
        }

        async def read_changes(place: ListPlace) -> ExchangeChanges:
            async with self._computing_limit.wait_for_turn(None):
                return await read(partial(read_exchange_changes, place=place))

        if watch.is_list:
            feed: Feed = ExchangeFeed(encoder, read_changes, **options)
        else:
            feed = AnswerFeed(encoder, **options)

        async def read_answer(known: AnswerVersion | None) -> WatchedAnswer:
            if watch.is_list:
                return await read(read_version)
            return await read(partial(read_rows, known=known, asked=asked, encoder=encoder))

        updater = FeedUpdater(
            feed,
            read=read_answer,
            read_end=partial(self._read_end, partition),
            make_stamp=partial(self._make_stamp, partition, is_cacheable=asked.is_cacheable),
            positions=self._positions,
            computing_limit=self._computing_limit,
            timing=self._timing,
        )
        task = asyncio.create_task(updater.run(), name=watch.rpc.name)
        running = self._feeds[key] = _RunningFeed(feed, task)
        # A feed that failed serves nobody else: the next subscriber starts another one.
        task.add_done_callback(lambda _: self._forget_feed(key, running))
        return running

    def _find_partition(self, request: Any) -> int:
        """The partition of the programme that a request is about."""
        has_question = "question" in request.DESCRIPTOR.fields_by_name
        return self._log.find_partition(
            (request.question if has_question else request).programme_id
        )

    def _forget_feed(self, key: _FeedKey, running: _RunningFeed) -> None:
        if self._feeds.get(key) is running:
            del self._feeds[key]

    def _make_token(
        self,
        key: _FeedKey,
        partition: int,
        next_offset: int,
        version: AnswerVersion,
        state_digest: str,
    ) -> str:
        return self._signer.sign(
            ResumeToken(
                str(Position(self._log.log_id, partition, next_offset)),
                key.question_digest,
                version.as_of_day,
                key.scope.organization_id,
                state_digest,
            )
        )

    def _make_stamp(self, partition: int, *, is_cacheable: bool) -> Hashable:
        """Changes when the answers about a partition may have changed."""
        return (
            self._positions.get(partition).next_offset,
            self._executor.switch_count,
            self._executor.today,
            None if is_cacheable else time.monotonic() // _UNCACHED_SECONDS,
        )

    async def _read_end(self, partition: int) -> int:
        return await asyncio.to_thread(self._log.get_partition(partition).end)


@contextmanager
def _refer_to_others() -> Iterator[None]:
    """Raises LogUnavailableError when the log was replaced by another one.

    This process is about to end, and subscribers come back to one that has the other log.
    """
    try:
        yield
    except ForeignDataError as error:
        raise LogUnavailableError(error.message, remedy=error.remedy) from error


def _refuse_known_at(request: Any) -> None:
    if "question" in request.DESCRIPTOR.fields_by_name and request.question.HasField("known_at"):
        raise ImpossibleQuestionError.for_field(
            "question.known_at",
            "cannot be watched, because what was known at a time never changes",
            "ask once, or leave it out",
        )
