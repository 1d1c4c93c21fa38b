"""How far the read models are, for those who wait for a position."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from services.ledger.errors import LogUnavailableError, PositionNotReachedError
from services.ledger.wording import format_count

DEFAULT_WAIT_SECONDS: Final = 5.0


@dataclass(slots=True)
class PartitionProgress:
    """How far a partition is projected; `held` says why no further although the log goes on."""

    next_offset: int = 0
    hold_reason: str = ""


class PositionTracker:
    """Written by whoever projects or follows, awaited on the event loop that made it."""

    def __init__(self) -> None:
        self._partitions = defaultdict[int, PartitionProgress](PartitionProgress)
        self._loop = asyncio.get_running_loop()
        self._moved = asyncio.Event()
        self._is_stopped = False

    def get(self, partition: int) -> PartitionProgress:
        return self._partitions[partition]

    def get_all(self) -> dict[int, PartitionProgress]:
        """Every partition of which something is known."""
        return dict(self._partitions)

    def advance(self, partition: int, next_offset: int) -> None:
        """Thread-safe; calls after the loop has closed are without effect."""
        self._partitions[partition].next_offset = next_offset
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    def set_hold(self, partition: int, reason: str) -> None:
        """Why nothing more will be visible although the log goes on; "" when it will."""
        reached = self._partitions[partition]
        reached.hold_reason = reason
        self.advance(partition, reached.next_offset)

    def stop_waiting(self) -> None:
        """Has nobody wait any longer, as the process is about to end."""
        self._is_stopped = True
        self._notify()

    async def wait_for(self, partition: int, next_offset: int, patience_seconds: float) -> None:
        """Returns when everything before `next_offset` is visible.

        Raises PositionNotReachedError, at once where it cannot be; LogUnavailableError when it is
        over with waiting.
        """
        reached = self._partitions[partition]
        try:
            async with asyncio.timeout(patience_seconds):
                while reached.next_offset < next_offset:
                    if self._is_stopped:
                        raise LogUnavailableError(
                            "this server is stopping; ask again, others answer"
                        )
                    if reached.hold_reason:
                        raise PositionNotReachedError(
                            "the read models stand still before that position: "
                            f"{reached.hold_reason}"
                        )
                    await self._moved.wait()
        except TimeoutError:
            behind = next_offset - reached.next_offset
            raise PositionNotReachedError(
                f"the read models are {format_count(behind, 'fact')} behind that position; "
                "ask again "
                "later"
            ) from None

    def _notify(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
