"""How far answers are behind the log, and what they leave out: looked at every few seconds."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol, TypeVar

from services.ledger.errors import MutuaError
from services.ledger.ports import Partition, ReadableLog, SetAside
from services.ledger.times import SECOND, Instant
from services.metrics import HELD, LAG_FACTS, LAG_SECONDS, QUARANTINED, WAITING, Meter
from services.query.progress import Progress

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 1.0

_Of = TypeVar("_Of")


class Log(ReadableLog, Protocol):
    """A log that any thread may ask."""

    def ends(self) -> Mapping[int, int]:
        """The offset that the next record will have, of each partition."""


class Lag(NamedTuple):
    fact_count: int
    seconds: float


class Behind:
    """Looks on a thread of its own, as a log may be slow to answer. What cannot be seen is not
    told, rather than told as it was.
    """

    def __init__(
        self,
        *,
        log: Log,
        set_aside: Callable[[], SetAside],
        progress: Progress,
        meter: Meter,
    ) -> None:
        """`log` and `set_aside` may raise MutuaError; then they are asked again."""
        self._log = log
        self._set_aside = set_aside
        self._progress = progress
        self._lags: Mapping[int, Lag] = {}
        self._aside: SetAside | None = None
        self._first: dict[int, tuple[int, Instant]] = {}
        """When the record at an offset was recorded, of partitions that stand there."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)
        meter.watch(LAG_FACTS, lambda: _labelled(self._lags, lambda lag: lag.fact_count))
        meter.watch(LAG_SECONDS, lambda: _labelled(self._lags, lambda lag: lag.seconds))
        meter.watch(HELD, lambda: _labelled(progress.all(), lambda reached: bool(reached.held)))
        meter.watch(WAITING, lambda: {} if self._aside is None else self._aside.waiting_count)
        meter.watch(
            QUARANTINED, lambda: {} if self._aside is None else self._aside.quarantine_count
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends, and waits for that only a moment."""
        self._stopped.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while True:
            try:
                self._lags = self._look()
            except MutuaError as error:
                logger.info("nobody knows how far answers are behind: %s", error)
                self._lags = {}
            try:
                self._aside = self._set_aside()
            except MutuaError as error:
                logger.info("nobody knows what answers leave out: %s", error)
                self._aside = None
            if self._stopped.wait(_LOOK_SECONDS):
                return

    def _look(self) -> dict[int, Lag]:
        ends = self._log.ends()
        return {number: self._lag(self._log.partition(number), end) for number, end in ends.items()}

    def _lag(self, partition: Partition, end: int) -> Lag:
        next_offset = self._progress.of(partition.number).next_offset
        if next_offset >= end:
            return Lag(0, 0.0)
        offset, recorded = self._first.get(partition.number, (-1, 0))
        if offset != next_offset:
            recorded = partition.read(next_offset, 1)[0].record_time
            self._first[partition.number] = next_offset, recorded
        return Lag(end - next_offset, max(0.0, time.time() - recorded / SECOND))


def _labelled(
    found: Mapping[int, _Of], value: Callable[[_Of], float]
) -> dict[tuple[str, ...], float]:
    return {(str(partition),): value(each) for partition, each in found.items()}
