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
from services.adapters.grpc_server import Context, remaining_seconds, scope_of
from services.adapters.wire.answer import from_coverage
from services.adapters.wire.question import from_question, to_question
from services.adapters.wire.values import from_day
from services.ledger.errors import NotAllowed
from services.ledger.ports import QueryStore, ReadableLog, Snapshot, Standing
from services.ledger.position import Position, parse_position
from services.ledger.question import Answer, Coverage, Question
from services.ledger.times import Instant, day_of
from services.metrics import CACHE_BYTES, CACHE_REQUESTS, COLUMNS_BYTES, Meter
from services.network.frame import Frame
from services.network.once import once
from services.query.cache import Cache
from services.query.order import Ints, Order
from services.query.paging import Moment, Page, Room, digest, page_of
from services.query.programmes import Programmes
from services.query.progress import DEFAULT_WAIT_SECONDS, Progress

MODEL_MOVED: Final = "MODEL_MOVED"
_THREADS: Final = 8
_ANSWER_SECONDS: Final = 0.2
"""Kept of the caller's deadline, so that the caller hears the reason rather than a deadline."""
_ROW_BYTES: Final = 600
"""About what a row takes that is an object, and what a small answer takes."""


Row = TypeVar("Row")
Found = TypeVar("Found", bound=Answer[Any])
Response = TypeVar("Response", bound=Message)


class Listed(NamedTuple, Generic[Found]):
    """An answer, the rows for one page of it (one more where others follow), and the other fields
    of the response."""

    found: Found
    rows: list[Any]
    rest: dict[str, Any]
    key: Callable[[Any], list[Any]]
    """The key of a row, for a token."""


class _Ahead(Exception):
    """Another question moved the columns on, to `next_offset`; a newer snapshot is needed."""

    def __init__(self, next_offset: int) -> None:
        super().__init__()
        self.next_offset = next_offset


