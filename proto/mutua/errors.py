"""The error that every method of the client library raises."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """`field` is a path such as `events[3].exchange_recorded.exchange.giver_ids[0]`."""

    field: str
    description: str


class MutuaError(Exception):
    """A request failed. `reason` is one of the contract's, "" when the error is not mutua's own.

    str() is the message; a traceback lists the field violations as notes. `request_id` identifies
    the request and its attempts in the server's log; "" if none was sent.
    """

    request_id: str = ""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str = "",
        field_violations: Iterable[FieldViolation] = (),
        retry_delay_seconds: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.field_violations = tuple(field_violations)
        self.retry_delay_seconds = retry_delay_seconds
        for violation in self.field_violations:
            self.add_note(f"{violation.field}: {violation.description}")


class MissingLibraryError(MutuaError, ImportError):
    """A library that this needs is not installed; `name` is the library."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'{name} is not installed: pip install "mutua[analysis]"',
            code=grpc.StatusCode.FAILED_PRECONDITION,
        )
        self.name = name


def error_from(failure: grpc.RpcError, *, address: str) -> MutuaError:
    """Reads the code and details of a call to `address` that failed."""
    info, retry, bad_request = ErrorInfo(), RetryInfo(), BadRequest()
    status = rpc_status.from_call(cast(grpc.Call, failure))  # what a call raises is also the call
    for detail in status.details if status else ():
        for known_detail in (info, retry, bad_request):
            detail.Unpack(known_detail)  # does nothing with a detail of another type
    reason = info.reason if info.domain == "mutua" else ""
    return MutuaError(
        failure.details() or "" if reason else _explain(failure, address),
        code=failure.code(),
        reason=reason,
        field_violations=[
            FieldViolation(violation.field, violation.description)
            for violation in bad_request.field_violations
        ],
        retry_delay_seconds=retry.retry_delay.ToTimedelta().total_seconds(),
    )


def _explain(failure: grpc.RpcError, address: str) -> str:
    """A message with a remedy, because gRPC's own, kept in `__cause__`, names sockets."""
    match failure.code():
        case grpc.StatusCode.UNAVAILABLE:
            return (
                f"No mutua server answers at {address}: start one with `mutua up`, "
                "or give the address of another."
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"The mutua server at {address} did not answer in time."
        case code:
            return failure.details() or f"The server at {address} answered {code.name}."
