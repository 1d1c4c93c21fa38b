"""Slabs read ahead: the next is read from the log while the one before is written."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from services.ledger.ports import Partition
from services.ledger.times import Instant
from services.projector.slab import Slab, read_slab

_WORTH_RECORDS: Final = 1_000
"""Fewer are read faster than a thread is asked to."""


class SlabPrefetcher:
    """The slabs of a partition, one after the other, for one thread that writes them.

    Databases work outside of Python, so that both get a processor.
    """

    def __init__(self, log: Partition, slab_size: int) -> None:
        self._log = log
        self._slab_size = slab_size
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="slab-reader")
        self._next: tuple[int, Future[Slab | None]] | None = None
        self._times: dict[int, Instant] = {}
        """When the record before a position was recorded, of the last positions."""

    def read(self, position: int) -> Slab | None:
        """What the log holds from `position` on, up to a slab; None when there is nothing.

        Raises Held when the record there needs a later version.
        """
        ahead, self._next = self._next, None
        if ahead is not None and ahead[0] == position:
            slab = ahead[1].result()
        else:
            slab = self._read(position)
        if slab is None:
            return None
        times = {position: self._times.get(position, 0)}  # it may be asked for again
        self._times = times | {slab.watermark.next_offset: slab.watermark.record_time}
        if self._log.end() - slab.watermark.next_offset >= _WORTH_RECORDS:
            start = slab.watermark.next_offset
            self._next = start, self._reader.submit(self._read, start)
        return slab

    def close(self) -> None:
        self._reader.shutdown()

    def _read(self, position: int) -> Slab | None:
        records = self._log.read(position, self._slab_size)
        if not records:
            return None
        number, since = self._log.number, self._times.get(position, 0)
        return read_slab(self._log.log_id, records, partition=number, previous_record_time=since)
