"""The routes of the dashboard: the page, its files, and the views as JSON."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

from mutua.v1.query_service_pb2 import ListBalancesRequest
from services.adapters.http.entity_tag import matches
from services.adapters.http.http_context import HttpContext
from services.adapters.http.questions import Answering
from services.adapters.wire.json_form import to_iso
from services.ledger.errors import NotFoundError
from services.ledger.ports import MapStore
from services.query.dashboard.asker import Asker
from services.query.dashboard.compression import Compressed, compress, compress_file
from services.query.dashboard.map_places import MapPlaces
from services.query.dashboard.request import parse_view_request
from services.query.dashboard.view import Choices, View
from services.query.dashboard.view_cache import ViewCache
from services.query.dashboard.views import VIEWS
from services.query.dashboard.wording import (
    describe_amounts,
    describe_question,
    describe_recording,
    describe_warnings,
)

STATIC: Final = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; img-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'none'; object-src 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
"""Pictures to download are drawn from blobs that the page makes itself."""


_KEPT_HEADERS: Final = ("cache-control", "content-security-policy", "last-modified")


def make_dashboard_routes(answering: Answering, maps: MapStore | None) -> Iterator[BaseRoute]:
    """The routes of the page at `/`, its views at `/views/NAME`, and its files.

    Without `maps` organizations are placed on the map anew after each start.
    """
    cache, places = ViewCache(), MapPlaces(maps)

    async def answer_view(request: Request) -> Response:
        return await _answer_view(request, answering, cache, places)

    yield Route("/views", _list_views)
    yield Route("/views/{name}", answer_view)
    yield Mount("/", _PageFiles(directory=STATIC, html=True))


async def _list_views(_: Request) -> Response:
    views = [
        {"name": view.name, "title": view.title, "choices": view.choices} for view in VIEWS.values()
    ]
    return _make_json(_dump({"views": views}), {"Cache-Control": "no-cache"})


async def _answer_view(
    request: Request, answering: Answering, cache: ViewCache, places: MapPlaces
) -> Response:
    """The view as JSON; 304 without computing it if the caller has it. Raises MutuaError."""
    view = VIEWS.get(name := request.path_params["name"])
    if view is None:
        raise NotFoundError(f"there is no view {name[:40]!r}", remedy=f"ask for {', '.join(VIEWS)}")
    query: bytes = request.scope["query_string"]
    asked = parse_view_request(view, query)
    context = HttpContext(request)
    # A tag from before the answers: what is recorded meanwhile makes the next tag differ.
    request_of_rows = ListBalancesRequest(question=asked.question)
    identity = await answering.identify("ListBalances", request_of_rows, context)
    address = f"{context.organization} {name}?{query.decode('latin-1')}"
    tag = identity.make_tag(address)
    headers = {"ETag": f"W/{tag}", "Cache-Control": "no-cache"}  # weak: gzip is the same view
    if matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)

    async def compute() -> Compressed:
        asker = Asker(answering, context, asked.question, places)
        answers = await view.ask(asker, asked.choices)
        return await asyncio.to_thread(_render, view, answers, asked.choices)

    content = await cache.get_or_compute(address, tag, compute)
    body, described = content.select(request.headers)
    return _make_json(body, {**headers, **described})


def _render(view: View, answers: Any, choices: Choices) -> Compressed:
    content = view.make(answers, choices)
    basis = content.basis
    document = _dump(
        {
            "view": view.name,
            "question": describe_question(content.question or view.question, basis.question),
            "coverage": describe_recording(basis.coverage),
            "notes": describe_amounts(basis.coverage),
            "warnings": describe_warnings(basis),
            "position": basis.position,
            "as_of_date": to_iso(basis.as_of_date),
            "data": content.data,
        }
    )
    return compress(document)


def _dump(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _make_json(content: bytes, headers: dict[str, str]) -> Response:
    return Response(content, headers=headers, media_type="application/json")


class _PageFiles(StaticFiles):
    """The page and its files; a browser asks each time whether they changed."""

    def file_response(
        self,
        full_path: PathLike,
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        plain = super().file_response(full_path, stat_result, scope, status_code)
        plain.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        plain.headers["Cache-Control"] = "no-cache"
        if not isinstance(plain, FileResponse):
            return plain
        file = compress_file(Path(full_path), stat_result.st_mtime)
        body, described = file.select(Headers(scope=scope))
        headers = {name: plain.headers[name] for name in _KEPT_HEADERS if name in plain.headers}
        headers["etag"] = f"W/{plain.headers['etag']}"
        return Response(body, status_code, {**headers, **described}, plain.media_type)
