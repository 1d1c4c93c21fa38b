"""Requests answered by the query service's functions themselves, on read models of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question
from services.adapters.sqlite_store import SqliteStore
from services.adapters.wire.question import to_question
from services.query.answering import Asked, Models, Request
from services.query.cache import Cache
from services.query.paging import page_of
from services.query.programmes import Programmes
from tests.ledger.product import as_records
from tests.projector.embedded import empty_store, project

Response = TypeVar("Response")


class Asker:
    """Answers at the position of the read models, and keeps what it computed."""

    def __init__(self, store: SqliteStore) -> None:
        self._models = Models(store, Programmes(), Cache())
        self.cache = self._models.cache

    def ask(self, respond: Callable[[Asked], Response], message: Any) -> Response:
        question = getattr(message, "question", None) or Question(programme_id=message.programme_id)
        request = Request(
            message=message,
            question=to_question(question, today=0),
            page=page_of(message) if hasattr(message, "page_token") else None,
            wanted=None,
        )
        with self._models.store.snapshot(0) as snapshot:
            return respond(Asked(request, 0, snapshot, self._models))

    def rows(self, respond: Callable[[Asked], Any], message: Any) -> list[Any]:
        """The rows of all pages, in a list of their own."""
        rows, name = [], ""
        while True:
            page = self.ask(respond, message)
            name = name or page.DESCRIPTOR.fields_by_number[1].name
            rows += getattr(page, name)
            if not page.next_page_token:
                return rows
            message.page_token = page.next_page_token


@contextmanager
def asking(events: Sequence[Event]) -> Iterator[Asker]:
    """Of a programme with these events."""
    with empty_store() as store:
        if events:
            project(store, as_records(events))
        yield Asker(store)
