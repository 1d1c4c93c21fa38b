"""QueryService and AnalysisService: every rpc answers with its function in the register."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message_factory import GetMessageClass

from mutua.v1 import analysis_service_pb2, query_service_pb2
from services.adapters.grpc.server import Context
from services.adapters.telemetry.metrics import NO_OP_METER, Meter
from services.ledger.ports import QueryStore, ReadableLog
from services.ledger.times import Instant
from services.query.executor import QueryExecutor
from services.query.position_tracker import PositionTracker
from services.query.questions import register_questions

_SERVICES: Final = (
    query_service_pb2.DESCRIPTOR.services_by_name["QueryService"],
    analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
)
SERVICE_NAMES: Final = tuple(service.full_name for service in _SERVICES)

AnswerRpc: TypeAlias = "Callable[[str, Any, Context], Awaitable[bytes]]"
"""Takes the name of an rpc, its request and its context; returns the serialized response."""


class QueryService:
    """Answers every rpc of both services from the read models."""

    def __init__(
        self,
        store: QueryStore,
        positions: PositionTracker,
        *,
        log: ReadableLog,
        model_version: int,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
        meter: Meter = NO_OP_METER,
    ) -> None:
        self._executor = QueryExecutor(store, positions, log=log, clock=clock, meter=meter)
        self._questions = register_questions(
            log=log, positions=positions, model_version=model_version
        )
        self.read_status = self._executor.read_status

    def switch_store(self, store: QueryStore) -> None:
        """Switches to read models at the same position; running questions end on the old ones."""
        self._executor.switch_store(store)

    async def answer(self, rpc: str, request: Any, context: Context) -> bytes:
        """The serialized response to a request of the rpc with this name. Raises MutuaError."""
        return await self._executor.execute(request, context, self._questions[rpc])


def add_query_services(answer: AnswerRpc, server: grpc.aio.Server) -> None:
    """Adds both services to a server; every rpc of the contract is answered by `answer`.

    Replaces the generated functions, whose servicers return messages: ours returns bytes, most of
    which come from the cache.
    """
    for service in _SERVICES:
        handlers = {
            rpc.name: grpc.unary_unary_rpc_method_handler(
                partial(answer, rpc.name),
                request_deserializer=GetMessageClass(rpc.input_type).FromString,
                response_serializer=bytes,
            )
            for rpc in service.methods
        }
        generic_handler = grpc.method_handlers_generic_handler(service.full_name, handlers)
        server.add_generic_rpc_handlers((generic_handler,))
        server.add_registered_method_handlers(service.full_name, handlers)
