"""Errors as problem details (RFC 9457), with the reason of the contract."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any, Final

from starlette.responses import Response

from services.adapters.telemetry.logs import get_request_id
from services.adapters.wire.json_form import to_json
from services.ledger.errors import MutuaError, RequestTooLargeError

PROBLEM_TYPE: Final = "application/problem+json"
_STATUSES: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The statuses of HTTP for gRPC's codes, as google.rpc.Code names them; others are 500."""


def find_status(error: MutuaError) -> int:
    """The HTTP status of an error."""
    return 413 if isinstance(error, RequestTooLargeError) else _STATUSES.get(error.code, 500)


def make_problem(error: MutuaError, status: int = 0) -> Response:
    """The response for an error; `status` overrides the one of its code."""
    headers = {}
    if error.retry_seconds is not None:
        headers["Retry-After"] = str(ceil(error.retry_seconds))
    return make_problem_response(
        status or find_status(error),
        error.message,
        headers=headers,
        code=error.code,
        reason=error.reason,
        remedy=error.remedy,
        field_violations=[
            {"field": each.field, "description": each.description} for each in error.violations
        ],
    )


def make_problem_response(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
) -> Response:
    """A problem; empty members are left out. It is never cached."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
        "request_id": get_request_id(),
    }
    return Response(
        to_json({name: value for name, value in document.items() if value}) + "\n",
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        media_type=PROBLEM_TYPE,
    )
