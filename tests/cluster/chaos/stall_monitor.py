"""Measures how long acknowledged facts take to become visible in the read models."""

import heapq
import threading
from contextlib import closing
from typing import Final

from services.adapters.postgres.driver import Error, PostgresConnection
from tests.cluster.chaos.chaos_cluster import PARTITIONS
from tests.cluster.chaos.clock import ProcessClock

_POLL_SECONDS: Final = 0.05
_POSITIONS: Final = "SELECT partition, next_offset FROM mutua_read_1.position"


class StallMonitor:
    """Polls the positions in the database, without a proxy."""

    def __init__(self, store_url: str, clock: ProcessClock) -> None:
        self._url = store_url
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[list[tuple[int, float]]] = [[] for _ in range(PARTITIONS)]
        self._longest = [0.0] * PARTITIONS
        self.watermarks = [0] * PARTITIONS
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def note_acknowledged(self, position: str) -> None:
        """Starts the time of a position that a caller got as durable."""
        _, partition, end = position.split(".")
        with self._lock:
            heapq.heappush(self._waiting[int(partition)], (int(end), self._clock.seconds()))

    def take_stalls(self) -> list[float]:
        """Returns the longest stall of each partition since the last call, in seconds."""
        with self._lock:
            stalls, self._longest = self._longest, [0.0] * PARTITIONS
        return stalls

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.is_set():
            try:
                with closing(PostgresConnection(self._url, {})) as connection:
                    while not self._is_over.wait(_POLL_SECONDS):
                        for row in connection.run(connection.raw.fetch(_POSITIONS)):
                            self._note_watermark(*row)
            except Error:  # a fault is injected at the moment
                self._is_over.wait(_POLL_SECONDS)

    def _note_watermark(self, partition: int, watermark: int) -> None:
        now = self._clock.seconds()
        with self._lock:
            self.watermarks[partition] = watermark
            waiting = self._waiting[partition]
            while waiting and waiting[0][0] <= watermark:
                _, since = heapq.heappop(waiting)
                self._longest[partition] = max(self._longest[partition], now - since)
