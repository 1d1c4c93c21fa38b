"""Replays an exported log into an empty one, with its order and times."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from services.exports.export_file import UnusableFileError, read_lines
from services.exports.export_line import (
    ExportHeader,
    ExportLine,
    InvalidLineError,
    read_header,
    read_line,
)
from services.exports.log_export import PAGE_RECORDS, RecordProgress, read_records
from services.ledger.errors import ForeignDataError, NewerSchemaError
from services.ledger.ports import SingleLog
from services.ledger.records import Record
from services.ledger.times import DAY, Instant
from services.ledger.wording import format_count

_WINDOW_BYTES: Final = 8 << 20
"""Maximum size of the records that are appended before the first result is awaited, well below
the queue of a log."""


class ReplayClock:
    """A clock for the log that is replayed into: it shows the time of the record to append."""

    def __init__(self) -> None:
        self.now: Instant = 0

    def __call__(self) -> Instant:
        return self.now


class ExportedLog:
    """An exported log. Every pass over its records checks each line."""

    def __init__(self, path: Path, *, now: Instant) -> None:
        """Raises UnusableFileError when it has no header, NewerSchemaError if mutua is too old."""
        self.path = path
        self._now = now
        self.header = self._header(next(read_lines(path), b""))

    def check(self, progress: RecordProgress) -> None:
        """Raises UnusableFileError with the line number unless every line is valid and present."""
        total = self.header.record_count
        for done, _ in enumerate(self.read_records(), 1):
            if done % PAGE_RECORDS == 0 and done < total:
                progress(done, total)
        progress(total, total)

    def read_records(self) -> Iterator[ExportLine]:
        """The records in log order. Raises UnusableFileError at the first invalid line."""
        number, done, offset = 1, 0, -1
        latest: dict[str, Instant] = {}
        for number, text in enumerate(read_lines(self.path), 1):
            if number == 1:
                continue
            try:
                line = self._line(text, offset, latest)
            except InvalidLineError as error:
                raise self._invalid_line(number, error.problem, error.remedy) from None
            done, offset = done + 1, line.record.offset
            yield line
        if done != self.header.record_count:
            raise self._invalid_line(
                number,
                f"the file ends after {done:,} of "
                f"{format_count(self.header.record_count, 'record')}: it was cut",
                "export the log again",
            )

    def _line(self, text: bytes, offset: int, latest: dict[str, Instant]) -> ExportLine:
        """Reads the line after the one at `offset`; `latest` has each programme's last time."""
        line = read_line(text)
        record, header = line.record, self.header
        if header.programme_id and record.programme_id != header.programme_id:
            raise InvalidLineError(f"is not of programme {header.programme_id}, as the header says")
        if record.offset <= offset or not (header.programme_id or record.offset == offset + 1):
            raise InvalidLineError(
                f"offset {record.offset:,} cannot follow {offset:,}: a line is missing, there "
                "twice, or out of order"
            )
        if record.record_time < latest.get(record.programme_id, 0):
            raise InvalidLineError("record_time is before that of the record before it")
        if record.record_time > self._now + DAY:
            raise InvalidLineError(
                "record_time is more than a day ahead", remedy="check this machine's clock"
            )
        latest[record.programme_id] = record.record_time
        return line

    def _header(self, line: bytes) -> ExportHeader:
        try:
            return read_header(line)
        except InvalidLineError as error:
            raise self._invalid_line(1, error.problem, error.remedy) from None
        except NewerSchemaError as error:
            raise NewerSchemaError(f"{self.path}: {error.problem}", remedy=error.remedy) from None

    def _invalid_line(self, number: int, problem: str, remedy: str = "") -> UnusableFileError:
        return UnusableFileError(f"{self.path}, line {number:,}: {problem}", remedy=remedy)


# decision 0039: an export gives back the same bytes
def replay_log(
    file: ExportedLog, log: SingleLog, clock: ReplayClock, progress: RecordProgress
) -> None:
    """Appends the records of the file that the log does not have yet; `clock` is the log's clock.

    Raises ForeignDataError, with nothing appended, when the records of the log are not the first
    records of the file.
    """
    records, done, total = file.read_records(), log.end(), file.header.record_count
    for logged_record in read_records(log, done):
        line = next(records, None)
        if line is None or not is_same_record(line.record, logged_record):
            raise ForeignDataError(
                "the data directory holds records of its own, from offset "
                f"{logged_record.offset:,} on",
                remedy="name an empty or new directory with --data",
            )
    for window in split_into_windows(records):
        clock.now = window[-1].record.record_time
        appends = [
            log.append(programme_id, [line.record.value for line in run])
            for programme_id, run in groupby(window, lambda line: line.record.programme_id)
        ]
        for append in appends:
            done = append.result().next_offset
        if done < total:
            progress(done, total)
    progress(total, total)


def split_into_windows(lines: Iterable[ExportLine]) -> Iterator[list[ExportLine]]:
    """Lines to append together. A record without its own time gets a window of its own, because
    the log appends a window at one time."""
    window: list[ExportLine] = []
    room = _WINDOW_BYTES
    for line in lines:
        is_alone = not (line.has_own_time and (not window or window[-1].has_own_time))
        if window and (is_alone or len(window) == PAGE_RECORDS or room < 0):
            yield window
            window, room = [], _WINDOW_BYTES
        window.append(line)
        room -= len(line.record.value)
    if window:
        yield window


def is_same_record(line: Record, other: Record) -> bool:
    return (line.programme_id, line.value) == (other.programme_id, other.value)
