"""Time that passes only while this process runs: who stops all of it does not cost it patience."""

import threading
import time
from typing import Final

_TICK_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 1.0
"""A tick that took longer was none: this process stood still, or had no processor."""


class ProcessClock:
    """Ticks on a thread of its own, from 0 on, until it is closed."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="clock", daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        return self._seconds

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _tick(self) -> None:
        before = time.monotonic()
        while not self._over.wait(_TICK_SECONDS):
            now = time.monotonic()
            self._seconds += min(now - before, _LONGEST_SECONDS)
            before = now
