"""Parses the details of a gRPC error of mutua."""

from typing import Any, NamedTuple

from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status


class ErrorDetails(NamedTuple):
    """The details of an error; a missing detail is an empty message."""

    info: ErrorInfo
    bad_request: BadRequest
    retry_info: RetryInfo


def parse_error_details(error: Any) -> ErrorDetails:
    details = ErrorDetails(ErrorInfo(), BadRequest(), RetryInfo())
    for packed in rpc_status.from_call(error).details:
        for detail in details:
            packed.Unpack(detail)
    return details
