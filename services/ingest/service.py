"""IngestService: validates a request, appends it to the log, and answers once it is durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial
from typing import Final

from mutua.v1 import ingest_service_pb2 as pb
from mutua.v1.ingest_service_pb2_grpc import IngestServiceServicer
from services.adapters.call_context import CallContext, scope_of
from services.adapters.grpc.server import Context
from services.adapters.telemetry.metrics import NO_OP_METER, QUEUE_LIMIT_BYTES, QUEUED_BYTES, Meter
from services.ingest.log_appender import LogAppender, wait_until_durable
from services.ingest.record_stream import MAX_PAUSE_SECONDS, RecordStream
from services.ingest.request_validation import to_records
from services.ledger.errors import MutuaError
from services.ledger.ports import Log
from services.ledger.question import Scope
from services.ledger.times import Instant

SERVICE_NAME: Final = "mutua.v1.IngestService"
_SMALL_EVENTS: Final = 20
_SMALL_BYTES: Final = 20_000
"""Requests up to these sizes are validated on the event loop, because a thread would cost more."""


class IngestService(IngestServiceServicer):
    """Appends valid facts to a log."""

    def __init__(
        self,
        log: Log,
        *,
        lag: Callable[[str], int],
        unsupported_fact_kinds: Callable[[], Collection[str]] = frozenset,
        stop_event: asyncio.Event,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1000,
        meter: Meter = NO_OP_METER,
        max_pause_seconds: float = MAX_PAUSE_SECONDS,
    ) -> None:
        """Both callbacks return at once, with the latest known value.

        `lag` returns how many facts are to be projected before the next ones of a programme;
        `unsupported_fact_kinds` the fields of Event that the read models cannot project yet.
        Streams end soon after `stop_event` is set, and with OVERLOADED when the lag makes them
        pause for longer than `max_pause_seconds`.
        """
        self._appender = LogAppender(log, meter)
        meter.watch(QUEUED_BYTES, lambda: log.queued_bytes)
        meter.watch(QUEUE_LIMIT_BYTES, lambda: log.queue_limit_bytes)
        self._lag = lag
        self._unsupported_fact_kinds = unsupported_fact_kinds
        self._stop_event = stop_event
        self._clock = clock
        self._max_pause_seconds = max_pause_seconds

    async def RecordEvents(
        self, request: pb.RecordEventsRequest, context: CallContext
    ) -> pb.RecordEventsResponse:
        programme_id, records = await self._validate(request, scope_of(context))
        outcome = self._appender.append(programme_id, records)
        return pb.RecordEventsResponse(position=str(await wait_until_durable(outcome, context)))

    def RecordStream(
        self, request_iterator: AsyncIterator[pb.RecordStreamRequest], context: Context
    ) -> AsyncIterator[pb.RecordStreamResponse]:
        scope = scope_of(context)
        stream = RecordStream(
            request_iterator,
            validate=lambda request: self._validate(request, scope),
            appender=self._appender,
            lag=self._lag,
            max_pause_seconds=self._max_pause_seconds,
        )
        return stream.respond(context, self._stop_event)

    async def _validate(
        self, request: pb.RecordEventsRequest | pb.RecordStreamRequest, scope: Scope
    ) -> tuple[str, list[bytes]]:
        """The programme and records of a request; a large one is validated on a thread."""
        validate = partial(
            to_records,
            request,
            scope=scope,
            now=self._clock(),
            unsupported_fact_kinds=self._unsupported_fact_kinds(),
        )
        try:
            if len(request.events) <= _SMALL_EVENTS and request.ByteSize() <= _SMALL_BYTES:
                return validate()
            return await asyncio.to_thread(validate)
        except MutuaError as error:
            self._appender.count_facts(len(request.events), error)
            raise
