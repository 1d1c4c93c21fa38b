"""Calls are measured under their outcome and logged under their request id."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest

from mutua.v1.ingest_service_pb2 import (
    RecordEventsRequest,
    RecordEventsResponse,
    RecordStreamRequest,
    RecordStreamResponse,
)
from mutua.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    IngestServiceStub,
    add_IngestServiceServicer_to_server,
)
from services.adapters.grpc.server import GrpcServer
from services.adapters.telemetry.logs import get_request_id
from services.adapters.telemetry.metrics import (
    CALL_SECONDS,
    READY,
    Counter,
    Gauge,
    Histogram,
    Reading,
)
from services.ledger.errors import InvalidFactError, NotFoundError
from tests.waiting import PATIENCE_SECONDS

Handler = Callable[[], Awaitable[RecordEventsResponse]]


class RecordingMeter:
    """A meter that records its calls."""

    def __init__(self) -> None:
        self.observed: list[tuple[Histogram, tuple[str, ...]]] = []
        self.watched: dict[Counter | Gauge, Callable[[], Reading]] = {}

    def add(self, counter: Counter, amount: float, *labels: str) -> None: ...

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        assert value > 0
        self.observed.append((histogram, labels))

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None:
        self.watched[metric] = read


class FakeIngestService(IngestServiceServicer):
    def __init__(self, handle: Handler) -> None:
        self.handle = handle

    async def RecordEvents(self, request: Any, context: Any) -> RecordEventsResponse:  # noqa: N802
        return await self.handle()

    async def RecordStream(  # noqa: N802
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[RecordStreamResponse]:
        async for _ in request_iterator:
            yield RecordStreamResponse(position=(await self.handle()).position)


Ask = Callable[[Any], Awaitable[Any]]


async def call_server(handle: Handler, meter: RecordingMeter, ask: Ask) -> Any:
    """The response to a call, or its error."""
    server = GrpcServer(["mutua.v1.IngestService"], meter=meter)
    add_IngestServiceServicer_to_server(FakeIngestService(handle), server.aio_server)
    address = await server.start("127.0.0.1:0")
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            return await ask(IngestServiceStub(channel))
    except grpc.aio.AioRpcError as error:
        return error
    finally:
        await server.stop(PATIENCE_SECONDS)


def make_unary_call(*, timeout: float = PATIENCE_SECONDS, **sent_metadata: str) -> Ask:
    """Makes a unary call with this metadata."""
    metadata = tuple((name.replace("_", "-"), value) for name, value in sent_metadata.items())

    async def ask(stub: Any) -> Any:
        return await stub.RecordEvents(RecordEventsRequest(), metadata=metadata, timeout=timeout)

    return ask


async def call_stream(stub: Any) -> Any:
    requests = (RecordStreamRequest() for _ in range(3))
    return [each.position async for each in stub.RecordStream(requests, timeout=PATIENCE_SECONDS)]


async def succeed() -> RecordEventsResponse:
    return RecordEventsResponse(position=get_request_id())


async def refuse() -> RecordEventsResponse:
    raise InvalidFactError("no fact")


async def raise_not_found() -> RecordEventsResponse:
    raise NotFoundError("nowhere")  # has no reason of the contract


async def fail() -> RecordEventsResponse:
    raise ZeroDivisionError("nothing to divide by")


async def never_end() -> RecordEventsResponse:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("handle", "outcome"),
    [
        (succeed, "OK"),
        (refuse, "INVALID_FACT"),
        (raise_not_found, "NOT_FOUND"),
        (fail, "INTERNAL"),
        (never_end, "CANCELLED"),
    ],
)
def test_call_is_measured_under_its_outcome(handle: Handler, outcome: str) -> None:
    meter = RecordingMeter()
    patience = 0.2 if handle is never_end else PATIENCE_SECONDS
    asyncio.run(call_server(handle, meter, make_unary_call(timeout=patience)))
    assert meter.observed == [(CALL_SECONDS, ("RecordEvents", outcome))]
    assert meter.watched[READY]() == {("IngestService",): False}


def test_stream_is_measured_as_one_call() -> None:
    meter = RecordingMeter()
    ids = asyncio.run(call_server(succeed, meter, call_stream))
    assert (len(ids), len(set(ids))) == (3, 1)
    assert meter.observed == [(CALL_SECONDS, ("RecordStream", "OK"))]
    asyncio.run(call_server(refuse, meter, call_stream))
    assert meter.observed[1:] == [(CALL_SECONDS, ("RecordStream", "INVALID_FACT"))]


def test_request_id_is_the_sent_one_if_valid_else_the_trace_id() -> None:
    def get_request_id_of_call(**sent_metadata: Any) -> str:
        return str(
            asyncio.run(
                call_server(succeed, RecordingMeter(), make_unary_call(**sent_metadata))
            ).position
        )

    trace = "0af7651916cd43dd8448eb211c80319c"
    traced = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert get_request_id_of_call(x_request_id="from-a-proxy", **traced) == "from-a-proxy"
    assert (
        get_request_id_of_call(x_request_id="two words", **traced)
        == get_request_id_of_call(**traced)
        == trace
    )
    for invalid_metadata in ({}, {"x_request_id": "x" * 129}, {"traceparent": f"00-{trace}"}):
        generated_id = get_request_id_of_call(**invalid_metadata)
        assert len(generated_id) == 32
        assert generated_id != trace


def test_internal_error_names_the_request_id_of_the_log_entry() -> None:
    log_entries: list[tuple[str, str]] = []

    class CollectingHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log_entries.append((record.getMessage(), get_request_id()))

    handler = CollectingHandler()
    logging.getLogger().addHandler(handler)
    try:
        error = asyncio.run(
            call_server(fail, RecordingMeter(), make_unary_call(x_request_id="from-a-proxy"))
        )
    finally:
        logging.getLogger().removeHandler(handler)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == "mutua failed at this; its log says more under request from-a-proxy"
    assert ("/mutua.v1.IngestService/RecordEvents failed", "from-a-proxy") in log_entries
