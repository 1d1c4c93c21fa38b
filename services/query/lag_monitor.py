"""How far answers are behind the log, and what they leave out: looked at every few seconds."""

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

_INTERVAL_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 1.0

_Reading = TypeVar("_Reading")


class LogEndReader(Protocol):
    """A log of which the ends are asked, on one thread."""

    def ends(self) -> Mapping[int, int]:
        """The offset that the next record will have, of each partition."""


class PartitionLag(NamedTuple):
    fact_count: int
    seconds: float


# decision 0062: query processes export lag
class LagMonitor:
    """Looks on a thread of its own, as a log may be slow to answer. What cannot be seen is not
    told, rather than told as it was.
    """

    def __init__(
        self,
        *,
        open_log: Callable[[], AbstractContextManager[LogEndReader]],
        read_status: Callable[[], ReadModelStatus],
        progress: PositionTracker,
        meter: Meter,
    ) -> None:
        """`open_log` and `standing` may raise; then they are asked again."""
        self._open_log = open_log
        self._opened = ExitStack()
        self._log: LogEndReader | None = None
        self._read_status = read_status
        self._caught_up_times: dict[int, float] = {}
        """When each partition was last seen to be projected whole; of one of which nothing is, when
        it was seen first."""
        self._lags: Mapping[int, PartitionLag] = {}
        self._status: ReadModelStatus | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)
        meter.watch(LAG_FACTS, lambda: {(str(n),): lag.fact_count for n, lag in self._lags.items()})
        meter.watch(LAG_SECONDS, lambda: {(str(n),): lag.seconds for n, lag in self._lags.items()})
        meter.watch(
            PARTITION_HELD,
            lambda: {(str(n),): bool(at.hold_reason) for n, at in progress.get_all().items()},
        )
        meter.watch(WAITING_FACTS, lambda: self._count("waiting_count"))
        meter.watch(QUARANTINED_FACTS, lambda: self._count("quarantine_count"))
        self._thread.start()

    def stop(self) -> None:
        """Ends, and waits for that only a moment."""
        self._stopped.set()
        self._thread.join(_STOP_SECONDS)

    def _count(self, name: str) -> float | Mapping[tuple[str, ...], float]:
        standing = self._status
        return {} if standing is None else float(getattr(standing, name))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._status = self._read_or_log(self._read_status)
            self._lags = self._read_or_log(self._measure_lags) or {}
            self._stopped.wait(_INTERVAL_SECONDS)
        self._opened.close()

    def _read_or_log(self, look: Callable[[], _Reading]) -> _Reading | None:
        try:
            return look()
        except MutuaError as error:
            logger.info("how far answers are behind cannot be seen: %s", error)
        except Exception:
            logger.exception("how far answers are behind cannot be seen")
        return None

    def _measure_lags(self) -> dict[int, PartitionLag]:
        standing = self._status
        if standing is None:
            return {}
        return {number: self._lag(number, end, standing) for number, end in self._ends().items()}

    def _ends(self) -> Mapping[int, int]:
        try:
            if self._log is None:
                self._log = self._opened.enter_context(self._open_log())
            return self._log.ends()
        except BaseException:
            self._log = None
            self._opened.close()
            raise

    def _lag(self, partition: int, end: int, standing: ReadModelStatus) -> PartitionLag:
        """The first fact that is not projected was recorded after the one before it, and after
        all was projected: it waits at most since then.
        """
        now = time.time()
        next_offset, recorded = standing.positions.get(partition, (0, 0))
        if next_offset >= end:
            self._caught_up_times[partition] = now
            return PartitionLag(0, 0.0)
        if not recorded:
            self._caught_up_times.setdefault(partition, now)
        since = max(recorded / SECOND, self._caught_up_times.get(partition, 0.0))
        return PartitionLag(end - next_offset, max(0.0, now - since))
