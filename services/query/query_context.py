"""One request and everything its answer is computed from: question, page, snapshot and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from google.protobuf.message import Message
from propcache.api import cached_property

from services.adapters.wire.answer import from_coverage
from services.adapters.wire.question import from_question
from services.ledger.errors import MutuaError
from services.ledger.ports import QueryStore, Snapshot
from services.ledger.position import Position
from services.ledger.question import Answer, Coverage, Question
from services.network.identity_view import IdentityView
from services.query.answer_cache import AnswerCache
from services.query.column_cache import ColumnCache
from services.query.paging import AnswerVersion, PageRequest, PageWriter, parse_page_request
from services.query.row_order import IntArray, RowOrder

ROW_BYTES: Final = 600
"""Estimated memory of a row that is an object, and of an answer without rows."""

Row = TypeVar("Row")
AnswerT = TypeVar("AnswerT", bound=Answer[Any])
Response = TypeVar("Response", bound=Message)


class ListPage(NamedTuple, Generic[AnswerT]):
    """One page of a list.

    `rows` has one row more than the page if there are more rows. `response_fields` are the other
    fields of the response, and `make_key` makes the key of a row for a page token.
    """

    answer: AnswerT
    rows: list[Any]
    response_fields: dict[str, Any]
    make_key: Callable[[Any], list[Any]]


class SnapshotTooOldError(MutuaError):
    """Another question has advanced the columns to `next_offset`, beyond this snapshot.

    Never reaches a caller: the executor opens a newer snapshot.
    """

    def __init__(self, next_offset: int) -> None:
        super().__init__("the columns are ahead of the snapshot", remedy="ask again")
        self.next_offset = next_offset


class QuestionCancelledError(MutuaError):
    """Nobody waits for an answer any more, so it does not reach a caller."""

    code = "CANCELLED"


class ReadModelSet(NamedTuple):
    """The active read models with the caches made from them.

    A switch-over replaces all three, because other read models number parties differently.
    """

    store: QueryStore
    columns: ColumnCache
    cache: AnswerCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """A request after parsing; `page` is None for an rpc without pages."""

    message: Any
    question: Question
    page: PageRequest | None
    min_position: Position | None


class QueryContext:
    """What a question's function receives: one request and one snapshot of the read models.

    `request` is the message as sent, `question` its filters. `version` identifies what the answer
    is computed from; a later page takes over the version of the page before if that answer is
    still cached.
    """

    def __init__(
        self,
        request: ParsedRequest,
        partition: int,
        snapshot: Snapshot,
        models: ReadModelSet,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._parsed_request = request
        self._models = models
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
        self._page = request.page
        position = request.min_position
        self.min_offset = (
            position.next_offset if position is not None and position.partition == partition else 0
        )
        self._is_cancelled = is_cancelled

    def turn_page(self, page_token: str) -> QueryContext:
        """The next page of the same list, from the same snapshot."""
        message = type(self.request)()
        message.CopyFrom(self.request)
        message.page_token = page_token
        request = replace(self._parsed_request, message=message, page=parse_page_request(message))
        return QueryContext(
            request, self.partition, self.snapshot, self._models, self._is_cancelled
        )

    def check_cancelled(self) -> None:
        """Raises QuestionCancelledError if nobody waits. Long computations call it repeatedly."""
        if self._is_cancelled():
            raise QuestionCancelledError("the caller cancelled the question")

    @property
    def page(self) -> PageRequest:
        assert self._page is not None, "a request without pages"
        return self._page

    @property
    def has_moved(self) -> bool:
        """Whether earlier pages of this list come from other facts or other read models."""
        previous = None if self._page is None else self._page.list_version
        return previous is not None and not previous.has_same_rows_as(self.version)

    @cached_property
    def view(self) -> IdentityView:
        """The programme's columns at the snapshot's position. Raises SnapshotTooOldError."""
        question = self.question
        view = self._models.columns.get_view(
            self.snapshot, question.programme_id, question.identity
        )
        if view.columns.next_offset != self.snapshot.read_next_offset():
            raise SnapshotTooOldError(view.columns.next_offset)
        return view

    def coverage_fields(self) -> dict[str, Any]:
        """The response field `coverage`, for answers that are not computed from an Answer."""

        def compute() -> Coverage:
            exchanges = self.view.select_exchanges(self.question)
            return self.view.compute_coverage(self.question, exchanges)

        key = (Coverage, self.question, self.version.programme_offset)
        coverage = self._models.cache.get_or_compute(key, compute, lambda _: ROW_BYTES)
        return {"coverage": from_coverage(coverage)}

    def resolve_question(self) -> Question:
        """The question with defaults filled in and names replaced by organization ids."""

        def compute() -> Question:
            return self.view.resolve_question(self.question)

        key = ("resolved", self.question, self.version.programme_offset)
        return self._models.cache.get_or_compute(key, compute, lambda _: ROW_BYTES)

    def set_question(self, response: Any) -> None:
        """Sets the resolved question in a response that has such a field and leaves it empty."""
        has_field = "question" in response.DESCRIPTOR.fields_by_name
        if has_field and not response.HasField("question"):
            response.question.CopyFrom(from_question(self.resolve_question()))

    def make_token(self, key: Any) -> str:
        """The next_page_token after the row with this key, which JSON must be able to represent."""
        return self.page.make_token(key, self.version)

    def make_page_writer(self, page: Message) -> PageWriter:
        """A writer of rows into a response that has all its other fields; sets its question."""
        self.set_question(page)
        return PageWriter(page)

    def fill_page(
        self,
        page: Response,
        rows: Iterable[Row],
        to_wire: Callable[[Row], Message | Mapping[str, Any]],
        make_key: Callable[[Row], Any],
    ) -> Response:
        """Adds rows until the page has its size or its bytes; sets the token if more follow."""
        field = getattr(page, page.DESCRIPTOR.fields_by_number[1].name)
        page_end = self.make_page_writer(page).add_rows(field, rows, to_wire, self.page.size)
        if page_end.has_more and page_end.last is not None:
            cast("Any", page).next_page_token = self.make_token(make_key(page_end.last))
        return page

    def list_page(
        self,
        compute: Callable[[IdentityView, Question], AnswerT],
        order: RowOrder[Any],
        after_key: list[Any] | None,
    ) -> ListPage[AnswerT]:
        """The rows of `compute`'s answer that follow a key, by `order_by` and then by `order`.

        A later page continues in the answer of the page before, as long as that is cached and
        reaches `min_position`. Otherwise it continues after the same key in a new answer.
        """
        order = order.with_order_by(self.request.order_by)
        answer, indices = self._find_answer(compute, order)
        rows = answer.rows
        start = order.find_start(after_key, rows, indices)
        end = start + self.page.size + 1
        page_rows = _take_rows(rows, slice(start, end) if indices is None else indices[start:end])
        fields = {"coverage": from_coverage(answer.coverage), "warnings": answer.warnings}
        return ListPage(answer, page_rows, fields, order.make_key)

    def _find_answer(
        self,
        compute: Callable[[IdentityView, Question], AnswerT],
        order: RowOrder[Any],
    ) -> tuple[AnswerT, IntArray | None]:
        """The whole answer, and the indices that sort its rows."""

        def compute_sorted() -> tuple[AnswerT, IntArray | None]:
            answer = compute(self.view, self.question)
            return answer, order.argsort(answer.rows)

        def size_of(entry: tuple[AnswerT, IntArray | None]) -> int:
            rows, indices = entry[0].rows, entry[1]
            rows_bytes = getattr(rows, "nbytes", len(rows) * ROW_BYTES)
            return ROW_BYTES + int(rows_bytes) + (0 if indices is None else indices.nbytes)

        key = (compute, self.question, order.terms)
        previous = self.page.list_version
        if (
            previous is not None
            and previous.read_models_name == self.version.read_models_name
            and previous.next_offset >= self.min_offset
        ):
            entry: tuple[AnswerT, IntArray | None] | None = self._models.cache.find(
                (*key, previous.programme_offset)
            )
            if entry is not None:
                self.version = previous
                return entry
        current_key = (*key, self.version.programme_offset)
        return self._models.cache.get_or_compute(current_key, compute_sorted, size_of)


def _take_rows(rows: Sequence[Row], indices: slice | IntArray) -> list[Row]:
    """The rows at these indices. Rows stored in columns are made in one step by their `take`."""
    take: Callable[[Any], list[Row]] | None = getattr(rows, "take", None)
    if take is not None:
        return take(indices)
    return list(rows[indices] if isinstance(indices, slice) else map(rows.__getitem__, indices))
