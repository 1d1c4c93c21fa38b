"""How far fetching may be ahead of projecting, so that no partition takes the others' turn."""

from collections import Counter
from collections.abc import Collection
from typing import Final

from faust.types import TP

_MAX_SLABS: Final = 8
"""Of all partitions together, full ones: enough for all lanes, and little to keep in memory."""


# decision 0096: one slab waits per partition
class FetchWindow:
    """Counts records that were handed on and are not projected yet. Belongs to one thread."""

    def __init__(self, slab_records: int) -> None:
        """`slab_records` are handed on at once, at most."""
        self._slab_records = slab_records
        self._records = Counter[TP]()

    def add(self, place: TP, records: Collection[object]) -> None:
        self._records[place] += len(records)

    def remove(self, place: TP, records: Collection[object]) -> None:
        self._records[place] -= len(records)

    def select_fetchable(self, places: set[TP]) -> set[TP]:
        """Those of the partitions from which more may come: of each, one slab waits for another."""
        if self._records.total() >= _MAX_SLABS * self._slab_records:
            return set()
        return {place for place in places if self._records[place] <= self._slab_records}
