"""The register of watches: one line for each rpc of WatchService."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from mutua.limits import MAX_PAGE_SIZE
from mutua.v1 import watch_service_pb2
from mutua.watched_rows import WATCHED_ROWS
from services.query.questions import QUESTION_RPCS
from services.query.watch.messages import MessageEncoder

SERVICE: Final = watch_service_pb2.DESCRIPTOR.services_by_name["WatchService"]


@dataclass(frozen=True, slots=True)
class RegisteredWatch:
    """A watch, and the question whose answer it keeps up to date."""

    rpc: MethodDescriptor
    question: MethodDescriptor
    is_list: bool = False
    """Whether it sends what is added to a list of exchanges, instead of the rows of a state."""

    def make_request(self, request: Any) -> Any:
        """The request of the question: the fields that both have, and the largest pages."""
        question_request: Any = GetMessageClass(self.question.input_type)()
        fields = self.question.input_type.fields_by_name
        for field, value in request.ListFields():
            if field.name not in fields:
                continue
            if field.message_type is None:
                setattr(question_request, field.name, value)
            else:
                getattr(question_request, field.name).CopyFrom(value)
        if "page_size" in fields:
            question_request.page_size = MAX_PAGE_SIZE
        return question_request

    def make_encoder(self) -> MessageEncoder:
        return MessageEncoder(GetMessageClass(self.rpc.output_type), WATCHED_ROWS[self.rpc.name])


def _register(name: str, question: str, *, is_list: bool = False) -> tuple[str, RegisteredWatch]:
    rpc = SERVICE.methods_by_name[name]
    return name, RegisteredWatch(rpc, QUESTION_RPCS[question], is_list=is_list)


WATCHES: Final[Mapping[str, RegisteredWatch]] = dict(
    (
        _register("WatchBalances", "ListBalances"),
        _register("WatchPairs", "ListPairs"),
        _register("WatchNetwork", "GetNetwork"),
        _register("WatchExchanges", "ListExchanges", is_list=True),
        _register("WatchReciprocity", "GetReciprocity"),
        _register("WatchStatus", "GetStatus"),
    )
)
"""Every watch by the name of its rpc, with the rpc of its question."""
