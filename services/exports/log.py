"""The log out: every record, in its order, with the time it was first appended."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from typing import Final, NamedTuple

from services.exports.files import Sink
from services.exports.lines import Header, header_line, record_line
from services.ledger.clocks import raised
from services.ledger.errors import NotFound
from services.ledger.ports import Partition, ReadableLog, Record
from services.ledger.position import Position
from services.ledger.times import Instant

Progress = Callable[[int, int], None]
"""Told how many records of how many are done; once more with both the same at the end."""

PAGE: Final = 1_000
_PAGE_OF_MANY: Final = 5_000
"""Who reads several partitions in turn throws away what was fetched beyond a page."""


class Exported(NamedTuple):
    """How many records of each programme were written, and how many were left out because they are
    nobody's: their key says no programme of their partition.
    """

    counts: Mapping[str, int]
    nobodys_count: int


def export_log(log: ReadableLog, file: Sink, *, programme_id: str, progress: Progress) -> Exported:
    """Writes what the log holds by now.

    With a `programme_id` only its records. Raises NotFound when there are none.
    """
    ends = {number: log.partition(number).end() for number in range(log.partition_count)}
    counts = Counter(record.programme_id for record in _numbered(log, ends))
    nobodys_count = sum(ends.values()) - counts.total()
    if programme_id:
        if programme_id not in counts:
            known = ", ".join(sorted(counts)[:10]) or "none"
            raise NotFound(
                f"nothing was recorded in programme {programme_id!r}; there are: {known}"
            )
        counts = Counter({programme_id: counts[programme_id]})
    header = Header(
        log_id=log.log_id,
        position=",".join(str(Position(log.log_id, *end)) for end in ends.items()),
        record_count=counts.total(),
        programme_id=programme_id,
    )
    _write(file, header_line(header))
    done = 0
    latest: dict[str, Instant] = {}
    for record in _numbered(log, ends):
        if record.programme_id in counts:
            _write(file, record_line(record, latest))
            done += 1
            if done % PAGE == 0 and done < header.record_count:
                progress(done, header.record_count)
    progress(done, done)
    return Exported(counts, nobodys_count)


def records_of(log: Partition, end: int, page_size: int = PAGE) -> Iterator[Record]:
    """What stands before `end`, a page at a time."""
    position = 0
    while position < end:
        page = log.read(position, min(page_size, end - position))
        assert page, "a log has no gaps before its end"
        yield from page
        position += len(page)


def _numbered(log: ReadableLog, ends: Mapping[int, int]) -> Iterator[Record]:
    """The records of all partitions as of one, each in its own order and by time among them."""
    page_size = PAGE if len(ends) == 1 else _PAGE_OF_MANY
    partitions = [
        raised(records_of(log.partition(number), end, page_size)) for number, end in ends.items()
    ]
    merged = merge(*partitions, key=lambda record: record.record_time)
    known = (record for record in merged if not record.programme_id.startswith("?"))
    return (record._replace(offset=number) for number, record in enumerate(known))


def _write(file: Sink, line: str) -> None:
    file.write(line.encode() + b"\n")
