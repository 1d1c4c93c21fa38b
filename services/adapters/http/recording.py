"""`POST /api/v1/events`: records facts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from google.protobuf.json_format import ParseDict, ParseError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutua.limits import MAX_REQUEST_BYTES
from mutua.v1.ingest_service_pb2 import RecordEventsRequest, RecordEventsResponse
from services.adapters.call_context import CallContext
from services.adapters.http.body import BodyReader
from services.adapters.http.questions import API, as_endpoint
from services.adapters.telemetry.call_metrics import instrument_handler
from services.adapters.telemetry.metrics import Meter
from services.adapters.wire.json_dates import with_message_dates
from services.adapters.wire.json_form import to_dictionary, to_json
from services.ledger.errors import (
    InvalidFactError,
    RequestTooLargeError,
    UnimplementedError,
    Violation,
)
from services.ledger.wording import format_count

EVENTS_PATH: Final = f"{API}/events"
MAX_BODY_BYTES: Final = 4 * MAX_REQUEST_BYTES
"""JSON has up to four times the bytes of the request that it describes."""
MAX_WAITING_BYTES: Final = 16 * MAX_BODY_BYTES
"""Maximum of all bodies that are being received or read at one time."""
_SMALL_BYTES: Final = 20_000
"""Bodies up to this size are read on the event loop, because a thread would cost more."""

RecordEvents: TypeAlias = Callable[
    [RecordEventsRequest, CallContext], Awaitable[RecordEventsResponse]
]


async def refuse_to_record(_: RecordEventsRequest, __: CallContext) -> RecordEventsResponse:
    """Records for a process that has nowhere to record. Raises UnimplementedError."""
    raise UnimplementedError(
        "this process answers questions and records nothing",
        remedy="record at an ingest process, or name one in MUTUA_INGEST_SERVER",
    )


def make_recording_route(record: RecordEvents, meter: Meter) -> Route:
    """The route that records with `record`."""
    handle = instrument_handler(_Recorder(record).respond, "RecordEvents", meter, streams=False)
    return Route(EVENTS_PATH, as_endpoint(handle), methods=["POST"], name="RecordEvents")


class _Recorder:
    """Reads bodies, and records their facts."""

    def __init__(self, record: RecordEvents) -> None:
        self._record = record
        self._bodies = BodyReader(
            "application/json",
            max_bytes=MAX_BODY_BYTES,
            max_waiting_bytes=MAX_WAITING_BYTES,
            remedy="",
        )

    async def respond(self, request: Request, context: CallContext) -> Response:
        """The position after the facts. Raises MutuaError."""
        async with self._bodies.receive(request) as body:
            if len(body) <= _SMALL_BYTES:
                message = _parse(body)
            else:
                message = await asyncio.to_thread(_parse, body)
        response = await self._record(message, context)
        return Response(
            f"{to_json(to_dictionary(response))}\n",
            headers={"Cache-Control": "no-store"},
            media_type="application/json",
        )


def _parse(body: bytes) -> RecordEventsRequest:
    """Raises InvalidFactError for a body that is no request, RequestTooLargeError."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _make_form_error(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise _make_form_error("the body is JSON, but no object")
    try:
        request = ParseDict(
            with_message_dates(document, RecordEventsRequest.DESCRIPTOR), RecordEventsRequest()
        )
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _make_form_error(str(error).partition("\n")[0]) from None
    if request.ByteSize() > MAX_REQUEST_BYTES:
        raise RequestTooLargeError(
            f"the request has {format_count(request.ByteSize(), 'byte')}",
            remedy=f"send at most {MAX_REQUEST_BYTES:,}",
        )
    return request


def _make_form_error(problem: str) -> InvalidFactError:
    remedy = 'send {"events": [...]} with the fields of Event in mutua/v1/event.proto'
    return InvalidFactError(problem, (Violation("body", problem),), remedy=remedy)
