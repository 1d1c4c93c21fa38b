"""One RecordStream: groups are read ahead, appended in their order, answered when durable."""

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
"""Facts that may wait to be projected while a stream is still read: some are projected while the
next come, and no more, as other programmes of the partition wait behind."""
_MAX_IN_FLIGHT_GROUPS: Final = 64
_MAX_IN_FLIGHT_BYTES: Final = 4 << 20
"""Of one stream, appended and not yet answered: enough to keep the log busy while groups are
checked, and little beside what all callers together may have queued."""
_POLL_SECONDS: Final = 0.02
_MAX_PAUSE_SECONDS: Final = 5.0
"""Less than clients wait for an answer: they hear why the stream stands still."""

Check = Callable[[pb.RecordStreamRequest], Awaitable[tuple[str, list[bytes]]]]


class Group(NamedTuple):
    """A group on its way to the disk."""

    event_count: int
    size_bytes: int
    durable_position: asyncio.Future[Position]


class RecordStream:
    """The groups of one call, from their reading to their answers."""

    def __init__(
        self,
        requests: AsyncIterator[pb.RecordStreamRequest],
        *,
        validate: Check,
        appender: LogAppender,
        lag: Callable[[str], int],
    ) -> None:
        self._requests = requests
        self._validate = validate
        self._appender = appender
        self._lag = lag
        self._programme_id = ""
        self._groups: asyncio.Queue[Group | None] = asyncio.Queue()
        self._in_flight_count = 0
        self._in_flight_bytes = 0
        self._group_completed = asyncio.Event()

    async def respond(
        self, context: Context, stopping: asyncio.Event
    ) -> AsyncIterator[pb.RecordStreamResponse]:
        """One answer a group, in order; at the end raises what ended the reading, if anything did.

        Once `stopping` is set nothing more is read, what was appended is answered, and the end is
        LogUnavailableError.
        """
        reading = asyncio.create_task(self._read())
        watching = asyncio.create_task(_cancel_when(stopping, reading))
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
            await asyncio.wait([reading])
            if reading.cancelled():
                raise LogUnavailableError(
                    "the server is stopping; what was not answered was not recorded"
                )
            reading.result()
        finally:
            reading.cancel()
            watching.cancel()
            self._forget()

    async def _read(self) -> None:
        try:
            while True:
                await self._until_room()
                request = await anext(self._requests, None)
                if request is None:
                    return
                programme_id, records = await self._validate(request)
                self._require_same(programme_id)
                await self._until_level()
                # Nothing is awaited from here to the queue: what is appended is also answered.
                appended = self._appender.append(programme_id, records)
                size = request.ByteSize()
                self._in_flight_count += 1
                self._in_flight_bytes += size
                self._groups.put_nowait(Group(len(records), size, appended))
        finally:
            self._groups.put_nowait(None)

    async def _until_room(self) -> None:
        while (
            self._in_flight_count >= _MAX_IN_FLIGHT_GROUPS
            or self._in_flight_bytes >= _MAX_IN_FLIGHT_BYTES
        ):
            self._group_completed.clear()
            await self._group_completed.wait()

    async def _until_level(self) -> None:
        """Lets the projector come closer. What is not read meanwhile holds back the sender."""
        try:
            async with asyncio.timeout(_MAX_PAUSE_SECONDS):
                while self._lag(self._programme_id) > MAX_LAG_FACTS:  # noqa: ASYNC110 (moved by another thread)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise OverloadedError(
                f"answers are more than {MAX_LAG_FACTS:,} facts behind and come no closer; "
                "try again later, and see mutua status"
            ) from None

    def _require_same(self, programme_id: str) -> None:
        self._programme_id = self._programme_id or programme_id
        if programme_id != self._programme_id:
            raise MixedProgrammesError(
                f"the stream began with programme {self._programme_id} and goes on with "
                f"{programme_id}; open one stream for each"
            )

    def _forget(self) -> None:
        """Nobody waits for what is left; the log finishes it all the same."""
        while not self._groups.empty():
            if (group := self._groups.get_nowait()) is not None:
                group.durable_position.cancel()


async def _cancel_when(stopping: asyncio.Event, reading: asyncio.Task[None]) -> None:
    await stopping.wait()
    reading.cancel()
