"""Which ids may have been met before: a Bloom filter."""

from collections.abc import Collection
from typing import Any, Final

import numpy as np

_BITS: Final = 1 << 28
"""32 MiB: when 20 million ids were met, one in 200 that was not looks as if it had been."""
_PLACES: Final = 4


class BloomFilter:
    """Never says of an id that it was not met when it was."""

    def __init__(self) -> None:
        self._bytes = np.zeros(_BITS // 8, dtype=np.uint8)

    def add(self, ids: Collection[str]) -> None:
        byte, bit = _places(ids)
        np.bitwise_or.at(self._bytes, byte.ravel(), bit.ravel())

    def select_possible_members(self, ids: Collection[str]) -> list[str]:
        """Those that may have been met."""
        byte, bit = _places(ids)
        found = ((self._bytes[byte] & bit) != 0).all(axis=0)
        chosen = list(ids)
        return [chosen[place] for place in np.flatnonzero(found)]


def _places(ids: Collection[str]) -> tuple[Any, Any]:
    """The bytes of each id, and the bit in each of them: a row for each of the places."""
    hashes = np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids)).view(np.uint64)
    low, high = hashes & np.uint64(0xFFFFFFFF), hashes >> np.uint64(32)
    steps = np.arange(_PLACES, dtype=np.uint64)[:, np.newaxis]
    places = (low + steps * (high | np.uint64(1))) & np.uint64(_BITS - 1)
    return (places >> np.uint64(3)).astype(np.int64), (
        np.uint8(1) << (places & np.uint64(7)).astype(np.uint8)
    )
