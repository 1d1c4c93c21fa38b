"""An exported log into an empty one of many partitions, each programme in its own."""

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
    file: ExportedLog, log: Log, held: ReadableLog, progress: RecordProgress
) -> None:
    """Appends the records of the file that are not `held` by the log yet.

    Each partition gets its records in the order of the file; their values tell the times when they
    were first appended, where anything can. Raises ForeignDataError, with nothing appended, when a
    partition holds anything that is not the beginning of what it would get; LogUnavailableError and
    OutcomeUnknownError as the log does: the same again goes on.
    """
    ends = {number: held.get_partition(number).end() for number in range(held.partition_count)}
    _require_beginnings(file, held, ends)
    done, total = sum(ends.values()), file.header.record_count
    for window in split_into_windows(_missing(file, held, ends)):
        pending: list[Future[Position]] = [
            log.append(programme_id, [line.record.value for line in run])
            for programme_id, run in groupby(window, lambda line: line.record.programme_id)
        ]
        try:
            for appended in pending:
                appended.result()
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(
                f"Kafka failed after {format_count(done, 'record')}; type the same again, "
                "it goes on "
                "there"
            ) from error
        done += len(window)
        if done < total:
            progress(done, total)
    _require_nothing_else(file, held)
    progress(total, total)


def _require_beginnings(file: ExportedLog, log: ReadableLog, ends: Mapping[int, int]) -> None:
    if not any(ends.values()):
        return
    found = {number: read_records(log.get_partition(number), end) for number, end in ends.items()}
    for line in file.read_records():
        number = log.find_partition(line.record.programme_id)
        there = next(found[number], None)
        if there is not None and not is_same_record(line.record, there):
            raise _foreign(number, there)
    for number, records in found.items():
        for more in records:
            raise _foreign(number, more)


def _missing(file: ExportedLog, log: ReadableLog, ends: Mapping[int, int]) -> Iterator[ExportLine]:
    passed: Counter[int] = Counter()
    for line in file.read_records():
        number = log.find_partition(line.record.programme_id)
        passed[number] += 1
        if passed[number] > ends[number]:
            yield line


def _require_nothing_else(file: ExportedLog, log: ReadableLog) -> None:
    ends = [log.get_partition(number).end() for number in range(log.partition_count)]
    if sum(ends) != file.header.record_count:
        raise ForeignDataError(
            f"the topic holds {format_count(sum(ends), 'record')}, the file "
            f"{file.header.record_count:,}: "
            "somebody recorded into it meanwhile; replay into a topic that nobody uses yet"
        )


def _foreign(number: int, record: Record) -> ForeignDataError:
    return ForeignDataError(
        f"partition {number} of the topic holds records of its own, from offset "
        f"{record.offset:,} on; name a new topic with --log-url"
    )
