"""The embedded projector: one thread that follows the log of its own process."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from services.adapters.telemetry.metrics import BUSY_SLABS, NO_OP_METER, PROJECTOR_PARTITIONS, Meter
from services.ledger.errors import StoreBusyError, UnknownFactKindError
from services.ledger.ports import Partition, ProjectionStore
from services.projector.slab import write_slab
from services.projector.slab_prefetcher import SlabPrefetcher
from services.projector.watermarks import check_log_holds_watermark

logger = logging.getLogger(__name__)

_SLAB_RECORDS: Final = 10_000
"""Records per transaction. Larger slabs cost less per record but delay answers."""
_POLL_SECONDS: Final = 0.25
"""Polling interval, which bounds the delay after a missed wake-up."""

_PAUSE_FACTOR: Final = 2
"""Pause after a slab while others record, as a multiple of the slab's duration."""
_MAX_PAUSE_SECONDS: Final = 0.5
_MAX_PAUSE_LAG: Final = 50_000
"""Lag from which projecting no longer pauses for recording."""


class ObservablePartition(Partition, Protocol):
    """A partition that notifies of appends."""

    def on_append(self, wake: Callable[[], None]) -> None:
        """Calls `wake` on any thread after an append; missing calls are harmless."""


class SwitchOver(Protocol):
    """Offers of rebuilt read models that replace the active ones."""

    def open_offered(self) -> ProjectionStore | None:
        """Opens the offered read models; None when none are offered."""

    def accept(self) -> None:
        """Makes the offered read models active. They have caught up with the active ones."""

    def refuse(self) -> None:
        """Withdraws the offer."""


# decision 0074: a failing record is found by bisection
class EmbeddedProjector:
    """Projects the log of this process into its read models until it is stopped.

    It does not look for a record that fails, and counts no failures: the process ends, and the next
    one fails again until a version can project the record. Facts on the log are safe.
    """

    def __init__(
        self,
        log: ObservablePartition,
        store: ProjectionStore,
        *,
        on_progress: Callable[[int], None],
        on_failure: Callable[[str], None],
        on_hold: Callable[[str], None] = lambda _: None,
        switch_over: SwitchOver | None = None,
        meter: Meter = NO_OP_METER,
    ) -> None:
        """Raises ForeignDataError when the read models were not made from this log.

        The callbacks run on the projector's thread: `on_progress` with the position after a slab,
        `on_hold` with the reason when the next fact needs a later version, `on_failure` once, when
        projecting failed for good.
        """
        self.next_offset = _position(log, store)
        self.hold_reason = ""
        """Why the partition is held, "" when it is not."""
        self._log = log
        self._store = store
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._on_hold = on_hold
        self._switch_over = switch_over
        self._meter = meter
        meter.add(BUSY_SLABS, 0)
        meter.watch(PROJECTOR_PARTITIONS, lambda: 1)
        self._slabs = SlabPrefetcher(log, _SLAB_RECORDS)
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
        log.on_append(self._wake.set)

    @property
    def lag(self) -> int:
        """Number of facts that are not projected yet; 0 while the partition is held."""
        return 0 if self.hold_reason else self._log.end() - self.next_offset

    def catch_up(self) -> None:
        """Projects the whole log on the caller's thread. Call it before `start`."""
        while self._step():
            pass

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits for the running slab and ends the thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._slabs.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                if self._switch_over is not None:
                    self._try_switch_over(self._switch_over)
                start_time = time.monotonic()
                self._wake.clear()
                if not self._try_step():
                    self._wake.wait(_POLL_SECONDS)
                elif self._wake.is_set():
                    self._yield_to_writers(time.monotonic() - start_time)
        except Exception as error:
            logger.exception("projecting stopped at offset %d", self.next_offset)
            self._on_failure(f"projecting stopped at offset {self.next_offset}: {error}")

    def _yield_to_writers(self, slab_seconds: float) -> None:
        """Pauses so that concurrent recording gets most of the time, unless the lag is large."""
        if self.lag < _MAX_PAUSE_LAG:
            self._stopped.wait(min(_PAUSE_FACTOR * slab_seconds, _MAX_PAUSE_SECONDS))

    def _try_step(self) -> bool:
        try:
            return self._step()
        except StoreBusyError as error:
            logger.warning("projecting waits: %s", error)
            return False

    def _step(self) -> bool:
        """Projects one slab and returns True; returns False at the end of the log or when held."""
        if self.hold_reason:
            return False
        try:
            slab = self._slabs.read(self.next_offset)
            if slab is None:
                return False
            self.next_offset = write_slab(self._store, slab, self._meter).next_offset
        except UnknownFactKindError as error:
            self.hold_reason = str(error)
            logger.warning("%s", error)
            self._on_hold(self.hold_reason)
            return False
        self._on_progress(self.next_offset)
        return True

    def _try_switch_over(self, switch_over: SwitchOver) -> None:
        """Brings offered read models up to the active position and switches to them."""
        try:
            store = switch_over.open_offered()
            if store is None:
                return
            position = _position(self._log, store)
            while position < self.next_offset:
                slab = self._slabs.read(position)
                assert slab is not None, "projected records are on the log"
                position = write_slab(store, slab).next_offset
            switch_over.accept()
        except Exception:
            logger.exception("the switch-over failed; the active read models stay")
            switch_over.refuse()
            return
        self._store, self.next_offset = store, position
        self._on_progress(position)


def _position(log: Partition, store: ProjectionStore) -> int:
    """Returns the position of the read models.

    Raises ForeignDataError when they were not made from this log.
    """
    watermark = store.read_watermark(log.number)
    check_log_holds_watermark(log, watermark)
    return 0 if watermark is None else watermark.next_offset
