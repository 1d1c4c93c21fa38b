"""The log out: every record, in its order, with the time it was first appended."""

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
"""Told how many records of how many are done; once more with both the same at the end."""

PAGE_RECORDS: Final = 1_000
_PAGE_OF_MANY: Final = 5_000
"""Who reads several partitions in turn throws away what was fetched beyond a page."""


class ExportResult(NamedTuple):
    """How many records of each programme were written, and how many were left out because they are
    nobody's: their key says no programme of their partition.
    """

    counts: Mapping[str, int]
    unowned_count: int


# decision 0039: an export gives back the same bytes
def export_log(
    log: ReadableLog, file: ByteSink, *, programme_id: str, progress: RecordProgress
) -> ExportResult:
    """Writes what the log holds by now.

    With a `programme_id` only its records. Raises NotFoundError when there are none.
    """
    ends = {number: log.get_partition(number).end() for number in range(log.partition_count)}
    counts = Counter(record.programme_id for record in _numbered(log, ends))
    nobodys_count = sum(ends.values()) - counts.total()
    if programme_id:
        if programme_id not in counts:
            known = ", ".join(sorted(counts)[:10]) or "none"
            raise NotFoundError(
                f"nothing was recorded in programme {programme_id!r}; there are: {known}"
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
    for record in _numbered(log, ends):
        if record.programme_id in counts:
            _write(file, format_record(record, latest))
            done += 1
            if done % PAGE_RECORDS == 0 and done < header.record_count:
                progress(done, header.record_count)
    progress(done, done)
    return ExportResult(counts, nobodys_count)


def read_records(log: Partition, end: int, page_size: int = PAGE_RECORDS) -> Iterator[Record]:
    """What stands before `end`, a page at a time."""
    position = 0
    while position < end:
        page = log.read(position, min(page_size, end - position))
        assert page, "a log has no gaps before its end"
        yield from page
        position += len(page)


def _numbered(log: ReadableLog, ends: Mapping[int, int]) -> Iterator[Record]:
    """The records of all partitions as of one, each in its own order and by time among them."""
    page_size = PAGE_RECORDS if len(ends) == 1 else _PAGE_OF_MANY
    partitions = [
        make_monotonic(read_records(log.get_partition(number), end, page_size))
        for number, end in ends.items()
    ]
    merged = merge(*partitions, key=lambda record: record.record_time)
    known = (record for record in merged if not record.programme_id.startswith("?"))
    return (record._replace(offset=number) for number, record in enumerate(known))


def _write(file: ByteSink, line: str) -> None:
    file.write(line.encode() + b"\n")
