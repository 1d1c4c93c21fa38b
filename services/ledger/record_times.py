"""Record times of a log, made monotonic."""

from collections.abc import Iterable, Iterator

from services.ledger.records import Record
from services.ledger.times import Instant


def make_monotonic(records: Iterable[Record], previous_time: Instant = 0) -> Iterator[Record]:
    """Yields records of a partition, with earlier times raised to that of the record before.

    `previous_time` is that of the record before the first. Times go back when a broker's clock is
    set, or when another broker becomes the leader of the partition.
    """
    for record in records:
        if record.record_time < previous_time:
            yield record._replace(record_time=previous_time)
        else:
            previous_time = record.record_time
            yield record
