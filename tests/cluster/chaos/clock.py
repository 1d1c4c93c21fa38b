"""A clock that advances only while this process runs, so that a stopped machine costs no time."""

import threading
import time
from typing import Final

_TICK_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 1.0
"""Upper bound of a tick: in a longer one this process was stopped or had no processor."""


class ProcessClock:
    """Counts seconds from 0 on a separate thread until it is closed."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="clock", daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        return self._seconds

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _tick(self) -> None:
        before = time.monotonic()
        while not self._is_over.wait(_TICK_SECONDS):
            now = time.monotonic()
            self._seconds += min(now - before, _LONGEST_SECONDS)
            before = now
