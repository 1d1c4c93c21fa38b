"""When a worker got further last, and whether it seems that it gets no further."""

import time
from collections.abc import Collection, Mapping
from typing import Final

_REBALANCING: Final = 4
"""So many times as patient: a rebalance waits for members that are dead, and nobody polls."""


class StallDetector:
    """Numbers only, so that any thread can ask while all others hang."""

    def __init__(self) -> None:
        self._fetched: dict[int, int] = {}
        self._moved_time: dict[int, float] = {}
        self._polled_time = time.monotonic()

    def record_poll(self) -> None:
        """The consumer was asked for records, and answered."""
        self._polled_time = time.monotonic()

    def record_fetch(self, partition: int, end: int, *, next_offset: int) -> None:
        """Records before `end` are to be projected, from `next_offset` on."""
        if self._fetched.get(partition, 0) <= next_offset:
            self.record_progress(partition)
        self._fetched[partition] = end

    def record_progress(self, partition: int) -> None:
        self._moved_time[partition] = time.monotonic()

    def forget(self, partitions: Collection[int]) -> None:
        """What was fetched of these is not to be projected any more."""
        for number in partitions:
            self._fetched.pop(number, None)

    def describe_stall(
        self,
        durable: Mapping[int, int],
        held: Collection[int],
        seconds: float,
        *,
        rebalancing: bool,
    ) -> str:
        """Why it seems to get no further than `durable` for so long; "" when it does.

        Nothing is expected of partitions that are held.
        """
        now = time.monotonic()
        awaited = {number: at for number, at in list(durable.items()) if number not in held}
        for number, next_offset in awaited.items():
            behind = self._fetched.get(number, 0) > next_offset
            if behind and now - self._moved_time.get(number, now) > seconds:
                return f"partition {number} stands at offset {next_offset} for {seconds:g} s"
        patience = seconds * (_REBALANCING if rebalancing else 1)
        if awaited and now - self._polled_time > patience:
            return f"the consumer has not answered for {patience:g} s"
        return ""
