"""A server that answers by script, and a clock that advances only by sleeping."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from mutua import AsyncClient, AsyncPages
from mutua.v1.ingest_service_pb2 import RecordEventsResponse, RecordStreamResponse
from mutua.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    add_IngestServiceServicer_to_server,
)
from mutua.v1.query_service_pb2_grpc import (
    QueryServiceServicer,
    add_QueryServiceServicer_to_server,
)

END_STREAM = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedFailure:
    """An error of mutua; without a reason, an error of gRPC or a proxy."""

    code: grpc.StatusCode
    reason: str = ""
    domain: str = "mutua"
    retry_delay_seconds: float = 0.0
    violations: Sequence[tuple[str, str]] = ()

    def abort(self, context: grpc.ServicerContext) -> NoReturn:
        if not self.reason:
            context.abort(self.code, "words of gRPC")
        retry_delay = Duration()
        retry_delay.FromMilliseconds(round(self.retry_delay_seconds * 1000))
        violations = [
            BadRequest.FieldViolation(field=path, description=description)
            for path, description in self.violations
        ]
        details: list[Message] = [
            BadRequest(field_violations=violations),
            ErrorInfo(reason=self.reason, domain=self.domain),
            RetryInfo(retry_delay=retry_delay),
        ]
        status = Status(code=self.code.value[0], message=f"{self.reason} in words")
        for detail in details:
            status.details.add().Pack(detail)
        context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort_with_status does not return")


@dataclass
class ScriptedServer(IngestServiceServicer, QueryServiceServicer):
    """Gives `answers` in turn and fails with a ScriptedFailure; then confirms writes at p1, p2, ...

    In a stream the answer None confirms a group, and END_STREAM ends the stream too early;
    `stream_finished` is set when the caller has no further group.
    """

    answers: list[Any] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    timeouts_seconds: list[float] = field(default_factory=list)
    stream_count: int = 0
    stream_finished: Event = field(default_factory=Event)
    address: str = ""

    def RecordStream(  # noqa: N802
        self, request_iterator: Iterator[Any], context: Any
    ) -> Iterator[RecordStreamResponse]:
        self.stream_count += 1
        self.metadata.append(dict(context.invocation_metadata()))
        for request in request_iterator:
            self.requests.append(request)
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, ScriptedFailure):
                answer.abort(context)
            if answer == END_STREAM:
                return
            yield RecordStreamResponse(position=f"p{len(self.requests)}")
        self.stream_finished.set()

    def _answer(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.timeouts_seconds.append(context.time_remaining())
        if not self.answers:
            return RecordEventsResponse(position=f"p{len(self.requests)}")
        answer = self.answers.pop(0)
        if isinstance(answer, ScriptedFailure):
            answer.abort(context)
        return answer

    RecordEvents = _answer
    GetBalance = GetConcentration = GetExchange = GetNetwork = GetStatus = _answer
    ListBalances = ListPairs = ListExchanges = ListOrganizations = _answer
    GetPairings = ListBatches = GetProgramme = ListQuarantine = _answer


@contextmanager
def serve(servicer: ScriptedServer, address: str = "127.0.0.1:0") -> Iterator[None]:
    """Serves at `address`, and sets `servicer.address` to the address with the real port."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    add_IngestServiceServicer_to_server(servicer, server)
    add_QueryServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port(address)}"
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


class FakeClock:
    """A clock that only `sleep` advances."""

    def __init__(self) -> None:
        self.delays_seconds: list[float] = []

    def monotonic(self) -> float:
        return 1000.0 + sum(self.delays_seconds)

    def sleep(self, seconds: float, /) -> None:
        self.delays_seconds.append(seconds)


class BlockingAsyncClient:
    """An AsyncClient with the interface of a Client, so that both pass the same tests."""

    def __init__(self, *args: Any, clock: FakeClock | None = None, **options: Any) -> None:
        self._runner = asyncio.Runner()
        if clock is not None:
            options["clock"] = _AsyncClock(clock)
        try:
            self._client: AsyncClient = self._wait(_make(AsyncClient, *args, **options))
        except BaseException:
            self._runner.close()
            raise

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            answer = method(*args, **options)
            if isinstance(answer, AsyncIterator):
                return self._each(answer)
            result = self._wait(answer)
            return _WaitedPages(self, result) if isinstance(result, AsyncPages) else result

        return call

    def __enter__(self) -> "BlockingAsyncClient":
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._wait(self._client.__aexit__(*error))
        finally:
            self._runner.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def _each(self, rows: AsyncIterator[Any]) -> Iterator[Any]:
        end = object()
        try:
            while (row := self._wait(_make(anext, rows, end))) is not end:
                yield row
        finally:
            self._wait(rows.aclose())  # type: ignore[attr-defined]


class _WaitedPages:
    def __init__(self, client: BlockingAsyncClient, pages: "AsyncPages[Any]") -> None:
        self._client, self._pages = client, pages

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pages, name)

    def __iter__(self) -> Iterator[Any]:
        return self._client._each(aiter(self._pages))


class _AsyncClock:
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.monotonic = clock.monotonic

    async def sleep(self, seconds: float, /) -> None:
        self._clock.sleep(seconds)


async def _make(make: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Calls `make` in an event loop, and awaits the result if possible."""
    result = make(*args, **options)
    return await result if hasattr(result, "__await__") else result
