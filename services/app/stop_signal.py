"""When a process stops: after SIGTERM or SIGINT, or after a failure."""

import asyncio
import logging
import signal
from collections.abc import Callable

logger = logging.getLogger(__name__)


def handle_stop_signals(stop: Callable[[], None]) -> None:
    """Calls `stop` on the event loop at SIGTERM and SIGINT, which then do not end the process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


class StopRequestedError(Exception):
    """A signal arrived before the server was ready; `bootstrap.serve` returns then."""


class StopSignal:
    """Whether to stop, and the failure that is the reason. `fail` may be called on any thread."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.failure = ""

    def now(self) -> None:
        self._event.set()

    def from_thread(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def fail(self, message: str) -> None:
        logger.error("%s", message)
        self.failure = message
        self.from_thread()

    def check(self) -> None:
        """Raises StopRequestedError when it is time to end."""
        if self._event.is_set():
            raise StopRequestedError

    async def wait(self) -> None:
        await self._event.wait()
