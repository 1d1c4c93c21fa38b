"""The rpc RecordStream: appends groups in order and answers each once it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple

from mutua.v1 import ingest_service_pb2 as pb
from services.adapters.grpc.server import Context
from services.ingest.log_appender import LogAppender, wait_until_durable
from services.ledger.errors import LogUnavailableError, MixedProgrammesError, OverloadedError
from services.ledger.position import Position

# decision 0097: streams are held back by lag
MAX_LAG_FACTS: Final = 5_000
"""Maximum lag, in facts, at which a stream is still read. The projector needs some facts in reserve
to stay busy; more would delay the other programmes of the partition."""
_MAX_IN_FLIGHT_GROUPS: Final = 64
_MAX_IN_FLIGHT_BYTES: Final = 4 << 20
"""Maximum of one stream that is appended but not yet durable: enough to keep the log busy while
groups are validated, and little compared with the queue that all callers share."""
_POLL_SECONDS: Final = 0.02
MAX_PAUSE_SECONDS: Final = 5.0
"""Longest pause of a stream. Clients wait longer, so that they receive the reason of the pause."""

ValidateRequest = Callable[[pb.RecordStreamRequest], Awaitable[tuple[str, list[bytes]]]]


class _PendingGroup(NamedTuple):
    """A group that is appended but not yet answered."""

    event_count: int
    size_bytes: int
    durable_position: asyncio.Future[Position]


class RecordStream:
    """One call of RecordStream."""

    def __init__(
        self,
        requests: AsyncIterator[pb.RecordStreamRequest],
        *,
        validate: ValidateRequest,
        appender: LogAppender,
        lag: Callable[[str], int],
        max_pause_seconds: float = MAX_PAUSE_SECONDS,
    ) -> None:
        """`lag` returns the facts to be projected before the next ones of a programme."""
        self._requests = requests
        self._validate = validate
        self._appender = appender
        self._lag = lag
        self._max_pause_seconds = max_pause_seconds
        self._programme_id = ""
        self._groups: asyncio.Queue[_PendingGroup | None] = asyncio.Queue()
        self._in_flight_count = 0
        self._in_flight_bytes = 0
        self._group_completed = asyncio.Event()

    async def respond(
        self, context: Context, stop_event: asyncio.Event
    ) -> AsyncIterator[pb.RecordStreamResponse]:
        """Yields one response for each group, in order, and then raises the error of the reader.

        Once `stop_event` is set, the reader stops. Appended groups are still answered, and then
        the call ends with LogUnavailableError.
        """
        reader = asyncio.create_task(self._read())
        canceller = asyncio.create_task(_cancel_on_event(stop_event, reader))
        group_count = event_count = 0
        try:
            while (group := await self._groups.get()) is not None:
                position = await wait_until_durable(group.durable_position, context)
                group_count += 1
                event_count += group.event_count
                self._in_flight_count -= 1
                self._in_flight_bytes -= group.size_bytes
                self._group_completed.set()
                yield pb.RecordStreamResponse(
                    group_count=group_count, event_count=event_count, position=str(position)
                )
            await asyncio.wait([reader])
            if reader.cancelled():
                raise LogUnavailableError(
                    "the server is stopping, and what was not answered was not recorded"
                )
            reader.result()
        finally:
            reader.cancel()
            canceller.cancel()
            self._cancel_pending_groups()

    async def _read(self) -> None:
        """Validates and appends the groups of the caller; None in the queue marks the end."""
        try:
            while True:
                await self._wait_for_room()
                request = await anext(self._requests, None)
                if request is None:
                    return
                programme_id, records = await self._validate(request)
                self._require_same(programme_id)
                await self._wait_for_projector()
                # No await from here to the queue, so that every appended group is also answered.
                outcome = self._appender.append(programme_id, records)
                size = request.ByteSize()
                self._in_flight_count += 1
                self._in_flight_bytes += size
                self._groups.put_nowait(_PendingGroup(len(records), size, outcome))
        finally:
            self._groups.put_nowait(None)

    async def _wait_for_room(self) -> None:
        while (
            self._in_flight_count >= _MAX_IN_FLIGHT_GROUPS
            or self._in_flight_bytes >= _MAX_IN_FLIGHT_BYTES
        ):
            self._group_completed.clear()
            await self._group_completed.wait()

    async def _wait_for_projector(self) -> None:
        """Pauses until the lag is small again; gRPC's flow control then pauses the sender.

        Raises OverloadedError if the pause becomes too long.
        """
        try:
            async with asyncio.timeout(self._max_pause_seconds):
                while self._lag(self._programme_id) > MAX_LAG_FACTS:  # noqa: ASYNC110 (changed by another thread)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise OverloadedError(
                f"answers are more than {MAX_LAG_FACTS:,} facts behind and do not catch up",
                remedy="try again later, and see mutua status",
            ) from None

    def _require_same(self, programme_id: str) -> None:
        self._programme_id = self._programme_id or programme_id
        if programme_id != self._programme_id:
            raise MixedProgrammesError(
                f"the stream began with programme {self._programme_id} and continues with "
                f"{programme_id}",
                remedy="open one stream for each",
            )

    def _cancel_pending_groups(self) -> None:
        """Stops waiting for the remaining groups; the log appends them nevertheless."""
        while not self._groups.empty():
            if (group := self._groups.get_nowait()) is not None:
                group.durable_position.cancel()


async def _cancel_on_event(event: asyncio.Event, task: asyncio.Task[None]) -> None:
    await event.wait()
    task.cancel()
