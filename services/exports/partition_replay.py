"""Replays an exported log into an empty one of several partitions."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from itertools import groupby

from services.exports.export_line import ExportLine
from services.exports.log_export import RecordProgress, read_records
from services.exports.log_replay import ExportedLog, is_same_record, split_into_windows
from services.ledger.errors import ForeignDataError, OutcomeUnknownError
from services.ledger.ports import Log, ReadableLog
from services.ledger.position import Position
from services.ledger.records import Record
from services.ledger.wording import format_count


# decision 0039: an export gives back the same bytes
def replay_partitions(
    file: ExportedLog, log: Log, readable_log: ReadableLog, progress: RecordProgress
) -> None:
    """Appends the records of the file that the log does not have yet; `readable_log` reads it.

    Each partition gets its records in the order of the file; the value of each readable record
    contains the time of its first append. Raises ForeignDataError, with nothing appended, when a
    partition has other records than the first of those it would get. Raises LogUnavailableError and
    OutcomeUnknownError like the log; the same call then continues.
    """
    ends = {
        number: readable_log.get_partition(number).end()
        for number in range(readable_log.partition_count)
    }
    _require_beginnings(file, readable_log, ends)
    done, total = sum(ends.values()), file.header.record_count
    for window in split_into_windows(_missing_lines(file, readable_log, ends)):
        appends: list[Future[Position]] = [
            log.append(programme_id, [line.record.value for line in run])
            for programme_id, run in groupby(window, lambda line: line.record.programme_id)
        ]
        try:
            for append in appends:
                append.result()
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(
                f"Kafka failed after {format_count(done, 'record')}",
                remedy="type the same again, it goes on there",
            ) from error
        done += len(window)
        if done < total:
            progress(done, total)
    _require_nothing_else(file, readable_log)
    progress(total, total)


def _require_beginnings(file: ExportedLog, log: ReadableLog, ends: Mapping[int, int]) -> None:
    if not any(ends.values()):
        return
    records_by_partition = {
        number: read_records(log.get_partition(number), end) for number, end in ends.items()
    }
    for line in file.read_records():
        number = log.find_partition(line.record.programme_id)
        logged_record = next(records_by_partition[number], None)
        if logged_record is not None and not is_same_record(line.record, logged_record):
            raise _foreign_data(number, logged_record)
    for number, records in records_by_partition.items():
        for record in records:
            raise _foreign_data(number, record)


def _missing_lines(
    file: ExportedLog, log: ReadableLog, ends: Mapping[int, int]
) -> Iterator[ExportLine]:
    counts: Counter[int] = Counter()
    for line in file.read_records():
        number = log.find_partition(line.record.programme_id)
        counts[number] += 1
        if counts[number] > ends[number]:
            yield line


def _require_nothing_else(file: ExportedLog, log: ReadableLog) -> None:
    ends = [log.get_partition(number).end() for number in range(log.partition_count)]
    if sum(ends) != file.header.record_count:
        raise ForeignDataError(
            f"the topic holds {format_count(sum(ends), 'record')}, the file "
            f"{file.header.record_count:,}: somebody recorded into it meanwhile",
            remedy="replay into a topic that nobody uses yet",
        )


def _foreign_data(number: int, record: Record) -> ForeignDataError:
    return ForeignDataError(
        f"partition {number} of the topic holds records of its own, from offset {record.offset:,} "
        "on",
        remedy="name a new topic with --log-url",
    )
