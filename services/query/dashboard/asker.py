"""Asks the questions of a view."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from google.protobuf.message_factory import GetMessageClass

from mutua.limits import MAX_PAGE_SIZE
from mutua.v1 import analysis_service_pb2, query_service_pb2
from mutua.v1.query_service_pb2 import Question
from services.adapters.call_context import CallContext
from services.adapters.http.questions import Answering

_SERVICES: Final = (
    query_service_pb2.DESCRIPTOR.services_by_name["QueryService"],
    analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
)
_RPCS: Final = {rpc.name: rpc for service in _SERVICES for rpc in service.methods}
_ROW_FIELD: Final = 1
"""The number of the repeated field that a list continues on its next page."""


class Asker:
    """Asks questions with the filters of one view, on behalf of one caller."""

    def __init__(self, answering: Answering, context: CallContext, question: Question) -> None:
        self.question = question
        self._answering = answering
        self._context = context

    async def ask(self, rpc: str, question: Question | None = None, **fields: Any) -> Any:
        """The response, with all its pages joined. Raises MutuaError.

        `question` replaces the filters of the view.
        """
        method = _RPCS[rpc]
        request: Any = GetMessageClass(method.input_type)(**fields)
        names = method.input_type.fields_by_name
        if "question" in names:
            request.question.CopyFrom(question or self.question)
        else:
            request.programme_id = self.question.programme_id
        if "page_size" in names and not request.page_size:
            request.page_size = MAX_PAGE_SIZE
            return await self._join_pages(rpc, request)
        return await self._answer(rpc, request)

    async def ask_each(self, rpc: str, questions: list[Question], **fields: Any) -> list[Any]:
        """The responses to the same rpc under different filters, in their order."""
        return await asyncio.gather(*(self.ask(rpc, each, **fields) for each in questions))

    async def _join_pages(self, rpc: str, request: Any) -> Any:
        whole = await self._answer(rpc, request)
        rows = whole.DESCRIPTOR.fields_by_number[_ROW_FIELD].name
        request.page_token = whole.next_page_token
        while request.page_token:
            page = await self._answer(rpc, request)
            getattr(whole, rows).extend(getattr(page, rows))
            if rpc == "GetNetwork":
                whole.nodes.extend(page.nodes)
            request.page_token = page.next_page_token
        return whole

    async def _answer(self, rpc: str, request: Any) -> Any:
        content = await self._answering.answer(rpc, request, self._context)
        return GetMessageClass(_RPCS[rpc].output_type).FromString(content)
