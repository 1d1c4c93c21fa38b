"""The embedded runner: one thread that follows the log of its own process."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from services.adapters.telemetry.metrics import BUSY_SLABS, NO_OP_METER, PROJECTOR_PARTITIONS, Meter
from services.adapters.wire.event import read_record
from services.ledger.errors import StoreBusyError, UnknownFactKindError
from services.ledger.ports import Partition, ProjectionStore
from services.projector.slab import check_same_log, write_slab
from services.projector.slab_prefetcher import SlabPrefetcher

logger = logging.getLogger(__name__)

_SLAB: Final = 10_000
"""Records of one transaction: larger ones are cheaper, and answers wait longer for them."""
_POLL_SECONDS: Final = 0.25
"""The floor: a wake-up that was missed costs no more than this."""


_WAY_GIVEN: Final = 2
"""Times as long as a slab took."""
_MAX_PAUSE_SECONDS: Final = 0.5
_CLOSE_RECORDS: Final = 50_000
"""Further behind than this, projecting goes on whoever records."""


class ObservablePartition(Partition, Protocol):
    """A partition that tells when it grows."""

    def on_append(self, wake: Callable[[], None]) -> None:
        """Calls `wake`, on any thread, after each append; one that is missed does no harm."""


class SwitchOver(Protocol):
    """Read models that were built elsewhere to take the place of those that are projected into."""

    def open_offered(self) -> ProjectionStore | None:
        """Opens those that are to take over, when there are any."""

    def accept(self) -> None:
        """What was offered is level now: from here on it answers."""

    def refuse(self) -> None:
        """What was offered cannot take over, and is not offered again."""


class EmbeddedProjector:
    """Keeps the read models level with the log until it is stopped."""

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

        `on_progress` is called with the position after each slab, `on_held` with the reason when
        the next fact needs a later version, `on_failure` once when projecting cannot go on; all on
        the projector's thread.
        """
        self.next_offset = _position(log, store)
        self.hold_reason = ""
        """Why nothing more is projected although the log goes on."""
        self._log = log
        self._store = store
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._on_held = on_hold
        self._succession = switch_over
        self._meter = meter
        meter.add(BUSY_SLABS, 0)
        meter.watch(PROJECTOR_PARTITIONS, lambda: 1)
        self._slabs = SlabPrefetcher(log, _SLAB)
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
        log.on_append(self._wake.set)

    @property
    def lag(self) -> int:
        """How many facts on the log will be projected before long."""
        return 0 if self.hold_reason else self._log.end() - self.next_offset

    def catch_up(self) -> None:
        """Projects, on the caller's thread and before `start`, what the log holds by now."""
        while self._step():
            pass

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the slab under way."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._slabs.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                if self._succession is not None:
                    self._try_succession(self._succession)
                began = time.monotonic()
                self._wake.clear()
                if not self._try_step():
                    self._wake.wait(_POLL_SECONDS)
                elif self._wake.is_set():
                    self._give_way(time.monotonic() - began)
        except Exception as error:
            logger.exception("projecting stopped at offset %d", self.next_offset)
            self._on_failure(f"projecting stopped at offset {self.next_offset}: {error}")

    def _give_way(self, took_seconds: float) -> None:
        """Leaves most of the time to those who record at this moment, while answers are close."""
        if self.lag < _CLOSE_RECORDS:
            self._stopped.wait(min(_WAY_GIVEN * took_seconds, _MAX_PAUSE_SECONDS))

    def _try_step(self) -> bool:
        try:
            return self._step()
        except StoreBusyError as error:
            logger.warning("projecting waits: %s", error)
            return False

    def _step(self) -> bool:
        """Projects what is there, up to a slab; whether there was anything."""
        if self.hold_reason:
            return False
        try:
            slab = self._slabs.read(self.next_offset)
            if slab is None:
                return False
            self.next_offset = write_slab(self._store, slab, self._meter).next_offset
        except UnknownFactKindError as held:
            self.hold_reason = str(held)
            logger.warning("%s", held)
            self._on_held(self.hold_reason)
            return False
        self._on_progress(self.next_offset)
        return True

    def _try_succession(self, succession: SwitchOver) -> None:
        """Goes over to read models that are offered, once they are as far as those here."""
        try:
            store = succession.open_offered()
            if store is None:
                return
            position = _position(self._log, store)
            while position < self.next_offset:
                slab = self._slabs.read(position)
                assert slab is not None, "what was projected before is on the log"
                position = write_slab(store, slab).next_offset
            succession.accept()
        except Exception:
            logger.exception("new read models cannot take over; those that answer go on")
            succession.refuse()
            return
        self._store, self.next_offset = store, position
        self._on_progress(position)


def _position(log: Partition, store: ProjectionStore) -> int:
    """How far the read models are.

    Raises ForeignDataError when they were not made from this log.
    """
    watermark = store.read_watermark(log.number)
    check_same_log(log, watermark)
    return 0 if watermark is None else watermark.next_offset


# decision 0044: an unknown fact kind holds the partition
def find_hold_reason(log: Partition, next_offset: int) -> str:
    """Why read models at this position stand still; "" when they do not."""
    for record in log.read(next_offset, 1):
        try:
            read_record(record.offset, record.record_time, record.programme_id, record.value)
        except UnknownFactKindError as held:
            return str(held)
    return ""
