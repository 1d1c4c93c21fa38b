"""Passes facts on to an ingest process."""

from typing import Any, Final, cast

import grpc

from mutua.connection import CHANNEL_OPTIONS
from mutua.errors import error_from
from mutua.v1.ingest_service_pb2 import RecordEventsRequest, RecordEventsResponse
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from services.adapters.call_context import CallContext, read_caller
from services.adapters.telemetry.logs import get_request_id
from services.adapters.telemetry.tracing import make_record_headers
from services.ledger.errors import OutcomeUnknownError

_SECONDS: Final = 20.0


class IngestForwarder:
    """Records at another process, for the organization that called, under the same request id."""

    def __init__(self, address: str) -> None:
        """`address` is HOST:PORT."""
        self._address = address
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        # The stub is typed for blocking channels; on this one its methods are awaited.
        self._stub: Any = IngestServiceStub(cast(grpc.Channel, self._channel))

    async def record(
        self, request: RecordEventsRequest, context: CallContext
    ) -> RecordEventsResponse:
        """Raises mutua.MutuaError with which ingest refused, else OutcomeUnknownError."""
        metadata: list[tuple[str, str | bytes]] = [("x-request-id", get_request_id())]
        metadata += [(name, value.decode()) for name, value in make_record_headers()]
        if organization := read_caller(context):
            metadata.append(("mutua-organization-bin", organization.encode()))
        try:
            response: RecordEventsResponse = await self._stub.RecordEvents(
                request, timeout=_SECONDS, metadata=metadata
            )
        except grpc.RpcError as failure:
            error = error_from(failure, address=self._address)
            if error.reason:
                raise error from None
            raise OutcomeUnknownError(
                f"ingest at {self._address} did not answer: {error.message}",
                remedy="send the identical request again",
            ) from None
        return response

    async def close(self) -> None:
        await self._channel.close()
