"""How far the read models are, for those who wait for a position."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from services.ledger.errors import LogDown, PositionNotReached
from services.ledger.wording import counted

DEFAULT_WAIT_SECONDS: Final = 5.0


@dataclass(slots=True)
class Reached:
    """How far a partition is projected; `held` says why no further although the log goes on."""

    next_offset: int = 0
    held: str = ""


class Progress:
    """Written by whoever projects or follows, awaited on the event loop that made it."""

    def __init__(self) -> None:
        self._partitions = defaultdict[int, Reached](Reached)
        self._loop = asyncio.get_running_loop()
        self._moved = asyncio.Event()
        self._over = False

    def of(self, partition: int) -> Reached:
        return self._partitions[partition]

    def all(self) -> dict[int, Reached]:
        """Every partition of which something is known."""
        return dict(self._partitions)

    def advance(self, partition: int, next_offset: int) -> None:
        """Thread-safe; calls after the loop has closed are without effect."""
        self._partitions[partition].next_offset = next_offset
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    def hold(self, partition: int, reason: str) -> None:
        """Why nothing more will be visible although the log goes on; "" when it will."""
        reached = self._partitions[partition]
        reached.held = reason
        self.advance(partition, reached.next_offset)

    def end(self) -> None:
        """Has nobody wait any longer, as the process is about to end."""
        self._over = True
        self._notify()

    async def reach(self, partition: int, next_offset: int, patience_seconds: float) -> None:
        """Returns when everything before `next_offset` is visible.

        Raises PositionNotReached, at once where it cannot be; LogDown when it is over with waiting.
        """
        reached = self._partitions[partition]
        try:
            async with asyncio.timeout(patience_seconds):
                while reached.next_offset < next_offset:
                    if self._over:
                        raise LogDown("this server is stopping; ask again, others answer")
                    if reached.held:
                        raise PositionNotReached(
                            f"the read models stand still before that position: {reached.held}"
                        )
                    await self._moved.wait()
        except TimeoutError:
            behind = next_offset - reached.next_offset
            raise PositionNotReached(
                f"the read models are {counted(behind, 'fact')} behind that position; ask again "
                "later"
            ) from None

    def _notify(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
