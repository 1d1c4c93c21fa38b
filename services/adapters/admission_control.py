"""How much may wait for a log, and how fast one programme may record."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from services.ledger.errors import OverloadedError
from services.ledger.wording import format_count

RECORD_OVERHEAD_BYTES: Final = 1_000
"""Bytes a waiting record costs beside its value."""
_PARTITION_SHARE: Final = 4
"""One partition takes at most a quarter of the room: one that stands still starves no other."""
_REMEMBERED: Final = 10_000


def append_cost_bytes(values: Sequence[bytes]) -> int:
    return sum(map(len, values)) + RECORD_OVERHEAD_BYTES * len(values)


# decision 0097: streams are held back by lag
class AdmissionControl:
    """Counts what waits. Any thread may ask."""

    def __init__(
        self,
        *,
        budget_bytes: int,
        facts_per_second: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget_bytes = budget_bytes
        self._facts_per_second = facts_per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting_bytes: Counter[int] = Counter()
        self._all_waiting_bytes = 0
        self._allowances: dict[str, tuple[float, float]] = {}

    @property
    def waiting_bytes(self) -> int:
        return self._all_waiting_bytes

    def admit(self, programme_id: str, partition: int, *, fact_count: int, cost_bytes: int) -> None:
        """Takes the room for an append, or raises Overloaded and takes nothing.

        Whoever finds nothing waiting is let in however large it is, and an allowance may be
        overdrawn by one append: the next one waits for it.
        """
        with self._lock:
            waiting = self._waiting_bytes
            partition_room = self.budget_bytes // _PARTITION_SHARE
            everything = self._all_waiting_bytes
            if (everything and everything + cost_bytes > self.budget_bytes) or (
                waiting[partition] and waiting[partition] + cost_bytes > partition_room
            ):
                raise OverloadedError("too many facts wait to be written; try again in a moment")
            now = self._clock()
            allowance = self._allowance(programme_id, now)
            if allowance <= 0:
                raise OverloadedError(
                    f"programme {programme_id} records more than "
                    f"{format_count(self._facts_per_second, 'fact')} a second; try again in "
                    "a moment"
                )
            self._allowances[programme_id] = (allowance - fact_count, now)
            waiting[partition] += cost_bytes
            self._all_waiting_bytes += cost_bytes

    def release(self, partition: int, cost: int) -> None:
        with self._lock:
            self._waiting_bytes[partition] -= cost
            self._all_waiting_bytes -= cost

    def _allowance(self, programme_id: str, now: float) -> float:
        """What a programme may record now: a second's worth, unless it did so just before."""
        if len(self._allowances) > _REMEMBERED:
            self._forget(now)
        rate = self._facts_per_second
        left, since = self._allowances.get(programme_id, (float(rate), now))
        return min(float(rate), left + (now - since) * rate)

    def _forget(self, now: float) -> None:
        """Those whose allowance is full again are as if they had never come."""
        rate = self._facts_per_second
        self._allowances = {
            programme_id: (left, since)
            for programme_id, (left, since) in self._allowances.items()
            if left + (now - since) * rate < rate
        }
