"""Exports a log: every record in log order, with the time of its first append."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from typing import Final, NamedTuple

from services.exports.export_file import ByteSink
from services.exports.export_line import ExportHeader, format_header, format_record
from services.ledger.errors import NotFoundError
from services.ledger.ports import Partition, ReadableLog
from services.ledger.position import Position
from services.ledger.record_times import make_monotonic
from services.ledger.records import Record
from services.ledger.times import Instant

RecordProgress = Callable[[int, int], None]
"""Called with the number of records done and their total; a last time with both equal."""

PAGE_RECORDS: Final = 1_000
_PARTITION_PAGE_RECORDS: Final = 5_000
"""Page size for several partitions. It is larger because each switch to another partition throws
away the records that were fetched beyond the page."""


class ExportResult(NamedTuple):
    """Records written, by programme, and the number of those left out.

    A record is left out when its key names no programme of its partition.
    """

    counts: Mapping[str, int]
    unowned_count: int


# decision 0039: an export gives back the same bytes
def export_log(
    log: ReadableLog, file: ByteSink, *, programme_id: str, progress: RecordProgress
) -> ExportResult:
    """Writes the records that the log has now; with a `programme_id` only its records.

    Raises NotFoundError when there are none.
    """
    ends = {number: log.get_partition(number).end() for number in range(log.partition_count)}
    counts = Counter(record.programme_id for record in _number_records(log, ends))
    nobodys_count = sum(ends.values()) - counts.total()
    if programme_id:
        if programme_id not in counts:
            names = ", ".join(sorted(counts)[:10]) or "none"
            raise NotFoundError(
                f"nothing was recorded in programme {programme_id!r}", remedy=f"there are: {names}"
            )
        counts = Counter({programme_id: counts[programme_id]})
    header = ExportHeader(
        log_id=log.log_id,
        position=",".join(str(Position(log.log_id, *end)) for end in ends.items()),
        record_count=counts.total(),
        programme_id=programme_id,
    )
    _write(file, format_header(header))
    done = 0
    latest: dict[str, Instant] = {}
    for record in _number_records(log, ends):
        if record.programme_id in counts:
            _write(file, format_record(record, latest))
            done += 1
            if done % PAGE_RECORDS == 0 and done < header.record_count:
                progress(done, header.record_count)
    progress(done, done)
    return ExportResult(counts, nobodys_count)


def read_records(log: Partition, end: int, page_size: int = PAGE_RECORDS) -> Iterator[Record]:
    """The records before `end`, read a page at a time."""
    position = 0
    while position < end:
        page = log.read(position, min(page_size, end - position))
        assert page, "a log has no gaps before its end"
        yield from page
        position += len(page)


def _number_records(log: ReadableLog, ends: Mapping[int, int]) -> Iterator[Record]:
    """The records of all partitions as one log: merged by time, each partition in its order."""
    page_size = PAGE_RECORDS if len(ends) == 1 else _PARTITION_PAGE_RECORDS
    partitions = [
        make_monotonic(read_records(log.get_partition(number), end, page_size))
        for number, end in ends.items()
    ]
    merged = merge(*partitions, key=lambda record: record.record_time)
    valid_records = (record for record in merged if not record.programme_id.startswith("?"))
    return (record._replace(offset=number) for number, record in enumerate(valid_records))


def _write(file: ByteSink, line: str) -> None:
    file.write(line.encode() + b"\n")
