"""Runs the query service's functions directly, without gRPC, on new read models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question
from services.adapters.sqlite.store import SqliteStore
from services.adapters.wire.question import to_question
from services.query.answer_cache import AnswerCache
from services.query.column_cache import ColumnCache
from services.query.paging import parse_page_request
from services.query.query_context import ParsedRequest, QueryContext, ReadModelSet
from tests.ledger.folded_ledger import make_records
from tests.projector.slab_projection import open_empty_store, project

Response = TypeVar("Response")


def get_rows(response: Any) -> list[Any]:
    """The rows of a list response, which are its field number 1."""
    return list(getattr(response, response.DESCRIPTOR.fields_by_number[1].name))


class QueryRunner:
    """Answers at the position of the read models, with one cache for all its requests."""

    def __init__(self, store: SqliteStore) -> None:
        self._models = ReadModelSet(store, ColumnCache(), AnswerCache())
        self.cache = self._models.cache

    def run(self, respond: Callable[[QueryContext], Response], message: Any) -> Response:
        question = getattr(message, "question", None) or Question(programme_id=message.programme_id)
        request = ParsedRequest(
            message=message,
            question=to_question(question, today=0),
            page=parse_page_request(message) if hasattr(message, "page_token") else None,
            min_position=None,
        )
        with self._models.store.open_snapshot(0) as snapshot:
            return respond(QueryContext(request, 0, snapshot, self._models))

    def list_rows(self, respond: Callable[[QueryContext], Any], message: Any) -> list[Any]:
        """The rows of all pages."""
        rows: list[Any] = []
        while True:
            page = self.run(respond, message)
            rows += get_rows(page)
            if not page.next_page_token:
                return rows
            message.page_token = page.next_page_token


@contextmanager
def query_runner(events: Sequence[Event]) -> Iterator[QueryRunner]:
    """A runner over a programme with these events."""
    with open_empty_store() as store:
        if events:
            project(store, make_records(events))
        yield QueryRunner(store)