class Models(NamedTuple):
    """The read models that answer, and what was made of them: numbers of others are not these."""

    store: QueryStore
    programmes: Programmes
    cache: Cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as read: what it asks, which page, and the position it wants at least."""

    message: Any
    question: Question
    page: Page | None
    wanted: Position | None


class Asked:
    """One request, and all that its answer is made of, at one position."""

    def __init__(
        self,
        request: Request,
        partition: int,
        snapshot: Snapshot,
        models: Models,
    ) -> None:
        self.request = request.message
        self.partition = partition
        self.question = request.question
        self.snapshot = snapshot
        self.moment = Moment(
            programme_offset=snapshot.programme_offset(request.question.programme_id),
            next_offset=snapshot.position(),
            as_of_day=request.question.as_of_day,
            models=models.store.name,
        )
        """What the answer is made of: that of the pages before, where it goes on in theirs."""
        self._page = request.page
        wanted = request.wanted
        self.wanted_offset = (
            wanted.next_offset if wanted is not None and wanted.partition == partition else 0
        )
        self._programmes = models.programmes
        self._cache = models.cache

    @property
    def page(self) -> Page:
        assert self._page is not None, "a request without pages"
        return self._page

    @property
    def has_moved(self) -> bool:
        """Whether the pages before were made of other facts, or by other read models."""
        begun = None if self._page is None else self._page.begun
        return begun is not None and not begun.is_of(self.moment)

    @once
    def frame(self) -> Frame:
        question = self.question
        frame = self._programmes.frame(self.snapshot, question.programme_id, question.identity)
        if frame.columns.next_offset != self.snapshot.position():
            raise _Ahead(frame.columns.next_offset)
        return frame

    def rest(self) -> dict[str, Any]:
        """The coverage field of an answer that adds nothing up."""

        def compute() -> Coverage:
            return self.frame.coverage(self.question, self.frame.inside(self.question))

        key = (Coverage, self.question, self.moment.programme_offset)
        return {"coverage": from_coverage(self._cache.get(key, compute, lambda _: _ROW_BYTES))}

    def answered_question(self) -> Question:
        """The question as it is answered: defaults filled in, names turned into ids."""

        def compute() -> Question:
            return self.frame.resolve_question(self.question)

        key = ("answered", self.question, self.moment.programme_offset)
        return self._cache.get(key, compute, lambda _: _ROW_BYTES)

    def state_question(self, response: Any) -> None:
        """Sets the question that was answered, where a response has one and it is not set."""
        has_one = "question" in response.DESCRIPTOR.fields_by_name
        if has_one and not response.HasField("question"):
            response.question.CopyFrom(from_question(self.answered_question()))

    def token(self, last: Any) -> str:
        """next_page_token after the row with the key `last`, which JSON has to know."""
        return self.page.token(last, self.moment)

    def room(self, page: Message) -> Room:
        """The bytes left for rows in a page that has everything else; states the question in it."""
        self.state_question(page)
        return Room(page)

    def fill(
        self,
        page: Response,
        rows: Iterable[Row],
        to_wire: Callable[[Row], Message | Mapping[str, Any]],
        key: Callable[[Row], Any],
    ) -> Response:
        """Adds rows until the page has its size or its bytes; others go on after the last one."""
        field = getattr(page, page.DESCRIPTOR.fields_by_number[1].name)
        page_end = self.room(page).add(field, rows, to_wire, self.page.size)
        if page_end.has_more and page_end.last is not None:
            cast("Any", page).next_page_token = self.token(key(page_end.last))
        return page

    def listed(
        self,
        find: Callable[[Frame, Question], Found],
        order: Order[Any],
        after: list[Any] | None,
    ) -> Listed[Found]:
        """What `find` answers, in the order that is asked for, else in `order`, behind a key.

        Pages come from the answer that the ones before came from, while that is kept and nobody
        wants a later position; else from a new one, after the same key.
        """
        order = order.by(self.request.order_by)
        found, places = self._found(find, order)
        rows = found.rows
        start = order.after(after, rows, places)
        end = start + self.page.size + 1
        page = _taken(rows, slice(start, end) if places is None else places[start:end])
        rest = {"coverage": from_coverage(found.coverage), "warnings": found.warnings}
        return Listed(found, page, rest, order.key)

    def _found(
        self,
        find: Callable[[Frame, Question], Found],
        order: Order[Any],
    ) -> tuple[Found, Ints | None]:
        """The whole answer, and the places of its rows in the order."""

        def compute() -> tuple[Found, Ints | None]:
            found = find(self.frame, self.question)
            return found, order.places(found.rows)

        def size_of(kept: tuple[Found, Ints | None]) -> int:
            rows, places = kept[0].rows, kept[1]
            rows_bytes = getattr(rows, "nbytes", len(rows) * _ROW_BYTES)
            return _ROW_BYTES + int(rows_bytes) + (0 if places is None else places.nbytes)

        key = (find, self.question, order.terms)
        begun = self.page.begun
        is_ours = begun is not None and begun.models == self.moment.models
        if begun is not None and is_ours and begun.next_offset >= self.wanted_offset:
            kept: tuple[Found, Ints | None] | None = self._cache.find(
                (*key, begun.programme_offset)
            )
            if kept is not None:
                self.moment = begun
                return kept
        return self._cache.get((*key, self.moment.programme_offset), compute, size_of)


class _Kept(NamedTuple):
    """A response as it goes over the wire, but for its position."""

    message: type[Message]
    content: bytes


class Answering:
    """Answers requests off the event loop, each from one snapshot, equal ones from the cache."""

    def __init__(
        self,
        store: QueryStore,
        progress: Progress,
        *,
        log: ReadableLog,
        clock: Callable[[], Instant],
        meter: Meter,
    ) -> None:
        self._progress = progress
        self._log = log
        self._clock = clock
        self.answer_from(store)
        # Threads of its own: questions never take those in which facts are checked.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="question")
        meter.watch(CACHE_BYTES, lambda: self._models.cache.size_bytes)
        meter.watch(COLUMNS_BYTES, lambda: self._models.programmes.size_bytes)
        meter.watch(CACHE_REQUESTS, lambda: _cache_requests(self._models.cache))

    def standing(self) -> Standing:
        """See `ports.Standing`, of the read models that answer."""
        with self._models.store.snapshot(0) as snapshot:
            return snapshot.standing()

    def answer_from(self, store: QueryStore) -> None:
        """Goes over to other read models, and keeps nothing of those before. Thread-safe."""
        self._models = Models(store, Programmes(), Cache())

    async def answer(
        self,
        message: Any,
        context: Context,
        respond: Callable[[Asked], Response],
        *,
        is_kept: bool = True,
    ) -> Response:
        """The response, serialized, once the position that is wanted is reached.

        `respond` sets everything but position and as_of_date; the question only where it was
        answered otherwise than asked. `is_kept` is whether the same request
        has the same answer until another fact of its programme is projected.
        """
        request = self._read(message, context)
        partition = self._log.partition_of(request.question.programme_id)
        remaining = remaining_seconds(context)
        end_time = None if remaining is None else time.monotonic() + remaining
        answer = partial(
            self._from_snapshots, request, partition, end_time, respond, is_kept=is_kept
        )
        context_of_call = copy_context()
        content: bytes | None = None
        while content is None:
            if (wanted := request.wanted) is not None:
                await self._progress.reach(wanted.partition, wanted.next_offset, _patience(context))
            content = await asyncio.get_running_loop().run_in_executor(
                self._threads, context_of_call.run, answer
            )
        return cast("Response", content)  # which is what the stubs know of a servicer

    def _from_snapshots(
        self,
        request: Request,
        partition: int,
        end_time: float | None,
        respond: Callable[[Asked], Message],
        *,
        is_kept: bool,
    ) -> bytes | None:
        """The response, of the first snapshot that is as far as the columns.

        None when the read models are not where they were said to be: after a crash, or from a
        backup, a database may be behind what it was.
        """
        models, ahead = self._models, 0
        while True:
            with models.store.snapshot(partition) as snapshot:
                if end_time is not None:
                    snapshot.answer_within(end_time - time.monotonic())
                asked = Asked(request, partition, snapshot, models)
                if (position := asked.moment.next_offset) < asked.wanted_offset:
                    self._progress.advance(partition, position)
                    return None
                if position < ahead:
                    models.programmes.forget(request.question.programme_id)
                try:
                    return self._respond(asked, models.cache, respond, is_kept=is_kept)
                except _Ahead as error:
                    ahead = error.next_offset

    def _respond(
        self, asked: Asked, cache: Cache, respond: Callable[[Asked], Message], *, is_kept: bool
    ) -> bytes:
        def make() -> _Kept:
            response: Any = respond(asked)
            response.as_of_date.CopyFrom(from_day(asked.question.as_of_day))
            asked.state_question(response)
            if asked.has_moved:
                response.warnings.append(MODEL_MOVED)
            return _Kept(type(response), response.SerializeToString())

        if is_kept and not asked.has_moved:
            same = digest(asked.request, without=("min_position",))
            key = (same, asked.question, asked.moment.programme_offset)
            kept = cache.get(key, make, lambda found: len(found.content) + _ROW_BYTES)
        else:
            kept = make()
        position = Position(self._log.log_id, asked.partition, asked.moment.next_offset)
        # On the wire a message may stand in pieces, one after the other.
        return kept.content + kept.message(position=str(position)).SerializeToString()

    def _read(self, message: Any, context: Context) -> Request:
        """What is asked and by whom. Raises NotAllowed, before anything is computed."""
        scope = scope_of(context)
        if not scope.sees_all:
            raise NotAllowed("this caller may not ask this question")
        fields = message.DESCRIPTOR.fields_by_name
        asked = message.question if "question" in fields else _everything(message.programme_id)
        question = to_question(asked, today=day_of(self._clock()), scope=scope)
        page = page_of(message) if "page_token" in fields else None
        if page is not None and page.begun is not None:  # a list has one day, whatever the time
            question = replace(question, as_of_day=page.begun.as_of_day)
        wanted = None
        if message.min_position:
            wanted = parse_position(
                message.min_position, log_id=self._log.log_id, origins=self._log.origins
            )
        return Request(message=message, question=question, page=page, wanted=wanted)


def _taken(rows: Sequence[Row], places: slice | Ints) -> list[Row]:
    """The rows at these places; rows in columns are made all at once."""
    take: Callable[[Any], list[Row]] | None = getattr(rows, "take", None)
    if take is not None:
        return take(places)
    return list(rows[places] if isinstance(places, slice) else map(rows.__getitem__, places))


def _cache_requests(cache: Cache) -> dict[tuple[str, ...], float]:
    return {("hit",): cache.hit_count, ("miss",): cache.miss_count}


def _everything(programme_id: str) -> pb.Question:
    return pb.Question(programme_id=programme_id)


def _patience(context: Context) -> float:
    remaining = remaining_seconds(context)
    if remaining is None:
        return DEFAULT_WAIT_SECONDS
    return max(0.0, remaining - _ANSWER_SECONDS)
