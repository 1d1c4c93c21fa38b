"""How many watched answers are computed at the same time."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Final

QUICK_SECONDS: Final = 0.1
"""Maximum time that a quick answer took last, so that no quick one waits long for another."""
_SLOW_COUNT: Final = 3
"""Slow answers at the same time, so that questions find a free thread."""


class ComputingLimit:
    """Has quick answers computed one after the other, and a few slow ones next to them.

    Threads that compute at the same time share the interpreter lock with each other and with the
    event loop that sends, so each answer would be ready, and sent, as late as the last one.
    """

    def __init__(self) -> None:
        self._quick = asyncio.Semaphore(1)
        self._slow = asyncio.Semaphore(_SLOW_COUNT)

    def wait_for_turn(self, last_seconds: float | None) -> AbstractAsyncContextManager[None]:
        """A context to compute an answer in, which took this long last time; None if unknown."""
        is_quick = last_seconds is not None and last_seconds <= QUICK_SECONDS
        return self._quick if is_quick else self._slow
