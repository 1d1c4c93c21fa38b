"""Answers of those who should say the same, field by field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import cycle, zip_longest
from typing import Any, Final

import grpc
from google.protobuf import text_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from mutua.v1.query_service_pb2_grpc import QueryServiceStub

POSITION_FIELDS: Final = frozenset(
    {"position", "log_position", "projection_position", "next_page_token", "offset"}
)
"""Fields that name a place in a log or a list, not what was recorded."""
RECORD_TIME_FIELDS: Final = frozenset({"record_time", "first_record_time", "last_record_time"})
"""Fields that tell when a log took a fact."""
DEADLINE_SECONDS: Final = 120.0


def fetch_pages(
    stubs: Sequence[QueryServiceStub],
    name: str,
    request: Any,
    *,
    normalize: Callable[[Message], None] = lambda _: None,
) -> list[Any]:
    """All pages of an answer, each made tidy, and the refusal last if there is one.

    Where several answer, each page comes from the next of them.
    """
    found: list[Any] = []
    asked = type(request)()
    asked.CopyFrom(request)
    for stub in cycle(stubs):
        try:
            response = getattr(stub, name)(asked, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as refusal:
            return [*found, read_status(refusal)]
        token = getattr(response, "next_page_token", "")
        normalize(response)
        found.append(response)
        if not token:
            break
        asked.page_token = token
    return found


def read_status(refusal: Any) -> Status:
    """A refusal with all its details."""
    details: Status | None = rpc_status.from_call(refusal)
    return details or Status(code=refusal.code().value[0], message=refusal.details())


def clear_fields(message: Message, names: Collection[str]) -> None:
    """Clears the fields of these names, in what it holds too."""
    for field, value in message.ListFields():
        if field.name in names:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                clear_fields(each, names)


def find_difference(one: Sequence[Message], other: Sequence[Message]) -> str:
    """The first line that the answers do not share, on both sides; "" where they are alike."""
    if one == other:
        return ""
    for mine, theirs in zip_longest(one, other):
        for line, another in zip_longest(_lines(mine), _lines(theirs), fillvalue="nothing"):
            if line != another:
                return f"{line} | {another}"
    return "fields that have no line"


def _lines(message: Message | None) -> list[str]:
    return [] if message is None else text_format.MessageToString(message).splitlines()
