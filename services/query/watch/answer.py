"""Reads a whole answer for a watch: every page, from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mutua.v1.watch_service_pb2 import AnswerBasis
from mutua.watched_rows import RowKey
from services.adapters.wire.values import from_day
from services.query.paging import AnswerVersion
from services.query.query_context import QueryContext
from services.query.questions import RegisteredQuestion
from services.query.watch.messages import MessageEncoder


class WatchedAnswer(NamedTuple):
    """An answer with its encoded rows by key; no rows if they are those of a known version."""

    version: AnswerVersion
    rows: Mapping[RowKey, bytes] | None


def read_version(query: QueryContext) -> WatchedAnswer:
    """The version of a list, whose rows are read for each place in it."""
    return WatchedAnswer(query.version, None)


def read_rows(
    query: QueryContext,
    known: AnswerVersion | None,
    *,
    asked: RegisteredQuestion,
    encoder: MessageEncoder,
) -> WatchedAnswer:
    """The answer to a request, unless it is the one of the version `known`."""
    version = query.version
    if asked.is_cacheable and known is not None and version.has_same_answer_as(known):
        return WatchedAnswer(version, None)
    pages = list(_respond_to_every_page(query, asked))
    first: Any = pages[0]
    basis = AnswerBasis(
        as_of_date=first.as_of_date,
        coverage=first.coverage,
        warnings=dict.fromkeys(word for page in pages for word in page.warnings),
        question=getattr(first, "question", None),
        unplaced_count=getattr(first, "unplaced_count", 0),
    )
    return WatchedAnswer(version, encoder.encode_rows(pages, basis))


def _respond_to_every_page(query: QueryContext, asked: RegisteredQuestion) -> Iterator[Any]:
    while True:
        page: Any = asked.respond(query)
        query.set_question(page)
        page.as_of_date.CopyFrom(from_day(query.question.as_of_day))
        yield page
        if not (page_token := getattr(page, "next_page_token", "")):
            return
        query = query.turn_page(page_token)
