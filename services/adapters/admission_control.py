"""Bounds the bytes that wait for a log and the rate at which a programme records."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from services.ledger.errors import OverloadedError
from services.ledger.wording import format_count

LOG_IS_CLOSED: Final = "the log does not take facts any more: the server is stopping"
_RECORD_OVERHEAD_BYTES: Final = 1_000
"""Bytes that a waiting record costs in addition to its value."""
_PARTITION_SHARE: Final = 4
"""A partition may use a quarter of the budget, so that a stalled one does not block the others."""
_MAX_ALLOWANCES: Final = 10_000


def append_cost_bytes(values: Sequence[bytes]) -> int:
    return sum(map(len, values)) + _RECORD_OVERHEAD_BYTES * len(values)


def make_queue_full_error() -> OverloadedError:
    return OverloadedError("too many facts wait to be written", remedy="try again in a moment")


# decision 0097: streams are held back by lag
class AdmissionControl:
    """Admits appends within a byte budget and a rate per programme. Thread-safe."""

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
        """Reserves `cost_bytes` for an append. Raises OverloadedError and reserves nothing.

        An append is admitted whatever its size if nothing waits. One append may overdraw its
        programme's allowance; the next one is refused until the debt is paid off.
        """
        with self._lock:
            waiting = self._waiting_bytes
            partition_budget = self.budget_bytes // _PARTITION_SHARE
            total = self._all_waiting_bytes
            if (total and total + cost_bytes > self.budget_bytes) or (
                waiting[partition] and waiting[partition] + cost_bytes > partition_budget
            ):
                raise make_queue_full_error()
            now = self._clock()
            allowance = self._allowance(programme_id, now)
            if allowance <= 0:
                raise OverloadedError(
                    f"programme {programme_id} records more than "
                    f"{format_count(self._facts_per_second, 'fact')} a second",
                    remedy="try again in a moment",
                )
            self._allowances[programme_id] = (allowance - fact_count, now)
            waiting[partition] += cost_bytes
            self._all_waiting_bytes += cost_bytes

    def release(self, partition: int, cost_bytes: int) -> None:
        with self._lock:
            self._waiting_bytes[partition] -= cost_bytes
            self._all_waiting_bytes -= cost_bytes

    def _allowance(self, programme_id: str, now: float) -> float:
        """The number of facts a programme may record now: one second's worth after a pause."""
        if len(self._allowances) > _MAX_ALLOWANCES:
            self._drop_full_allowances(now)
        rate = self._facts_per_second
        rest, since = self._allowances.get(programme_id, (float(rate), now))
        return min(float(rate), rest + (now - since) * rate)

    def _drop_full_allowances(self, now: float) -> None:
        """Drops full allowances, because a programme without one starts with a full one."""
        rate = self._facts_per_second
        self._allowances = {
            programme_id: (rest, since)
            for programme_id, (rest, since) in self._allowances.items()
            if rest + (now - since) * rate < rate
        }
