"""A gRPC server with health and reflection, which translates errors in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple, TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from mutua.host_port import parse_host_port
from mutua.limits import MAX_REQUEST_BYTES
from services.adapters.open_files import count_grpc_connections
from services.adapters.telemetry.call_metrics import instrument_handler
from services.adapters.telemetry.logs import get_request_id
from services.adapters.telemetry.metrics import NO_OP_METER, READY, Meter
from services.ledger.errors import (
    ImpossibleQuestionError,
    InvalidArgumentError,
    InvalidFactError,
    MutuaError,
    RequestTooLargeError,
    Violation,
)

logger = logging.getLogger(__name__)

ERROR_DOMAIN: Final = "mutua"
# decision 0057: liveness and readiness are separate
LIVENESS_SERVICE: Final = "alive"
"""Name in the health service of a process that runs, whether or not it is ready."""
_OWN_METHODS: Final = "/mutua."
_MAX_MESSAGE: Final = 600
_MAX_DESCRIPTION: Final = 300
_MAX_VIOLATIONS: Final = 3_000
"""Limits in bytes. Errors travel in trailers, and clients read 8 KiB of these. The message is there
twice, once with three bytes for every byte of a letter outside ASCII."""
_MAX_RECEIVED_BYTES: Final = 64 << 20
"""A request of more than MAX_REQUEST_BYTES is received unparsed and refused with our reason, up to
this size. gRPC refuses a larger one, with a RESOURCE_EXHAUSTED that names no reason. The limit
exists because a call holds its message twice while receiving it, so that one message could take all
memory of a process."""
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", _MAX_RECEIVED_BYTES),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Clients may ping once a second, also while no call is pending.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    # A connection that sends nothing would have a place for 2 minutes.
    ("grpc.server_handshake_timeout_ms", 10_000),
]

# Strings, because only the stubs' classes are generic.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
MethodHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Handler = Callable[[Any, "Context"], Any]
"""A method of a servicer: a coroutine function, or an async generator function."""


class GrpcServer:
    """Serves gRPC services on one address.

    `stopping` is set when the server begins to stop, so that long calls can end themselves.
    """

    def __init__(
        self, services: Sequence[str], *, reuse_port: bool = False, meter: Meter = NO_OP_METER
    ) -> None:
        """`services` are full names, such as `mutua.v1.QueryService`.

        With `reuse_port` several processes may listen on the same address and share its
        connections.
        """
        options = [
            *_OPTIONS,
            ("grpc.so_reuseport", int(reuse_port)),
            ("grpc.max_allowed_incoming_connections", count_grpc_connections()),
        ]
        self.aio_server = grpc.aio.server(interceptors=[ErrorInterceptor(meter)], options=options)
        self.stopping = asyncio.Event()
        self._is_serving = False
        self._health = health.aio.HealthServicer()
        self._services = services
        labels = [(name.rpartition(".")[2],) for name in services]
        meter.watch(READY, lambda: dict.fromkeys(labels, self._is_serving))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.aio_server)
        names = [*services, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self.aio_server)

    async def start(self, listen: str) -> str:
        """Starts on `host:port` (port 0: any) and returns the address. Raises OSError."""
        host, _ = parse_host_port(listen)
        try:
            port = self.aio_server.add_insecure_port(listen)
        except RuntimeError as error:
            raise OSError(
                f"cannot listen on {listen}: it is in use, or no address of this machine; "
                "choose another with --listen or MUTUA_LISTEN"
            ) from error
        await self._health.set(LIVENESS_SERVICE, health_pb2.HealthCheckResponse.SERVING)
        await self.aio_server.start()
        return f"{host}:{port}"

    async def set_serving(self, *, serving: bool) -> None:
        """Sets the health status of every service and of the server."""
        self._is_serving = serving
        status = health_pb2.HealthCheckResponse
        state = status.SERVING if serving else status.NOT_SERVING
        for name in ("", *self._services):
            await self._health.set(name, state)

    async def stop(self, grace_seconds: float) -> None:
        """Reports NOT_SERVING, refuses new calls and lets running calls finish within the grace."""
        self.stopping.set()
        self._is_serving = False
        await self._health.enter_graceful_shutdown()
        await self.aio_server.stop(grace_seconds)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Translates errors of the core into a status with the details of the contract."""

    def __init__(self, meter: Meter = NO_OP_METER) -> None:
        self._meter = meter
        self._handlers: dict[str, MethodHandler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MethodHandler | None:
        method = handler_call_details.method
        if (wrapped := self._handlers.get(method)) is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        self._handlers[method] = wrapped = _wrap_handler(handler, method, self._meter)
        return wrapped


def _wrap_handler(handler: MethodHandler, method: str, meter: Meter) -> MethodHandler:
    streams = (handler.request_streaming, handler.response_streaming)
    behaviour = "_".join("stream" if is_stream else "unary" for is_stream in streams)
    assert handler.request_deserializer is not None
    handle = _refuse_unread(getattr(handler, behaviour), method)
    if method.startswith(_OWN_METHODS):
        handle = instrument_handler(handle, method, meter, streams=handler.response_streaming)
    wrapped: MethodHandler = getattr(grpc, f"{behaviour}_rpc_method_handler")(
        _translate_errors(handle, method),
        request_deserializer=_accept_unreadable(handler.request_deserializer),
        response_serializer=handler.response_serializer,
    )
    return wrapped


class _UnreadRequest(NamedTuple):
    """Replaces a request that is too large or no protobuf.

    gRPC would answer UNKNOWN if the deserializer raised.
    """

    size: int


def _accept_unreadable(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def deserialize(message: bytes) -> Any:
        if len(message) > MAX_REQUEST_BYTES:
            return _UnreadRequest(len(message))
        try:
            return read(message)
        except DecodeError:
            return _UnreadRequest(len(message))

    return deserialize


def _refuse_unread(handle: Handler, method: str) -> Handler:
    """Raises the error of `_make_refusal` for an unread request, or message of a stream."""

    def handle_checked(request: Any, context: Context) -> Any:
        if isinstance(request, _UnreadRequest):
            raise _make_refusal(request, method)
        if isinstance(request, AsyncIterator):
            request = _check_stream(request, method)
        return handle(request, context)

    return handle_checked


async def _check_stream(requests: AsyncIterator[Any], method: str) -> AsyncIterator[Any]:
    async for request in requests:
        if isinstance(request, _UnreadRequest):
            raise _make_refusal(request, method)
        yield request


def _make_refusal(request: _UnreadRequest, method: str) -> InvalidArgumentError:
    if request.size > MAX_REQUEST_BYTES:
        return RequestTooLargeError(
            f"the request has {request.size:,} bytes", remedy=f"send at most {MAX_REQUEST_BYTES:,}"
        )
    error_class = InvalidFactError if "IngestService" in method else ImpossibleQuestionError
    return error_class(
        f"the message sent to {method} is not the protobuf it takes",
        remedy="make requests from the .proto files of mutua.v1, with text in UTF-8",
    )


def _translate_errors(handle: Handler, method: str) -> Handler:
    async def handle_translated(request: Any, context: Context) -> Any:
        try:
            answer = handle(request, context)
            if isinstance(answer, Awaitable):
                return await answer
            # Written here, so that the generator is closed before a broken call ends.
            async with aclosing(answer):
                async for response in answer:
                    await context.write(response)
        except MutuaError as error:
            await context.abort_with_status(rpc_status.to_status(make_status(error)))
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("%s failed", method)
            await context.abort(
                grpc.StatusCode.INTERNAL,
                f"mutua failed at this; its log says more under request {get_request_id()}",
            )

    return handle_translated


def make_status(error: MutuaError) -> status_pb2.Status:
    """A status with ErrorInfo, BadRequest if fields are named, RetryInfo if a retry helps."""
    details = [error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(field_violations=_fit_violations(error.violations))
        )
    if error.retry_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(
        code=grpc.StatusCode[error.code].value[0],
        message=_cut(error.message, _MAX_MESSAGE),
        details=[_pack(detail) for detail in details],
    )


def _fit_violations(
    violations: Sequence[Violation],
) -> Iterator[error_details_pb2.BadRequest.FieldViolation]:
    """The first violations that fit in the trailers; the caller gets the rest after fixing them."""
    rest_bytes = _MAX_VIOLATIONS
    for violation in violations:
        description = _cut(violation.description, _MAX_DESCRIPTION)
        rest_bytes -= len(violation.field) + len(description.encode()) + 8
        if rest_bytes < 0:
            return
        yield error_details_pb2.BadRequest.FieldViolation(
            field=violation.field, description=description
        )


def _cut(text: str, limit: int) -> str:
    """Shortens a text to `limit` bytes."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode(errors="ignore") + "…"


def _pack(detail: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
