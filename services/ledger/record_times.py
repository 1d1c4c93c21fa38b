"""Times of a log that never go back, whatever its clocks do."""

from collections.abc import Iterable, Iterator

from services.ledger.records import Record
from services.ledger.times import Instant


def make_monotonic(records: Iterable[Record], previous_time: Instant = 0) -> Iterator[Record]:
    """Records of a partition, each with the time of the one before it where its own is earlier.

    `since` is the time before the first. Clocks of brokers step back, and another broker, which
    comes to lead a partition, has another one.
    """
    for record in records:
        if record.record_time < previous_time:
            yield record._replace(record_time=previous_time)
        else:
            previous_time = record.record_time
            yield record
