"""The embedded runner: one thread that follows the log of its own process."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from services.ledger.ports import Log, ProjectionStore, StoreBusy
from services.projector.slab import check_same_log, project_slab

logger = logging.getLogger(__name__)

_SLAB: Final = 1_000
_POLL_SECONDS: Final = 0.25
"""The floor: a wake-up that was missed costs no more than this."""


class EmbeddedProjector:
    """Keeps the read models level with the log until it is stopped."""

    def __init__(
        self,
        log: Log,
        store: ProjectionStore,
        *,
        on_progress: Callable[[int], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """Raises DataForeign when the read models were not made from this log.

        `on_progress` is called with the position after each slab, `on_failure` once when
        projecting cannot go on; both on the projector's thread.
        """
        watermark = store.watermark()
        check_same_log(log, watermark)
        self.next_offset = 0 if watermark is None else watermark.next_offset
        self._log = log
        self._store = store
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
        log.on_append(self._wake.set)

    def catch_up(self) -> None:
        """Projects, on the caller's thread and before `start`, what the log holds by now."""
        while self._step():
            pass

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the slab under way."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping:
                if not self._try_step():
                    self._wake.wait(_POLL_SECONDS)
                    self._wake.clear()
        except Exception as error:
            logger.exception("projecting stopped at offset %d", self.next_offset)
            self._on_failure(f"projecting stopped at offset {self.next_offset}: {error}")

    def _try_step(self) -> bool:
        try:
            return self._step()
        except StoreBusy as error:
            logger.warning("projecting waits: %s", error)
            return False

    def _step(self) -> bool:
        """Projects what is there, up to a slab; whether there was anything."""
        records = self._log.read(self.next_offset, _SLAB)
        if not records:
            return False
        self.next_offset = project_slab(self._store, self._log.log_id, records).next_offset
        self._on_progress(self.next_offset)
        return True
