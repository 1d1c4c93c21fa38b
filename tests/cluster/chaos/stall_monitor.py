"""How far the read models are, beside the log: when what was acknowledged becomes visible."""

import heapq
import threading
from contextlib import closing
from typing import Final

from services.adapters.postgres.driver import Error, PostgresConnection
from tests.cluster.chaos.chaos_cluster import PARTITIONS
from tests.cluster.chaos.clock import ProcessClock

_LOOK_SECONDS: Final = 0.05
_POSITIONS: Final = "SELECT partition, next_offset FROM mutua_read_1.position"


class StallMonitor:
    """Looks at the database itself, without a proxy."""

    def __init__(self, store_url: str, clock: ProcessClock) -> None:
        self._url = store_url
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[list[tuple[int, float]]] = [[] for _ in range(PARTITIONS)]
        self._longest = [0.0] * PARTITIONS
        self.watermarks = [0] * PARTITIONS
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def note_acknowledged(self, position: str) -> None:
        """Somebody was told that everything before a position is durable."""
        _, partition, end = position.split(".")
        with self._lock:
            heapq.heappush(self._waiting[int(partition)], (int(end), self._clock.seconds()))

    def take_stalls(self) -> list[float]:
        """By partition, the longest that something acknowledged was not visible, in seconds, since
        the last time that this was asked.
        """
        with self._lock:
            found, self._longest = self._longest, [0.0] * PARTITIONS
        return found

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                with closing(PostgresConnection(self._url, {})) as connection:
                    while not self._over.wait(_LOOK_SECONDS):
                        for row in connection.run(connection.raw.fetch(_POSITIONS)):
                            self._saw(*row)
            except Error:  # it is broken at the moment
                self._over.wait(_LOOK_SECONDS)

    def _saw(self, partition: int, watermark: int) -> None:
        now = self._clock.seconds()
        with self._lock:
            self.watermarks[partition] = watermark
            waiting = self._waiting[partition]
            while waiting and waiting[0][0] <= watermark:
                _, since = heapq.heappop(waiting)
                self._longest[partition] = max(self._longest[partition], now - since)
