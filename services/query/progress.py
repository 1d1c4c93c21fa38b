"""How far the read models are, for those who wait for a position."""

import asyncio
from typing import Final

from services.ledger.errors import PositionNotReached

DEFAULT_WAIT_SECONDS: Final = 5.0


class Progress:
    """Written by the projector's thread, awaited on the event loop that made it."""

    def __init__(self, next_offset: int) -> None:
        self.next_offset = next_offset
        self.held = ""
        self._loop = asyncio.get_running_loop()
        self._moved = asyncio.Event()

    def advance(self, next_offset: int) -> None:
        """Thread-safe; calls after the loop has closed are without effect."""
        self.next_offset = next_offset
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    def hold(self, reason: str) -> None:
        """Why nothing more will be visible although the log goes on; "" when it will."""
        self.held = reason
        self.advance(self.next_offset)

    async def reach(self, next_offset: int, patience_seconds: float) -> None:
        """Returns when everything before `next_offset` is visible.

        Raises PositionNotReached, at once where it cannot be.
        """
        try:
            async with asyncio.timeout(patience_seconds):
                while self.next_offset < next_offset:
                    if self.held:
                        raise PositionNotReached(
                            f"the read models stand still before that position: {self.held}"
                        )
                    await self._moved.wait()
        except TimeoutError:
            behind = next_offset - self.next_offset
            raise PositionNotReached(
                f"the read models are {behind:,} facts behind that position; ask again later"
            ) from None

    def _notify(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
