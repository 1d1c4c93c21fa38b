"""QueryService, AnalysisService and WatchService: the rpcs of their registers."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from secrets import token_bytes
from typing import Any, Final, Protocol

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from services.adapters.call_context import CallContext, scope_of
from services.adapters.http.entity_tag import AnswerIdentity
from services.adapters.telemetry.metrics import NO_OP_METER, Meter
from services.ledger.ports import QueryStore, ReadableLog
from services.ledger.times import Instant
from services.query.executor import QueryExecutor
from services.query.position_tracker import PositionTracker
from services.query.questions import QUESTION_SERVICES, register_questions
from services.query.watch.feed import DEFAULT_TIMING, WatchTiming
from services.query.watch.hub import WatchHub
from services.query.watch.messages import WatchMessage
from services.query.watch.register import SERVICE as WATCH_SERVICE

SERVICES: Final = (*QUESTION_SERVICES, WATCH_SERVICE)
SERVICE_NAMES: Final = tuple(service.full_name for service in SERVICES)


class QueryRpcs(Protocol):
    """What answers the rpcs: the service, or what stands in front of it."""

    async def identify(self, rpc: str, request: Any, context: CallContext) -> AnswerIdentity: ...

    async def answer(self, rpc: str, request: Any, context: CallContext) -> bytes: ...

    def watch(
        self, rpc: str, request: Any, context: CallContext
    ) -> AsyncGenerator[WatchMessage, None]: ...


class QueryService:
    """Answers every rpc of the services from the read models."""

    def __init__(
        self,
        store: QueryStore,
        positions: PositionTracker,
        *,
        log: ReadableLog,
        model_version: int,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
        meter: Meter = NO_OP_METER,
        token_key: bytes | None = None,
        watch_timing: WatchTiming = DEFAULT_TIMING,
    ) -> None:
        """`token_key` signs resume tokens; without it they are valid in this process only."""
        self._executor = QueryExecutor(store, positions, log=log, clock=clock, meter=meter)
        self._questions = register_questions(
            log=log, positions=positions, model_version=model_version
        )
        self.read_status = self._executor.read_status
        self.watch_hub = WatchHub(
            self._executor,
            self._questions,
            positions,
            log=log,
            token_key=token_key or token_bytes(32),
            timing=watch_timing,
            meter=meter,
        )

    def switch_store(self, store: QueryStore) -> None:
        """Switches to read models at the same position; running questions end on the old ones."""
        self._executor.switch_store(store)

    async def identify(self, rpc: str, request: Any, context: CallContext) -> AnswerIdentity:
        """What `answer` would compute from now. Computes no row. Raises MutuaError."""
        return await self._executor.identify(request, context, self._questions[rpc])

    async def answer(self, rpc: str, request: Any, context: CallContext) -> bytes:
        """The serialized response to a request of the rpc with this name. Raises MutuaError."""
        return await self._executor.execute(request, context, self._questions[rpc])

    def watch(
        self, rpc: str, request: Any, context: CallContext
    ) -> AsyncGenerator[WatchMessage, None]:
        """The messages of a stream; see `WatchHub.subscribe`."""
        return self.watch_hub.subscribe(rpc, request, scope_of(context))


def add_query_services(rpcs: QueryRpcs, server: grpc.aio.Server) -> None:
    """Adds the services to a server; every rpc of the contract is answered by `rpcs`.

    Replaces the generated functions, whose servicers return messages: ours return bytes, most of
    which come from the cache or are shared by subscribers.
    """
    for service in SERVICES:
        handlers = {rpc.name: _make_handler(rpc, rpcs) for rpc in service.methods}
        generic_handler = grpc.method_handlers_generic_handler(service.full_name, handlers)
        server.add_generic_rpc_handlers((generic_handler,))
        server.add_registered_method_handlers(service.full_name, handlers)


def _make_handler(rpc: MethodDescriptor, rpcs: QueryRpcs) -> grpc.RpcMethodHandler[Any, Any]:
    read = GetMessageClass(rpc.input_type).FromString
    if rpc.server_streaming:
        return grpc.unary_stream_rpc_method_handler(
            partial(_stream, rpcs, rpc.name), request_deserializer=read, response_serializer=bytes
        )
    return grpc.unary_unary_rpc_method_handler(
        partial(rpcs.answer, rpc.name), request_deserializer=read, response_serializer=bytes
    )


async def _stream(
    rpcs: QueryRpcs, rpc: str, request: Any, context: CallContext
) -> AsyncGenerator[bytes, None]:
    async with aclosing(rpcs.watch(rpc, request, context)) as messages:
        async for message in messages:
            yield message.content
