"""How a request becomes an answer: what is the same for every question.

What differs is a function of `Asked` in a file of its own, which says what was found and what that
rests on. Position, day, pages, the cache and a model that moved are here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from google.protobuf.message import Message

from mutua.v1 import query_service_pb2 as pb
from services.adapters.grpc.server import Context, get_remaining_seconds, scope_of
from services.adapters.telemetry.metrics import CACHE_BYTES, CACHE_REQUESTS, COLUMNS_BYTES, Meter
from services.adapters.wire.answer import from_coverage
from services.adapters.wire.question import from_question, to_question
from services.adapters.wire.values import from_day
from services.ledger.errors import PermissionDeniedError
from services.ledger.ports import QueryStore, ReadableLog, Snapshot
from services.ledger.position import Position, parse_position
from services.ledger.question import Answer, Coverage, Question
from services.ledger.records import ReadModelStatus
from services.ledger.times import Instant, day_of
from services.network.identity_view import IdentityView
from services.network.lazy_property import lazy_property
from services.query.answer_cache import AnswerCache
from services.query.column_cache import ColumnCache
from services.query.paging import (
    AnswerVersion,
    PageRequest,
    PageWriter,
    digest_request,
    parse_page_request,
)
from services.query.position_tracker import DEFAULT_WAIT_SECONDS, PositionTracker
from services.query.row_order import IntArray, RowOrder

# decision 0036: answers are cached by last offset
MODEL_MOVED: Final = "MODEL_MOVED"
_THREADS: Final = 8
_ANSWER_SECONDS: Final = 0.2
"""Kept of the caller's deadline, so that the caller hears the reason rather than a deadline."""
_ROW_BYTES: Final = 600
"""About what a row takes that is an object, and what a small answer takes."""


Row = TypeVar("Row")
AnswerT = TypeVar("AnswerT", bound=Answer[Any])
Response = TypeVar("Response", bound=Message)


class ListPage(NamedTuple, Generic[AnswerT]):
    """An answer, the rows for one page of it (one more where others follow), and the other fields
    of the response."""

    answer: AnswerT
    rows: list[Any]
    response_fields: dict[str, Any]
    parse_key: Callable[[Any], list[Any]]
    """The key of a row, for a token."""


class SnapshotTooOldError(Exception):
    """Another question moved the columns on, to `next_offset`; a newer snapshot is needed."""

    def __init__(self, next_offset: int) -> None:
        super().__init__()
        self.next_offset = next_offset


class ReadModelSet(NamedTuple):
    """The read models that answer, and what was made of them: numbers of others are not these."""

    store: QueryStore
    columns: ColumnCache
    cache: AnswerCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """A request as read: what it asks, which page, and the position it wants at least."""

    message: Any
    question: Question
    page: PageRequest | None
    min_position: Position | None


