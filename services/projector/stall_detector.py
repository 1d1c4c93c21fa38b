"""Detects a worker that makes no progress although records wait for it."""

import time
from collections.abc import Collection, Mapping
from typing import Final

_REBALANCE_FACTOR: Final = 4
"""Factor on the time limit during a rebalance, which waits for dead members and does not poll."""


class StallDetector:
    """Times and offsets of a worker's progress, by partition.

    It takes no locks, so any thread can call it while all other threads hang.
    """

    def __init__(self) -> None:
        self._fetched_ends: dict[int, int] = {}
        self._progress_times: dict[int, float] = {}
        self._poll_time = time.monotonic()

    def record_poll(self) -> None:
        """Notes that the consumer answered a poll."""
        self._poll_time = time.monotonic()

    def record_fetch(self, partition: int, end: int, *, next_offset: int) -> None:
        """Notes that records from `next_offset` up to `end` wait to be projected."""
        if self._fetched_ends.get(partition, 0) <= next_offset:
            self.record_progress(partition)
        self._fetched_ends[partition] = end

    def record_progress(self, partition: int) -> None:
        self._progress_times[partition] = time.monotonic()

    def forget(self, partitions: Collection[int]) -> None:
        """Forgets the records that were fetched from these partitions."""
        for number in partitions:
            self._fetched_ends.pop(number, None)

    def describe_stall(
        self,
        next_offsets: Mapping[int, int],
        held_partitions: Collection[int],
        seconds: float,
        *,
        rebalancing: bool,
    ) -> str:
        """Says which partition made no progress for `seconds`; "" when every partition did.

        Held partitions are not expected to make progress.
        """
        now = time.monotonic()
        expected = {
            number: offset
            for number, offset in list(next_offsets.items())
            if number not in held_partitions
        }
        for number, next_offset in expected.items():
            behind = self._fetched_ends.get(number, 0) > next_offset
            if behind and now - self._progress_times.get(number, now) > seconds:
                return f"partition {number} has been at offset {next_offset} for {seconds:g} s"
        patience = seconds * (_REBALANCE_FACTOR if rebalancing else 1)
        if expected and now - self._poll_time > patience:
            return f"the consumer has not answered for {patience:g} s"
        return ""
