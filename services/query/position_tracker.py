"""Tracks how far each partition is projected, and lets questions wait for a position."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from services.ledger.errors import LogUnavailableError, PositionNotReachedError
from services.ledger.wording import format_count

DEFAULT_WAIT_SECONDS: Final = 5.0


@dataclass(slots=True)
class PartitionProgress:
    """How far a partition is projected; `hold_reason` is "" unless the partition is held."""

    next_offset: int = 0
    hold_reason: str = ""


class PositionTracker:
    """The position of every partition. Any thread may advance it; one event loop waits for it."""

    def __init__(self) -> None:
        self._partitions = defaultdict[int, PartitionProgress](PartitionProgress)
        self._loop = asyncio.get_running_loop()
        self._moved = asyncio.Event()
        self._is_stopped = False

    def get(self, partition: int) -> PartitionProgress:
        return self._partitions[partition]

    def get_all(self) -> dict[int, PartitionProgress]:
        """The progress of every partition that was advanced, put on hold or waited for."""
        return dict(self._partitions)

    def advance(self, partition: int, next_offset: int) -> None:
        """Records a position and wakes the waiting questions. Thread-safe."""
        self._partitions[partition].next_offset = next_offset
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    def set_hold(self, partition: int, reason: str) -> None:
        """Puts a partition on hold; "" releases it. Thread-safe."""
        progress = self._partitions[partition]
        progress.hold_reason = reason
        self.advance(partition, progress.next_offset)

    @property
    def is_stopped(self) -> bool:
        """Whether `stop_waiting` was called."""
        return self._is_stopped

    def stop_waiting(self) -> None:
        """Ends every wait with an error, because the process is about to stop."""
        self._is_stopped = True
        self._notify()

    async def wait_for_move(self, patience_seconds: float) -> None:
        """Returns when any partition moves or is put on hold, or after `patience_seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                await self._moved.wait()

    async def wait_for(self, partition: int, next_offset: int, patience_seconds: float) -> None:
        """Returns once everything before `next_offset` is visible.

        Raises PositionNotReachedError after `patience_seconds`, and at once if the partition is
        held; LogUnavailableError once `stop_waiting` was called.
        """
        progress = self._partitions[partition]
        try:
            async with asyncio.timeout(patience_seconds):
                while progress.next_offset < next_offset:
                    if self._is_stopped:
                        raise LogUnavailableError(
                            "this server is stopping", remedy="ask again, others answer"
                        )
                    if progress.hold_reason:
                        raise PositionNotReachedError(
                            "the read models have stopped before that position: "
                            f"{progress.hold_reason}"
                        )
                    await self._moved.wait()
        except TimeoutError:
            missing_count = next_offset - progress.next_offset
            raise PositionNotReachedError(
                f"the read models are {format_count(missing_count, 'fact')} behind that position",
                remedy="ask again later",
            ) from None

    def _notify(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
