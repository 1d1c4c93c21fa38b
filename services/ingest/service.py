"""IngestService: checks what is sent whole, appends it, answers when it is durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial
from typing import Final

from mutua.v1 import ingest_service_pb2 as pb
from mutua.v1.ingest_service_pb2_grpc import IngestServiceServicer
from services.adapters.grpc_server import Context, scope_of
from services.ingest.appends import Appends, durable
from services.ingest.check import to_records
from services.ingest.stream import RecordStream
from services.ledger.errors import MutuaError
from services.ledger.ports import Log
from services.ledger.question import Scope
from services.ledger.times import Instant
from services.metrics import QUEUE_LIMIT_BYTES, QUEUED_BYTES, UNMEASURED, Meter

NAME: Final = "mutua.v1.IngestService"
_SMALL_EVENTS: Final = 20
_SMALL_BYTES: Final = 20_000
"""What is checked faster than a thread is asked to."""


class IngestService(IngestServiceServicer):
    def __init__(
        self,
        log: Log,
        *,
        lag: Callable[[str], int],
        refused: Callable[[], Collection[str]] = frozenset,
        stopping: asyncio.Event,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
        meter: Meter = UNMEASURED,
    ) -> None:
        """`lag` tells how many facts on the log are to be projected before those that a programme
        records next, `refused` which facts, by their field of Event, the read models do not know
        yet; both answer at once, with what is known. Streams end soon after `stopping` is set.
        """
        self._appends = Appends(log, meter)
        meter.watch(QUEUED_BYTES, lambda: log.queued_bytes)
        meter.watch(QUEUE_LIMIT_BYTES, lambda: log.queue_limit_bytes)
        self._lag = lag
        self._refused = refused
        self._stopping = stopping
        self._clock = clock

    async def RecordEvents(
        self, request: pb.RecordEventsRequest, context: Context
    ) -> pb.RecordEventsResponse:
        programme_id, records = await self._checked(request, scope_of(context))
        appended = self._appends.append(programme_id, records)
        return pb.RecordEventsResponse(position=str(await durable(appended, context)))

    def RecordStream(
        self, request_iterator: AsyncIterator[pb.RecordStreamRequest], context: Context
    ) -> AsyncIterator[pb.RecordStreamResponse]:
        scope = scope_of(context)
        stream = RecordStream(
            request_iterator,
            check=lambda request: self._checked(request, scope),
            appends=self._appends,
            lag=self._lag,
        )
        return stream.answers(context, self._stopping)

    async def _checked(
        self, request: pb.RecordEventsRequest | pb.RecordStreamRequest, scope: Scope
    ) -> tuple[str, list[bytes]]:
        """The programme and the records of a request, without holding up other callers."""
        check = partial(
            to_records, request, scope=scope, now=self._clock(), refused=self._refused()
        )
        try:
            if len(request.events) <= _SMALL_EVENTS and request.ByteSize() <= _SMALL_BYTES:
                return check()
            return await asyncio.to_thread(check)
        except MutuaError as refusal:
            self._appends.count(len(request.events), refusal)
            raise
