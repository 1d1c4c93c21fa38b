"""Prefetches the next slab from the log while the current one is written."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from services.ledger.ports import Partition
from services.ledger.times import Instant
from services.projector.slab import Slab, read_slab

_MIN_REMAINING_RECORDS: Final = 1_000
"""Smaller slabs are not prefetched: reading them is faster than a hand-over, and a slab read at its
turn includes what was appended meanwhile. `worker.MIN_PREFETCH_RECORDS` is lower, because the
worker's slabs are fetched already and cannot grow."""


class SlabPrefetcher:
    """Reads a partition slab by slab, and the next slab on a thread of its own.

    Reading and writing run in parallel, because databases work outside of Python. Only one thread
    may call it.
    """

    def __init__(self, log: Partition, slab_size: int) -> None:
        self._log = log
        self._slab_size = slab_size
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="slab-reader")
        self._prefetched: tuple[int, Future[Slab | None]] | None = None
        self._record_times: dict[int, Instant] = {}
        """The record times before the last two positions."""

    def read(self, position: int) -> Slab | None:
        """Returns the slab that starts at `position`, None at the end of the log.

        Raises UnknownFactKindError when the first record needs a later version.
        """
        prefetched, self._prefetched = self._prefetched, None
        if prefetched is not None and prefetched[0] == position:
            slab = prefetched[1].result()
        else:
            slab = self._read(position)
        if slab is None:
            return None
        record_times = {position: self._record_times.get(position, 0)}  # a caller may read it again
        self._record_times = record_times | {slab.watermark.next_offset: slab.watermark.record_time}
        if self._log.end() - slab.watermark.next_offset >= _MIN_REMAINING_RECORDS:
            start = slab.watermark.next_offset
            self._prefetched = start, self._reader.submit(self._read, start)
        return slab

    def close(self) -> None:
        self._reader.shutdown()

    def _read(self, position: int) -> Slab | None:
        records = self._log.read(position, self._slab_size)
        if not records:
            return None
        number, record_time = self._log.number, self._record_times.get(position, 0)
        return read_slab(
            self._log.log_id, records, partition=number, previous_record_time=record_time
        )