class QueryContext:
    """One request, and all that its answer is made of, at one position."""

    def __init__(
        self,
        request: ParsedRequest,
        partition: int,
        snapshot: Snapshot,
        models: ReadModelSet,
    ) -> None:
        self.request = request.message
        self.partition = partition
        self.question = request.question
        self.snapshot = snapshot
        self.version = AnswerVersion(
            programme_offset=snapshot.read_last_offset(request.question.programme_id),
            next_offset=snapshot.read_next_offset(),
            as_of_day=request.question.as_of_day,
            read_models_name=models.store.name,
        )
        """What the answer is made of: that of the pages before, where it goes on in theirs."""
        self._page = request.page
        wanted = request.min_position
        self.min_offset = (
            wanted.next_offset if wanted is not None and wanted.partition == partition else 0
        )
        self._columns = models.columns
        self._cache = models.cache

    @property
    def page(self) -> PageRequest:
        assert self._page is not None, "a request without pages"
        return self._page

    @property
    def has_moved(self) -> bool:
        """Whether the pages before were made of other facts, or by other read models."""
        begun = None if self._page is None else self._page.list_version
        return begun is not None and not begun.has_same_rows_as(self.version)

    @lazy_property
    def frame(self) -> IdentityView:
        question = self.question
        frame = self._columns.get_frame(self.snapshot, question.programme_id, question.identity)
        if frame.columns.next_offset != self.snapshot.read_next_offset():
            raise SnapshotTooOldError(frame.columns.next_offset)
        return frame

    def coverage_fields(self) -> dict[str, Any]:
        """The coverage field of an answer that adds nothing up."""

        def compute() -> Coverage:
            return self.frame.compute_coverage(
                self.question, self.frame.select_exchanges(self.question)
            )

        key = (Coverage, self.question, self.version.programme_offset)
        return {
            "coverage": from_coverage(
                self._cache.get_or_compute(key, compute, lambda _: _ROW_BYTES)
            )
        }

    def resolve_question(self) -> Question:
        """The question as it is answered: defaults filled in, names turned into ids."""

        def compute() -> Question:
            return self.frame.resolve_question(self.question)

        key = ("answered", self.question, self.version.programme_offset)
        return self._cache.get_or_compute(key, compute, lambda _: _ROW_BYTES)

    def set_question(self, response: Any) -> None:
        """Sets the question that was answered, where a response has one and it is not set."""
        has_one = "question" in response.DESCRIPTOR.fields_by_name
        if has_one and not response.HasField("question"):
            response.question.CopyFrom(from_question(self.resolve_question()))

    def make_token(self, last: Any) -> str:
        """next_page_token after the row with the key `last`, which JSON has to know."""
        return self.page.make_token(last, self.version)

    def make_page_writer(self, page: Message) -> PageWriter:
        """The bytes left for rows in a page that has everything else; states the question in it."""
        self.set_question(page)
        return PageWriter(page)

    def fill_page(
        self,
        page: Response,
        rows: Iterable[Row],
        to_wire: Callable[[Row], Message | Mapping[str, Any]],
        key: Callable[[Row], Any],
    ) -> Response:
        """Adds rows until the page has its size or its bytes; others go on after the last one."""
        field = getattr(page, page.DESCRIPTOR.fields_by_number[1].name)
        page_end = self.make_page_writer(page).add_rows(field, rows, to_wire, self.page.size)
        if page_end.has_more and page_end.last is not None:
            cast("Any", page).next_page_token = self.make_token(key(page_end.last))
        return page

    def list_page(
        self,
        find: Callable[[IdentityView, Question], AnswerT],
        order: RowOrder[Any],
        after: list[Any] | None,
    ) -> ListPage[AnswerT]:
        """What `find` answers, in the order that is asked for, else in `order`, behind a key.

        Pages come from the answer that the ones before came from, while that is kept and nobody
        wants a later position; else from a new one, after the same key.
        """
        order = order.with_order_by(self.request.order_by)
        found, places = self._find_answer(find, order)
        rows = found.rows
        start = order.find_start(after, rows, places)
        end = start + self.page.size + 1
        page = _take_rows(rows, slice(start, end) if places is None else places[start:end])
        rest = {"coverage": from_coverage(found.coverage), "warnings": found.warnings}
        return ListPage(found, page, rest, order.parse_key)

    def _find_answer(
        self,
        find: Callable[[IdentityView, Question], AnswerT],
        order: RowOrder[Any],
    ) -> tuple[AnswerT, IntArray | None]:
        """The whole answer, and the places of its rows in the order."""

        def compute() -> tuple[AnswerT, IntArray | None]:
            found = find(self.frame, self.question)
            return found, order.argsort(found.rows)

        def size_of(kept: tuple[AnswerT, IntArray | None]) -> int:
            rows, places = kept[0].rows, kept[1]
            rows_bytes = getattr(rows, "nbytes", len(rows) * _ROW_BYTES)
            return _ROW_BYTES + int(rows_bytes) + (0 if places is None else places.nbytes)

        key = (find, self.question, order.terms)
        begun = self.page.list_version
        is_ours = begun is not None and begun.read_models_name == self.version.read_models_name
        if begun is not None and is_ours and begun.next_offset >= self.min_offset:
            kept: tuple[AnswerT, IntArray | None] | None = self._cache.find(
                (*key, begun.programme_offset)
            )
            if kept is not None:
                self.version = begun
                return kept
        return self._cache.get_or_compute((*key, self.version.programme_offset), compute, size_of)


class _SerializedResponse(NamedTuple):
    """A response as it goes over the wire, but for its position."""

    message_type: type[Message]
    content: bytes


