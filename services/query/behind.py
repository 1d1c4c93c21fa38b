"""How far answers are behind the log, and what they leave out: looked at every few seconds."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Final, NamedTuple, Protocol, TypeVar

from services.ledger.errors import MutuaError
from services.ledger.ports import Standing
from services.ledger.times import SECOND
from services.metrics import HELD, LAG_FACTS, LAG_SECONDS, QUARANTINED, WAITING, Meter
from services.query.progress import Progress

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 1.0

_Seen = TypeVar("_Seen")


class Log(Protocol):
    """A log of which the ends are asked, on one thread."""

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
        open_log: Callable[[], AbstractContextManager[Log]],
        standing: Callable[[], Standing],
        progress: Progress,
        meter: Meter,
    ) -> None:
        """`open_log` and `standing` may raise; then they are asked again."""
        self._open_log = open_log
        self._opened = ExitStack()
        self._log: Log | None = None
        self._ask_standing = standing
        self._level_time: dict[int, float] = {}
        """When each partition was last seen to be projected whole; of one of which nothing is, when
        it was seen first."""
        self._lags: Mapping[int, Lag] = {}
        self._standing: Standing | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)
        meter.watch(LAG_FACTS, lambda: {(str(n),): lag.fact_count for n, lag in self._lags.items()})
        meter.watch(LAG_SECONDS, lambda: {(str(n),): lag.seconds for n, lag in self._lags.items()})
        meter.watch(HELD, lambda: {(str(n),): bool(at.held) for n, at in progress.all().items()})
        meter.watch(WAITING, lambda: self._count("waiting_count"))
        meter.watch(QUARANTINED, lambda: self._count("quarantine_count"))
        self._thread.start()

    def stop(self) -> None:
        """Ends, and waits for that only a moment."""
        self._stopped.set()
        self._thread.join(_STOP_SECONDS)

    def _count(self, name: str) -> float | Mapping[tuple[str, ...], float]:
        standing = self._standing
        return {} if standing is None else float(getattr(standing, name))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._standing = self._tried(self._ask_standing)
            self._lags = self._tried(self._look) or {}
            self._stopped.wait(_LOOK_SECONDS)
        self._opened.close()

    def _tried(self, look: Callable[[], _Seen]) -> _Seen | None:
        try:
            return look()
        except MutuaError as error:
            logger.info("how far answers are behind cannot be seen: %s", error)
        except Exception:
            logger.exception("how far answers are behind cannot be seen")
        return None

    def _look(self) -> dict[int, Lag]:
        standing = self._standing
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

    def _lag(self, partition: int, end: int, standing: Standing) -> Lag:
        """The first fact that is not projected was recorded after the one before it, and after
        all was projected: it waits at most since then.
        """
        now = time.time()
        next_offset, recorded = standing.positions.get(partition, (0, 0))
        if next_offset >= end:
            self._level_time[partition] = now
            return Lag(0, 0.0)
        if not recorded:
            self._level_time.setdefault(partition, now)
        since = max(recorded / SECOND, self._level_time.get(partition, 0.0))
        return Lag(end - next_offset, max(0.0, now - since))
