"""Fetches answers that should be equal, and compares them field by field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from itertools import cycle, zip_longest
from typing import Any, Final

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from tests.cluster.question_stub import QuestionStub
from tests.waiting import wait_until

POSITION_FIELDS: Final = frozenset(
    {"position", "log_position", "projection_position", "next_page_token", "offset"}
)
"""Fields that contain a position in a log or a list."""
RECORD_TIME_FIELDS: Final = frozenset({"record_time", "first_record_time", "last_record_time"})
"""Fields that contain the time at which a log took a fact."""
DEADLINE_SECONDS: Final = 120.0


def fetch_pages(
    stubs: Sequence[QuestionStub],
    name: str,
    request: Any,
    *,
    normalize: Callable[[Message], None] = lambda _: None,
) -> list[Any]:
    """Returns all pages of an answer, normalized; an error ends the list with its status.

    Each page comes from the next of `stubs` in turn. If a server is unavailable, as one may be on a
    loaded machine, the next one is asked.
    """
    pages: list[Any] = []
    page_request = type(request)()
    page_request.CopyFrom(request)
    turns = cycle(stubs)
    while True:
        response = _ask_until_available(turns, name, page_request)
        if isinstance(response, Status):
            return [*pages, response]
        token = getattr(response, "next_page_token", "")
        normalize(response)
        pages.append(response)
        if not token:
            return pages
        page_request.page_token = token


def _ask_until_available(turns: Iterator[QuestionStub], name: str, request: Any) -> Any:
    """Returns a response or the status of a failed call."""
    outcomes: list[Any] = []

    def is_available() -> bool:
        try:
            outcomes.append(getattr(next(turns), name)(request, timeout=DEADLINE_SECONDS))
        except grpc.RpcError as error:
            outcomes.append(read_status(error))
            return error.code() is not grpc.StatusCode.UNAVAILABLE
        return True

    wait_until(is_available, f"a server that answers {name}")
    return outcomes[-1]


def read_status(error: Any) -> Status:
    """Returns the status of a failed call with all its details."""
    details: Status | None = rpc_status.from_call(error)
    return details or Status(code=error.code().value[0], message=error.details())


def clear_fields(message: Message, names: Collection[str]) -> None:
    """Clears the fields of these names, also in nested messages."""
    _clear_fields(message, frozenset(names))


def _clear_fields(message: Message, names: frozenset[str]) -> None:
    cleared, nested = _find_fields(message.DESCRIPTOR, names)
    for name in cleared:
        message.ClearField(name)
    for name, is_repeated in nested:
        if is_repeated:
            for each in getattr(message, name):
                _clear_fields(each, names)
        elif message.HasField(name):
            _clear_fields(getattr(message, name), names)


@cache
def _find_fields(
    descriptor: Descriptor, names: frozenset[str]
) -> tuple[Sequence[str], Sequence[tuple[str, bool]]]:
    """Returns the fields of these names, and the fields in whose messages there are any."""
    cleared = [field.name for field in descriptor.fields if field.name in names]
    nested = [
        (field.name, field.is_repeated)
        for field in descriptor.fields
        if field.name not in names
        and field.message_type is not None
        and any(_find_fields(field.message_type, names))
    ]
    return cleared, nested


def find_difference(one: Sequence[Message], other: Sequence[Message]) -> str:
    """Returns the first line that differs, of both answers; "" if they are equal."""
    if one == other:
        return ""
    for one_page, other_page in zip_longest(one, other):
        for line, other_line in zip_longest(
            _lines(one_page), _lines(other_page), fillvalue="nothing"
        ):
            if line != other_line:
                return f"{line} | {other_line}"
    return "fields without a line"


def _lines(message: Message | None) -> list[str]:
    return [] if message is None else text_format.MessageToString(message).splitlines()
