"""Errors as problem details (RFC 9457), with the reason of the contract."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any, ClassVar, Final

from starlette.responses import Response

from mutua import FieldViolation
from mutua.errors import MutuaError as ClientError
from services.adapters.telemetry.logs import get_request_id
from services.adapters.wire.json_form import to_json
from services.ledger.errors import MutuaError, RequestTooLargeError, Violation

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
"""Statuses of HTTP by the code of gRPC, as google.rpc.Code has them; others are 500."""


class HttpError(MutuaError):
    """An error that only HTTP has, with its status."""

    code = "INVALID_ARGUMENT"
    status: ClassVar[int]


def make_problem(error: MutuaError | ClientError) -> Response:
    """The response for an error of this process, or of one that it asked."""
    match error:
        case MutuaError():
            retry_seconds = error.retry_seconds
        case ClientError():
            retry_seconds = error.retry_delay_seconds
    headers = {"Retry-After": str(ceil(retry_seconds))} if retry_seconds else {}
    return _make_response(describe_error(error), headers)


def describe_error(error: MutuaError | ClientError) -> dict[str, Any]:
    """The object of a problem for an error."""
    members: dict[str, Any] = {"reason": error.reason}
    violations: Iterable[Violation | FieldViolation]
    match error:
        case MutuaError():
            code, violations = error.code, error.violations
            members["remedy"] = error.remedy
        case ClientError():
            code, violations = error.code.name, error.field_violations
    members["field_violations"] = [
        {"field": each.field, "description": each.description} for each in violations
    ]
    return describe_problem(
        _find_status(error, code),
        error.message,
        code=code,
        **members,
        request_id=get_request_id(),
    )


def _find_status(error: MutuaError | ClientError, code: str) -> int:
    if isinstance(error, HttpError):
        return error.status
    return 413 if error.reason == RequestTooLargeError.reason else _STATUSES.get(code, 500)


def make_problem_response(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
) -> Response:
    """A problem with these members. It is never cached."""
    document = describe_problem(status, detail, **members, request_id=get_request_id())
    return _make_response(document, headers)


def _make_response(document: Mapping[str, Any], headers: Mapping[str, str] | None) -> Response:
    return Response(
        f"{to_json(document)}\n",
        document["status"],
        {"Cache-Control": "no-store", **(headers or {})},
        media_type=PROBLEM_TYPE,
    )


def describe_problem(status: int, detail: str, **members: Any) -> dict[str, Any]:
    """The object of a problem, without empty members."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
    }
    return {name: value for name, value in document.items() if value}
