"""Bounds the records that were fetched and are not projected, per partition and in total."""

from collections import Counter
from collections.abc import Collection
from typing import Final

from faust.types import TP

_MAX_SLABS: Final = 8
"""Maximum full slabs in flight in all partitions: every projection thread has work, and memory
stays bounded."""


# decision 0096: one slab waits per partition
class FetchWindow:
    """Counts the fetched records that are not projected yet. Not thread-safe."""

    def __init__(self, slab_records: int) -> None:
        """`slab_records` is the maximum number of records in one fetch."""
        self._slab_records = slab_records
        self._records = Counter[TP]()

    def add(self, partition: TP, records: Collection[object]) -> None:
        self._records[partition] += len(records)

    def remove(self, partition: TP, records: Collection[object]) -> None:
        self._records[partition] -= len(records)

    def select_fetchable(self, partitions: set[TP]) -> set[TP]:
        """The partitions to fetch from: in each, one slab may wait while another is projected."""
        if self._records.total() >= _MAX_SLABS * self._slab_records:
            return set()
        return {
            partition for partition in partitions if self._records[partition] <= self._slab_records
        }