class QueryExecutor:
    """Answers requests off the event loop, each from one snapshot, equal ones from the cache."""

    def __init__(
        self,
        store: QueryStore,
        progress: PositionTracker,
        *,
        log: ReadableLog,
        clock: Callable[[], Instant],
        meter: Meter,
    ) -> None:
        self._positions = progress
        self._log = log
        self._clock = clock
        self.switch_store(store)
        # Threads of its own: questions never take those in which facts are checked.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="question")
        meter.watch(CACHE_BYTES, lambda: self._models.cache.size_bytes)
        meter.watch(COLUMNS_BYTES, lambda: self._models.columns.size_bytes)
        meter.watch(CACHE_REQUESTS, lambda: _cache_requests(self._models.cache))

    def read_status(self) -> ReadModelStatus:
        """See `ports.Standing`, of the read models that answer."""
        with self._models.store.open_snapshot(0) as snapshot:
            return snapshot.read_status()

    def switch_store(self, store: QueryStore) -> None:
        """Goes over to other read models, and keeps nothing of those before. Thread-safe."""
        self._models = ReadModelSet(store, ColumnCache(), AnswerCache())

    async def execute(
        self,
        message: Any,
        context: Context,
        respond: Callable[[QueryContext], Response],
        *,
        is_cacheable: bool = True,
    ) -> Response:
        """The response, serialized, once the position that is wanted is reached.

        `respond` sets everything but position and as_of_date; the question only where it was
        answered otherwise than asked. `is_kept` is whether the same request
        has the same answer until another fact of its programme is projected.
        """
        request = self._read(message, context)
        partition = self._log.find_partition(request.question.programme_id)
        remaining = get_remaining_seconds(context)
        end_time = None if remaining is None else time.monotonic() + remaining
        answer = partial(
            self._from_snapshots, request, partition, end_time, respond, is_kept=is_cacheable
        )
        context_of_call = copy_context()
        content: bytes | None = None
        while content is None:
            if (wanted := request.min_position) is not None:
                await self._positions.wait_for(
                    wanted.partition, wanted.next_offset, _wait_seconds(context)
                )
            content = await asyncio.get_running_loop().run_in_executor(
                self._threads, context_of_call.run, answer
            )
        return cast("Response", content)  # which is what the stubs know of a servicer

    def _from_snapshots(
        self,
        request: ParsedRequest,
        partition: int,
        end_time: float | None,
        respond: Callable[[QueryContext], Message],
        *,
        is_kept: bool,
    ) -> bytes | None:
        """The response, of the first snapshot that is as far as the columns.

        None when the read models are not where they were said to be: after a crash, or from a
        backup, a database may be behind what it was.
        """
        models, ahead = self._models, 0
        while True:
            with models.store.open_snapshot(partition) as snapshot:
                if end_time is not None:
                    snapshot.limit_statement_time(end_time - time.monotonic())
                asked = QueryContext(request, partition, snapshot, models)
                if (position := asked.version.next_offset) < asked.min_offset:
                    self._positions.advance(partition, position)
                    return None
                if position < ahead:
                    models.columns.evict(request.question.programme_id)
                try:
                    return self._respond(asked, models.cache, respond, is_kept=is_kept)
                except SnapshotTooOldError as error:
                    ahead = error.next_offset

    def _respond(
        self,
        asked: QueryContext,
        cache: AnswerCache,
        respond: Callable[[QueryContext], Message],
        *,
        is_kept: bool,
    ) -> bytes:
        def make() -> _SerializedResponse:
            response: Any = respond(asked)
            response.as_of_date.CopyFrom(from_day(asked.question.as_of_day))
            asked.set_question(response)
            if asked.has_moved:
                response.warnings.append(MODEL_MOVED)
            return _SerializedResponse(type(response), response.SerializeToString())

        if is_kept and not asked.has_moved:
            same = digest_request(asked.request, without=("min_position",))
            key = (same, asked.question, asked.version.programme_offset)
            kept = cache.get_or_compute(key, make, lambda found: len(found.content) + _ROW_BYTES)
        else:
            kept = make()
        position = Position(self._log.log_id, asked.partition, asked.version.next_offset)
        # On the wire a message may stand in pieces, one after the other.
        return kept.content + kept.message_type(position=str(position)).SerializeToString()

    def _read(self, message: Any, context: Context) -> ParsedRequest:
        """What is asked and by whom. Raises PermissionDeniedError, before anything is computed."""
        scope = scope_of(context)
        if not scope.sees_all:
            raise PermissionDeniedError("this caller may not ask this question")
        fields = message.DESCRIPTOR.fields_by_name
        asked = (
            message.question if "question" in fields else _unfiltered_question(message.programme_id)
        )
        question = to_question(asked, today=day_of(self._clock()), scope=scope)
        page = parse_page_request(message) if "page_token" in fields else None
        if (
            page is not None and page.list_version is not None
        ):  # a list has one day, whatever the time
            question = replace(question, as_of_day=page.list_version.as_of_day)
        wanted = None
        if message.min_position:
            wanted = parse_position(
                message.min_position, log_id=self._log.log_id, origins=self._log.origins
            )
        return ParsedRequest(message=message, question=question, page=page, min_position=wanted)


def _take_rows(rows: Sequence[Row], places: slice | IntArray) -> list[Row]:
    """The rows at these places; rows in columns are made all at once."""
    take: Callable[[Any], list[Row]] | None = getattr(rows, "take", None)
    if take is not None:
        return take(places)
    return list(rows[places] if isinstance(places, slice) else map(rows.__getitem__, places))


def _cache_requests(cache: AnswerCache) -> dict[tuple[str, ...], float]:
    return {("hit",): cache.hit_count, ("miss",): cache.miss_count}


def _unfiltered_question(programme_id: str) -> pb.Question:
    return pb.Question(programme_id=programme_id)


def _wait_seconds(context: Context) -> float:
    remaining = get_remaining_seconds(context)
    if remaining is None:
        return DEFAULT_WAIT_SECONDS
    return max(0.0, remaining - _ANSWER_SECONDS)
