"""The log out: every record, in its order, with the time it was first appended."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from services.exports.files import Sink
from services.exports.lines import Header, header_line, record_line
from services.ledger.errors import NotFound
from services.ledger.ports import Partition, Record
from services.ledger.position import Position

Progress = Callable[[int, int], None]
"""Told how many records of how many are done; once more with both the same at the end."""

PAGE: Final = 1_000


def export_log(
    log: Partition, file: Sink, *, programme_id: str, progress: Progress
) -> Mapping[str, int]:
    """Writes what the log holds by now; how many records of each programme that was.

    With a `programme_id` only those of this programme. Raises NotFound when there are none.
    """
    end = log.end()
    counts = Counter(record.programme_id for record in records_of(log, end))
    if programme_id:
        if programme_id not in counts:
            known = ", ".join(sorted(counts)[:10]) or "none"
            raise NotFound(
                f"nothing was recorded in programme {programme_id!r}; there are: {known}"
            )
        counts = Counter({programme_id: counts[programme_id]})
    header = Header(
        log_id=log.log_id,
        position=str(Position(log.log_id, log.number, end)),
        record_count=counts.total(),
        programme_id=programme_id,
    )
    _write(file, header_line(header))
    done = 0
    for record in records_of(log, end):
        if record.programme_id in counts:
            _write(file, record_line(record))
            done += 1
            if done % PAGE == 0 and done < header.record_count:
                progress(done, header.record_count)
    progress(done, done)
    return counts


def records_of(log: Partition, end: int) -> Iterator[Record]:
    """What stands before `end`, a page at a time."""
    position = 0
    while position < end:
        page = log.read(position, min(PAGE, end - position))
        assert page, "a log has no gaps before its end"
        yield from page
        position += len(page)


def _write(file: Sink, line: str) -> None:
    file.write(line.encode() + b"\n")
