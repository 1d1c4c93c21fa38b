"""Executes questions: waits for the position, opens a snapshot, and serializes the response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import lru_cache, partial
from threading import Event
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.message import Message

from mutua.v1 import query_service_pb2 as pb
from services.adapters.call_context import CallContext, scope_of
from services.adapters.grpc.deadline import limit_wait
from services.adapters.http.entity_tag import AnswerIdentity
from services.adapters.telemetry.metrics import CACHE_BYTES, CACHE_REQUESTS, COLUMNS_BYTES, Meter
from services.adapters.wire.question import to_question
from services.adapters.wire.values import from_day
from services.ledger.ports import QueryStore, ReadableLog
from services.ledger.position import Position, parse_position
from services.ledger.question import Question, Scope
from services.ledger.records import ReadModelStatus
from services.ledger.times import Day, Instant, day_of
from services.query.answer_cache import AnswerCache
from services.query.column_cache import ColumnCache
from services.query.paging import PageRequest, digest_request, parse_page_request
from services.query.position_tracker import DEFAULT_WAIT_SECONDS, PositionTracker
from services.query.query_context import (
    ROW_BYTES,
    ParsedRequest,
    QueryContext,
    QuestionCancelledError,
    ReadModelSet,
    SnapshotTooOldError,
)
from services.query.questions import RegisteredQuestion

# decision 0036: answers are cached by last offset
MODEL_MOVED: Final = "MODEL_MOVED"
_THREADS: Final = 8
_SHORT_BYTES: Final = 2_048

Result = TypeVar("Result")


class _SerializedResponse(NamedTuple):
    """A response in wire format, without its position."""

    message_type: type[Message]
    content: bytes


class QueryExecutor:
    """Answers each request from one snapshot, on threads of its own.

    Equal requests share one cached response until another fact of their programme is projected.
    The threads are separate from asyncio's, so that questions never delay the checking of facts.
    """

    def __init__(
        self,
        store: QueryStore,
        positions: PositionTracker,
        *,
        log: ReadableLog,
        clock: Callable[[], Instant],
        meter: Meter,
    ) -> None:
        self._positions = positions
        self._log = log
        self._clock = clock
        self.switch_count = 0
        self.switch_store(store)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="question")
        meter.watch(CACHE_BYTES, lambda: self._models.cache.size_bytes)
        meter.watch(COLUMNS_BYTES, lambda: self._models.columns.size_bytes)
        meter.watch(CACHE_REQUESTS, lambda: _cache_requests(self._models.cache))

    def read_status(self) -> ReadModelStatus:
        """The status of the active read models."""
        with self._models.store.open_snapshot(0) as snapshot:
            return snapshot.read_status()

    def switch_store(self, store: QueryStore) -> None:
        """Switches to other read models and empties the caches. Thread-safe."""
        self._models = ReadModelSet(store, ColumnCache(), AnswerCache())
        self.switch_count += 1

    @property
    def today(self) -> Day:
        """The day that ages are counted from unless a question names another."""
        return day_of(self._clock())

    async def identify(
        self, message: Any, context: CallContext, asked: RegisteredQuestion
    ) -> AnswerIdentity:
        """What the answer to a request is computed from now, at `min_position` or later.

        It computes no row. Raises what `execute` raises for such a request.
        """
        request = self._parse(message, scope_of(context), asked)
        if request.min_position is not None:
            await self._wait_for(request.min_position, context)
        partition = self._log.find_partition(request.question.programme_id)
        next_offset = self._positions.get(partition).next_offset
        return AnswerIdentity(
            position=str(Position(self._log.log_id, partition, next_offset)),
            as_of_date=from_day(request.question.as_of_day),
            read_models_name=self._models.store.name,
            is_cacheable=asked.is_cacheable,
        )

    async def execute(
        self,
        message: Any,
        context: CallContext,
        asked: RegisteredQuestion,
    ) -> bytes:
        """The serialized response, at `min_position` or later.

        The function of the question sets every field except position and as_of_date. It sets the
        question only if it answers another one than was sent. When the call is cancelled, or its
        deadline passes, the function ends at its next `check_cancelled`. Raises MutuaError for a
        request that cannot be answered, and what the function raises.
        """
        request = self._parse(message, scope_of(context), asked)
        remaining = context.time_remaining()
        end_time = None if remaining is None else time.monotonic() + remaining
        content: bytes | None = None
        while content is None:
            if (position := request.min_position) is not None:
                await self._wait_for(position, context)
            content = await self._run(request, partial(self._respond, asked=asked), end_time)
        return content

    async def read(
        self,
        message: Any,
        scope: Scope,
        asked: RegisteredQuestion,
        use: Callable[[QueryContext], Result],
    ) -> Result:
        """What `use` makes of one snapshot, on a thread.

        `message` is a request of `asked` without min_position. Raises as `execute` does.
        """
        request = self._parse(message, scope, asked)
        result = await self._run(request, lambda query, _: use(query))
        assert result is not None, "a request without min_position is answered at once"
        return result

    async def _run(
        self,
        request: ParsedRequest,
        respond: Callable[[QueryContext, AnswerCache], Result],
        end_time: float | None = None,
    ) -> Result | None:
        """What `respond` returns on a thread; see `_answer_from_snapshot`."""
        cancelled = Event()
        answer = partial(self._answer_from_snapshot, request, respond, end_time, cancelled)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, copy_context().run, answer
            )
        except BaseException:
            cancelled.set()
            raise

    async def _wait_for(self, position: Position, context: CallContext) -> None:
        await self._positions.wait_for(
            position.partition,
            position.next_offset,
            limit_wait(context, DEFAULT_WAIT_SECONDS),
        )

    def _answer_from_snapshot(
        self,
        request: ParsedRequest,
        respond: Callable[[QueryContext, AnswerCache], Result],
        end_time: float | None,
        cancelled: Event,
    ) -> Result | None:
        """The response from the first snapshot that is as recent as the cached columns.

        None if the read models are behind the position that was announced, because the database
        lost transactions in a crash or was restored from a backup, and if the call was cancelled.
        The caller waits again.
        """
        partition = self._log.find_partition(request.question.programme_id)
        models, min_offset = self._models, 0
        while True:
            with models.store.open_snapshot(partition) as snapshot:
                if end_time is not None:
                    snapshot.limit_statement_time(end_time - time.monotonic())
                query = QueryContext(request, partition, snapshot, models, cancelled.is_set)
                if (next_offset := query.version.next_offset) < query.min_offset:
                    self._positions.advance(partition, next_offset)
                    return None
                if next_offset < min_offset:
                    models.columns.evict(request.question.programme_id)
                try:
                    return respond(query, models.cache)
                except SnapshotTooOldError as error:
                    min_offset = error.next_offset
                except QuestionCancelledError:
                    if cancelled.is_set():
                        return None
                    # Another caller of the same question computed it and was cancelled.

    def _respond(
        self,
        query: QueryContext,
        cache: AnswerCache,
        asked: RegisteredQuestion,
    ) -> bytes:
        def serialize() -> _SerializedResponse:
            response: Any = asked.respond(query)
            response.as_of_date.CopyFrom(from_day(query.question.as_of_day))
            query.set_question(response)
            if query.has_moved:
                response.warnings.append(MODEL_MOVED)
            return _SerializedResponse(type(response), response.SerializeToString())

        if asked.is_cacheable and not query.has_moved:
            request_digest = digest_request(query.request, without=("min_position",))
            key = (request_digest, query.question, query.version.programme_offset)
            response = cache.get_or_compute(
                key, serialize, lambda entry: len(entry.content) + ROW_BYTES
            )
        else:
            response = serialize()
        position = Position(self._log.log_id, query.partition, query.version.next_offset)
        # Protobuf merges concatenated messages, so the position need not be in the cached bytes.
        return response.content + response.message_type(position=str(position)).SerializeToString()

    def _parse(self, message: Any, scope: Scope, asked: RegisteredQuestion) -> ParsedRequest:
        """Raises ImpossibleQuestionError, InvalidPageTokenError or an error about min_position."""
        content = message.SerializeToString()
        read: Any = _read_question_once if len(content) <= _SHORT_BYTES else _read_question
        question, page = read(
            type(message),
            content,
            today=self.today,
            scope=scope,
            takes_subset=asked.takes_subset,
            takes_half_life=asked.takes_half_life,
        )
        min_position = None
        if message.min_position:
            min_position = parse_position(
                message.min_position, log_id=self._log.log_id, origins=self._log.origins
            )
        return ParsedRequest(
            message=message, question=question, page=page, min_position=min_position
        )


def _read_question(
    message_type: type[Any], content: bytes, **options: Any
) -> tuple[Question, PageRequest | None]:
    """The question of an encoded request, and its page; `options` are those of `to_question`."""
    message = message_type.FromString(content)
    fields = message.DESCRIPTOR.fields_by_name
    question = to_question(
        message.question
        if "question" in fields
        else pb.Question(programme_id=message.programme_id),
        **options,
    )
    page = parse_page_request(message) if "page_token" in fields else None
    if page is not None and page.list_version is not None:
        # All pages of a list have the day of the first, even if midnight passes between them.
        question = replace(question, as_of_day=page.list_version.as_of_day)
    return question, page


# Dashboards repeat their questions, and reading one takes longer than to see that it is cached.
_read_question_once = lru_cache(maxsize=1_024)(_read_question)


def _cache_requests(cache: AnswerCache) -> dict[tuple[str, ...], float]:
    return {("hit",): cache.hit_count, ("miss",): cache.miss_count}
