"""Waits for conditions: in minutes, because other programs may keep the processors busy."""

import asyncio
import os
import time
from collections.abc import Callable
from threading import Event
from typing import Final

PATIENCE_SECONDS: Final = float(os.environ.get("MUTUA_TEST_PATIENCE_SECONDS", "180"))
"""Upper bound on every wait for a condition. A test that reaches it fails."""


def wait_until(
    holds: Callable[[], bool], description: str, *, timeout_seconds: float = PATIENCE_SECONDS
) -> None:
    """Looks for a third of the time at most, because the awaited processes need processors too."""
    deadline, pause = time.monotonic() + timeout_seconds, Event()
    while True:
        started = time.monotonic()
        if holds():
            return
        now = time.monotonic()
        assert now < deadline, f"never: {description}"
        pause.wait(min(max(0.01, 2 * (now - started)), 0.25))


async def wait_until_async(holds: Callable[[], bool], description: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"never: {description}"
        await asyncio.sleep(0.005)
