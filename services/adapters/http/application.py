"""The application: routes, pages, and errors as problem details."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ExceptionHandler

from mutua.errors import MutuaError as ClientError
from services.adapters.http.gatekeeper import Gatekeeper
from services.adapters.http.problems import make_problem, make_problem_response
from services.adapters.telemetry.logs import get_request_id
from services.ledger.errors import MutuaError

_METHOD_NOT_ALLOWED: Final = 405


def build_application(routes: Sequence[BaseRoute], origins: Iterable[str] = ()) -> Starlette:
    """An application with these routes, for pages of this server and of the named origins."""
    handlers: dict[type[Exception], ExceptionHandler] = {
        MutuaError: _answer_error,
        ClientError: _answer_error,
        HTTPException: _answer_wrong_request,
        Exception: _answer_failure,
    }
    return Starlette(
        routes=list(routes),
        middleware=[Middleware(Gatekeeper, origins=tuple(origins))],
        exception_handlers=handlers,
    )


async def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, MutuaError | ClientError)
    return make_problem(error)


async def _answer_wrong_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == _METHOD_NOT_ALLOWED:
        detail = f"{request.url.path} does not take {request.method}"
    else:
        detail = f"there is no {request.url.path}; /api/v1/openapi.json has what there is"
    code = "UNIMPLEMENTED" if error.status_code == _METHOD_NOT_ALLOWED else "NOT_FOUND"
    return make_problem_response(error.status_code, detail, headers=error.headers, code=code)


async def _answer_failure(_: Request, __: Exception) -> Response:
    """Starlette raises the error again, and the server logs it."""
    return make_problem_response(
        500,
        f"mutua failed at this; its log says more under request {get_request_id()}",
        code="INTERNAL",
    )
