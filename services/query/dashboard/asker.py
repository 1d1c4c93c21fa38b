"""Asks the questions of a view."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from mutua.limits import MAX_PAGE_SIZE
from mutua.v1.query_service_pb2 import Question
from services.adapters.call_context import CallContext
from services.adapters.http.questions import Answering, append_rows
from services.query.dashboard.filters import unfiltered
from services.query.dashboard.map_places import MapPlaces
from services.query.questions import QUESTION_RPCS


class Asker:
    """Asks questions with the filters of one view, on behalf of one caller."""

    def __init__(
        self,
        answering: Answering,
        context: CallContext,
        question: Question,
        places: MapPlaces,
    ) -> None:
        self.question = question
        self.places = places
        self._answering = answering
        self._context = context

    async def ask(self, rpc: str, question: Question | None = None, **fields: Any) -> Any:
        """The response, with all its pages joined. Raises MutuaError.

        `question` replaces the filters of the view.
        """
        request = self._make_request(rpc, question, fields)
        if "page_size" not in request.DESCRIPTOR.fields_by_name:
            return await self._answer(rpc, request)
        request.page_size = MAX_PAGE_SIZE
        return await self._join_pages(rpc, request)

    async def ask_organizations(self) -> Any:
        """All organizations of the programme, whatever the filters. Raises MutuaError."""
        return await self.ask("ListOrganizations", unfiltered(self.question))

    async def ask_page(self, rpc: str, question: Question | None = None, **fields: Any) -> Any:
        """The first page of a list. Raises MutuaError."""
        return await self._answer(rpc, self._make_request(rpc, question, fields))

    async def ask_each(self, rpc: str, questions: list[Question], **fields: Any) -> list[Any]:
        """The responses to the same rpc under different filters, in their order."""
        return await asyncio.gather(*(self.ask(rpc, each, **fields) for each in questions))

    def _make_request(self, rpc: str, question: Question | None, fields: dict[str, Any]) -> Any:
        method = QUESTION_RPCS[rpc]
        request: Any = GetMessageClass(method.input_type)(**fields)
        if "question" in method.input_type.fields_by_name:
            request.question.CopyFrom(question or self.question)
        else:
            request.programme_id = self.question.programme_id
        return request

    async def _join_pages(self, rpc: str, request: Any) -> Any:
        whole = await self._answer(rpc, request)
        while whole.next_page_token:
            request.page_token = whole.next_page_token
            append_rows(whole, await self._answer(rpc, request))
        return whole

    async def _answer(self, rpc: str, request: Any) -> Any:
        content = await self._answering.answer(rpc, request, self._context)
        return GetMessageClass(QUESTION_RPCS[rpc].output_type).FromString(content)
