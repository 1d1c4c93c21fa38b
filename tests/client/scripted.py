"""A server that answers by script, and time that passes only when someone sleeps."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from mutua.v1.ingest_service_pb2 import RecordEventsResponse
from mutua.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    add_IngestServiceServicer_to_server,
)
from mutua.v1.query_service_pb2_grpc import (
    QueryServiceServicer,
    add_QueryServiceServicer_to_server,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as mutua sends it; without a reason, as gRPC or a proxy would."""

    code: grpc.StatusCode
    reason: str = ""
    domain: str = "mutua"
    retry_delay_seconds: float = 0.0
    violations: Sequence[tuple[str, str]] = ()

    def end(self, context: grpc.ServicerContext) -> NoReturn:
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
    """Gives `answers` in turn, a Failure by failing; then every write is durable at p1, p2, ..."""

    answers: list[Any] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    seconds_allowed: list[float] = field(default_factory=list)
    address: str = ""

    def _answer(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.seconds_allowed.append(context.time_remaining())
        if not self.answers:
            return RecordEventsResponse(position=f"p{len(self.requests)}")
        answer = self.answers.pop(0)
        if isinstance(answer, Failure):
            answer.end(context)
        return answer

    RecordEvents = _answer
    GetBalance = ListBalances = ListPairs = _answer
    ListExchanges = ListOrganizations = GetStatus = _answer


@contextmanager
def serving(servicer: ScriptedServer, address: str = "127.0.0.1:0") -> Iterator[None]:
    """Serves at `address`, which `servicer.address` then tells with its real port."""
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
    """Time passes by the seconds slept, and by nothing else."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return 1000.0 + sum(self.slept)

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
