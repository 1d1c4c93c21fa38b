"""Measures how far answers lag behind the log, and exports it with the read models' status."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Final, NamedTuple, Protocol, TypeVar

from services.adapters.telemetry.metrics import (
    LAG_FACTS,
    LAG_SECONDS,
    PARTITION_HELD,
    QUARANTINED_FACTS,
    WAITING_FACTS,
    Meter,
)
from services.ledger.errors import MutuaError
from services.ledger.records import ReadModelStatus
from services.ledger.times import SECOND
from services.query.position_tracker import PositionTracker

logger = logging.getLogger(__name__)

_STOP_SECONDS: Final = 1.0

_Reading = TypeVar("_Reading")


class LogEndReader(Protocol):
    """A log whose ends can be read. Only one thread calls it."""

    def ends(self) -> Mapping[int, int]:
        """The offset of the next record, by partition."""


class PartitionLag(NamedTuple):
    """Unprojected facts, and how long the oldest of them has been waiting at most.

    In a partition without a projected fact, `seconds` counts from the monitor's first look.
    """

    fact_count: int
    seconds: float


# decision 0062: query processes export lag
class LagMonitor:
    """Measures lag every few seconds, on a thread of its own because a log may answer slowly.

    A value that cannot be read is omitted from the metrics, never repeated.
    """

    def __init__(
        self,
        *,
        open_log: Callable[[], AbstractContextManager[LogEndReader]],
        read_status: Callable[[], ReadModelStatus],
        positions: PositionTracker,
        meter: Meter,
        interval_seconds: float = 5.0,
    ) -> None:
        """Starts measuring. After an error, `open_log` and `read_status` are called again."""
        self._open_log = open_log
        self._log_resources = ExitStack()
        self._log: LogEndReader | None = None
        self._read_status = read_status
        self._caught_up_times: dict[int, float] = {}
        """Unix time at which each partition was last completely projected; for a partition without
        projected facts, the time of the first look."""
        self._interval_seconds = interval_seconds
        self._lags: Mapping[int, PartitionLag] = {}
        self._status: ReadModelStatus | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag-monitor", daemon=True)
        meter.watch(LAG_FACTS, lambda: {(str(n),): lag.fact_count for n, lag in self._lags.items()})
        meter.watch(LAG_SECONDS, lambda: {(str(n),): lag.seconds for n, lag in self._lags.items()})
        meter.watch(
            PARTITION_HELD,
            lambda: {
                (str(n),): bool(partition.hold_reason)
                for n, partition in positions.get_all().items()
            },
        )
        meter.watch(WAITING_FACTS, lambda: self._count("waiting_count"))
        meter.watch(QUARANTINED_FACTS, lambda: self._count("quarantine_count"))
        self._thread.start()

    def stop(self) -> None:
        """Stops measuring; waits at most a second for the thread."""
        self._stopped.set()
        self._thread.join(_STOP_SECONDS)

    def _count(self, name: str) -> float | Mapping[tuple[str, ...], float]:
        status = self._status
        return {} if status is None else float(getattr(status, name))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._status = self._read_or_log(self._read_status)
            self._lags = self._read_or_log(self._measure_lags) or {}
            self._stopped.wait(self._interval_seconds)
        self._log_resources.close()

    def _read_or_log(self, read: Callable[[], _Reading]) -> _Reading | None:
        try:
            return read()
        except MutuaError as error:
            logger.info("the lag of answers cannot be measured: %s", error)
        except Exception:
            logger.exception("the lag of answers cannot be measured")
        return None

    def _measure_lags(self) -> dict[int, PartitionLag]:
        status = self._status
        if status is None:
            return {}
        return {
            number: self._measure_lag(number, end, status) for number, end in self._ends().items()
        }

    def _ends(self) -> Mapping[int, int]:
        try:
            if self._log is None:
                self._log = self._log_resources.enter_context(self._open_log())
            return self._log.ends()
        except BaseException:
            self._log = None
            self._log_resources.close()
            raise

    def _measure_lag(self, partition: int, end: int, status: ReadModelStatus) -> PartitionLag:
        """Measures the lag of one partition.

        The oldest unprojected fact was recorded after its predecessor, and after the partition was
        last completely projected. It has waited since the later of the two at most. Without a
        predecessor nothing is known from before the first look, and the fact may be older.
        """
        now = time.time()
        next_offset, record_time = status.positions.get(partition, (0, 0))
        if next_offset >= end:
            self._caught_up_times[partition] = now
            return PartitionLag(0, 0.0)
        if not record_time:
            self._caught_up_times.setdefault(partition, now)
        since = max(record_time / SECOND, self._caught_up_times.get(partition, 0.0))
        return PartitionLag(end - next_offset, max(0.0, now - since))
