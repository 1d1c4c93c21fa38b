"""One stub for every rpc that reads, of QueryService and AnalysisService."""

from typing import Any

import grpc

from mutua.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from mutua.v1.query_service_pb2_grpc import QueryServiceStub


class QuestionStub:
    """Has the methods of both stubs; the services have no rpc of the same name."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stubs = QueryServiceStub(channel), AnalysisServiceStub(channel)

    def __getattr__(self, rpc: str) -> Any:
        return next(getattr(stub, rpc) for stub in self._stubs if hasattr(stub, rpc))
