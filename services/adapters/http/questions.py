"""`GET /api/v1/...`: one route for each rpc that asks, named after it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive

from mutua.limits import MAX_PAGE_SIZE
from services.adapters.call_context import CallContext
from services.adapters.http.entity_tag import AnswerIdentity, matches
from services.adapters.http.http_context import ORGANIZATION_HEADER, HttpContext
from services.adapters.http.parameters import parse_request
from services.adapters.telemetry.call_metrics import instrument_handler
from services.adapters.telemetry.metrics import Meter
from services.adapters.wire.json_form import to_dictionary, to_json
from services.ledger.errors import ImpossibleQuestionError, MutuaError

API: Final = "/api/v1"
MAX_ANSWER_BYTES: Final = 32 << 20
"""Maximum size of all pages that are joined in one answer, in the form of gRPC; JSON has about
three times as many."""
CACHE_CONTROL: Final = "public, max-age=0, s-maxage=1"
"""A cache that many readers share may answer for 1 s without asking; a browser always asks."""
_VERB: Final = re.compile("(Get|List|Watch)(.+)")
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")
_NOT_FILTERS: Final = frozenset({"question", "min_position", "page_size", "page_token", "order_by"})


class CallerGoneError(MutuaError):
    """Nobody waits for the response any more."""

    code = "CANCELLED"


class Answering(Protocol):
    """Answers the rpcs of the contract."""

    async def identify(self, rpc: str, request: Any, context: CallContext) -> AnswerIdentity:
        """What `answer` would compute from now."""

    async def answer(self, rpc: str, request: Any, context: CallContext) -> bytes:
        """The serialized response."""


def name_route(rpc: MethodDescriptor) -> str:
    """The path of an rpc.

    /api/v1/topic-asymmetry for ListTopicAsymmetry, /api/v1/watch/pairs for WatchPairs.
    """
    verb, noun = _VERB.fullmatch(rpc.name).groups()  # type: ignore[union-attr] # buf checks names
    folder = f"{API}/watch" if verb == "Watch" else API
    return f"{folder}/{_CAPITAL.sub('-', noun).lower()}"


# decision 0145: HTTP is made from the contract
def make_question_routes(
    services: Sequence[ServiceDescriptor], answering: Answering, meter: Meter
) -> Iterator[Route]:
    """A route for each unary rpc of these services."""
    for rpc in (rpc for service in services for rpc in service.methods):
        if not rpc.server_streaming:
            handle = _Question(rpc, answering).respond
            instrumented = instrument_handler(handle, rpc.name, meter, streams=False)
            yield Route(name_route(rpc), as_endpoint(instrumented), methods=["GET"], name=rpc.name)


def as_endpoint(
    handle: Callable[[Request, HttpContext], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """A handler as Starlette calls it."""

    async def endpoint(request: Request) -> Response:
        return await handle(request, HttpContext(request))

    return endpoint


class _Question:
    """Answers the requests of one rpc."""

    def __init__(self, rpc: MethodDescriptor, answering: Answering) -> None:
        self._rpc = rpc
        self._answering = answering
        self._response_class = GetMessageClass(rpc.output_type)

    async def respond(self, request: Request, context: HttpContext) -> Response:
        """The answer as JSON; 304 without computing it if the caller has it. Raises MutuaError."""
        query: bytes = request.scope["query_string"]
        message = parse_request(query, self._rpc.input_type)
        identity = await self._answering.identify(self._rpc.name, message, context)
        if not identity.is_cacheable:
            answer = await self._compute(request, message, context)
            return _make_response(await asyncio.to_thread(_render, answer, message))
        asked = f"{context.organization} {request.scope['path']}?{query.decode('latin-1')}"
        if matches(request.headers.get("if-none-match", ""), tag := identity.make_tag(asked)):
            return Response(status_code=304, headers=_make_headers(tag))
        response = await self._compute(request, message, context)
        # The read models may have moved since.
        answered = identity._replace(position=response.position, as_of_date=response.as_of_date)
        body = await asyncio.to_thread(_render, response, message)
        return _make_response(body, _make_headers(answered.make_tag(asked)))

    async def _compute(self, request: Request, message: Any, context: CallContext) -> Any:
        """The response. Raises CallerGoneError as soon as nobody waits for it any more."""
        answer = asyncio.create_task(self._join_pages(message, context))
        gone = asyncio.create_task(wait_until_disconnected(request.receive))
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise CallerGoneError("the caller closed its connection")
            return answer.result()
        finally:
            answer.cancel()
            gone.cancel()

    async def _join_pages(self, message: Any, context: CallContext) -> Any:
        """All rows, or one page of them if the request names a page."""
        fields = message.DESCRIPTOR.fields_by_name
        if "page_token" not in fields or message.page_size or message.page_token:
            return self._parse(await self._answering.answer(self._rpc.name, message, context))
        request = type(message)()
        request.CopyFrom(message)
        request.page_size = MAX_PAGE_SIZE
        content = await self._answering.answer(self._rpc.name, request, context)
        whole, size = self._parse(content), len(content)
        while whole.next_page_token:
            if size > MAX_ANSWER_BYTES:
                raise ImpossibleQuestionError(
                    f"the whole answer has more than {MAX_ANSWER_BYTES >> 20} MiB",
                    remedy="ask for pages with page_size and page_token",
                )
            request.page_token = whole.next_page_token
            content = await self._answering.answer(self._rpc.name, request, context)
            size += len(content)
            page = self._parse(content)
            append_rows(whole, page)
            whole.warnings.extend(each for each in page.warnings if each not in whole.warnings)
        return whole

    def _parse(self, content: bytes) -> Any:
        return self._response_class.FromString(content)


def append_rows(whole: Any, page: Any) -> None:
    """Adds the rows of the page that follows, and takes over what it says of the next one."""
    for field in whole.DESCRIPTOR.fields:
        if field.is_repeated and field.message_type is not None:
            getattr(whole, field.name).extend(getattr(page, field.name))
    whole.next_page_token = page.next_page_token


def _render(response: Any, request: Any) -> bytes:
    """The JSON of an answer, as the command line writes it."""
    document = to_dictionary(response)
    if not document.get("next_page_token"):
        document.pop("next_page_token", None)
    if "question" in document and (filters := _describe_filters(request)):
        document["filters"] = filters
    return f"{to_json(document)}\n".encode()


def _describe_filters(request: Any) -> dict[str, Any]:
    """The fields of a request, besides its question, that decide what the answer is about."""
    values = to_dictionary(request)
    return {
        field.name: values[field.name]
        for field, _ in request.ListFields()
        if field.name not in _NOT_FILTERS
    }


def _make_response(body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        body, headers=headers or {"Cache-Control": "no-store"}, media_type="application/json"
    )


def _make_headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": ORGANIZATION_HEADER}


async def wait_until_disconnected(receive: Receive) -> None:
    """Returns when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
