"""IngestService: checks a request whole, appends it, answers when it is durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from mutua.v1 import ingest_service_pb2 as pb
from mutua.v1.ingest_service_pb2_grpc import IngestServiceServicer
from services.adapters.grpc_server import Context, remaining_seconds, scope_of
from services.ingest.check import to_records
from services.ledger.errors import OutcomeUnknown
from services.ledger.ports import Log
from services.ledger.times import Instant

NAME: Final = "mutua.v1.IngestService"
_MAX_WAIT_SECONDS: Final = 20.0
_ANSWER_SECONDS: Final = 0.2
"""Kept of the caller's deadline, so that the caller hears the reason rather than a deadline."""
_SMALL_EVENTS: Final = 20
_SMALL_BYTES: Final = 20_000
"""What is checked faster than a thread is asked to."""


class IngestService(IngestServiceServicer):
    def __init__(
        self, log: Log, *, clock: Callable[[], Instant] = lambda: time.time_ns() // 1000
    ) -> None:
        self._log = log
        self._clock = clock

    async def RecordEvents(
        self,
        request: pb.RecordEventsRequest,
        context: Context,
    ) -> pb.RecordEventsResponse:
        def check() -> tuple[str, list[bytes]]:
            return to_records(request, scope=scope_of(context), now=self._clock())

        small = len(request.events) <= _SMALL_EVENTS and request.ByteSize() <= _SMALL_BYTES
        programme_id, records = check() if small else await asyncio.to_thread(check)
        appended = asyncio.wrap_future(self._log.append(programme_id, records))
        remaining = remaining_seconds(context)
        patience = _MAX_WAIT_SECONDS if remaining is None else remaining - _ANSWER_SECONDS
        try:
            # An append is never cancelled: what the log took it will finish.
            position = await asyncio.wait_for(
                asyncio.shield(appended), min(_MAX_WAIT_SECONDS, max(0.0, patience))
            )
        except TimeoutError:
            raise OutcomeUnknown(
                "the log has not answered yet; send the identical request again, facts count once"
            ) from None
        return pb.RecordEventsResponse(position=str(position))
