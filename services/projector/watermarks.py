"""Watermarks: how far a partition is projected, compared with the log and the read models."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from services.adapters.wire.event import read_record
from services.ledger.errors import FencedWriterError, ForeignDataError, UnknownFactKindError
from services.ledger.ports import Partition
from services.ledger.records import Record, Watermark
from services.ledger.wording import format_count


def make_watermark(log_id: str, partition: int, last: Record) -> Watermark:
    """Makes the watermark of read models that reflect a partition up to `last`, inclusive."""
    digest = sha256(last.value).digest()[:16]
    return Watermark(log_id, partition, last.offset + 1, last.record_time, digest)


def check_log_holds_watermark(log: Partition, watermark: Watermark | None) -> None:
    """Checks that the log holds the record that was projected last.

    Raises ForeignDataError when the read models were made from another log, or the log was
    truncated or changed since.
    """
    if watermark is None:
        return
    if watermark.log_id != log.log_id:
        raise ForeignDataError(
            "the read models were made from another log",
            remedy="mutua rebuild makes them again from the log",
        )
    remedy = (
        "if the log is right, mutua rebuild makes the read models again from it; otherwise restore "
        "it, or replay a backup into a new one"
    )
    last = log.read(watermark.next_offset - 1, 1)
    if not last:
        raise ForeignDataError(
            f"the log ends at {log.end():,}, before the "
            f"{format_count(watermark.next_offset, 'fact')} in the read models: it was truncated "
            "or restored",
            remedy=remedy,
        )
    expected = make_watermark(log.log_id, log.number, last[0])
    record_time = max(expected.record_time, watermark.record_time)  # projecting may have raised it
    if replace(expected, record_time=record_time) != watermark:
        raise ForeignDataError(
            "the log does not hold the fact that was projected last: it was changed or restored",
            remedy=remedy,
        )


def check_not_rewound(positions: Mapping[int, int], next_offsets: Mapping[int, int]) -> None:
    """Raises FencedWriterError when the read models are behind `next_offsets`.

    The next slab would detect it, too, but may be a long time in coming.
    """
    for number, next_offset in next_offsets.items():
        position = positions.get(number, 0)
        if position < next_offset:
            raise FencedWriterError(
                f"partition {number} is at offset {position} in the read models and was at "
                f"{next_offset}: they went back, to a backup or to a standby that was behind",
                remedy="projecting begins again from there",
            )


# decision 0044: an unknown fact kind holds the partition
def find_hold_reason(log: Partition, next_offset: int) -> str:
    """Says why projecting stops at `next_offset`; "" when it does not."""
    for record in log.read(next_offset, 1):
        try:
            read_record(record.offset, record.record_time, record.programme_id, record.value)
        except UnknownFactKindError as error:
            return str(error)
    return ""
