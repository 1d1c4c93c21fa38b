"""Record types that pass through the ports: what logs hold, and what read models store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.ledger.enums import QuarantineCause, RevisionState
from services.ledger.times import Day, Instant


class Record(NamedTuple):
    """One record of the log."""

    offset: int
    record_time: Instant
    programme_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a partition is projected.

    `record_time` and `digest` are those of the last projected record. The digest tells whether the
    log still holds that record, because a log may be replaced or truncated.
    """

    log_id: str
    partition: int
    next_offset: int
    record_time: Instant
    digest: bytes


MAX_PROJECTION_FAILURES: Final = 3
"""Number of failures at one record from which it stops its partition."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why projecting stopped at the record at `offset`, or how often it failed there so far.

    `failure_count` is 0 when the record needs a later version.
    """

    partition: int
    offset: int
    reason: str
    failure_count: int

    @property
    def stops_partition(self) -> bool:
        """Whether the partition waits here; otherwise the next process tries the record again.

        A process that starts later looks once more at a record that stops its partition.
        """
        return not 0 < self.failure_count < MAX_PROJECTION_FAILURES


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """One revision of an exchange; `value` is the serialized event.

    It is the current one from the record at `from_offset` on.
    """

    exchange: int
    exchange_id: str
    state: RevisionState
    event_id: str
    record_time: Instant
    recorded_by: str
    value: bytes
    from_offset: int


@dataclass(frozen=True, slots=True)
class ProgrammeCounts:
    """Sizes of a programme; `exchange_count` has standing exchanges only."""

    fact_count: int
    exchange_count: int
    waiting_count: int
    quarantine_count: int


@dataclass(frozen=True, slots=True)
class ReadModelStatus:
    """Progress and problems of all partitions and programmes.

    `positions` has, for each partition, the first offset that is not projected and the record time
    of the record before it. The counts are of waiting and of quarantined facts.
    """

    positions: Mapping[int, tuple[int, Instant]]
    waiting_count: int
    quarantine_count: int


class BoundAlias(NamedTuple):
    """An alias of an organization, which it is from the record at `from_offset` on, for ever."""

    from_offset: int
    alias: str
    organization_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFilter:
    """Which exchanges to list, by their current revision; None, "" and () mean all.

    `parties`, `givers`, `receivers` and `numbers` are exceptions: () matches no exchange. Parties,
    givers and receivers are recorded ids; an exchange matches with one giver and one receiver of
    these. `numbers` are numbers of exchanges, the offsets of their first records.
    """

    from_day: Day | None = None
    to_day: Day | None = None
    kinds: tuple[int, ...] = ()
    formalities: tuple[int, ...] = ()
    topics: tuple[str, ...] = ()
    parties: tuple[str, ...] | None = None
    givers: tuple[str, ...] | None = None
    receivers: tuple[str, ...] | None = None
    batch: str = ""
    exchange_ids: tuple[str, ...] = ()
    numbers: tuple[int, ...] | None = None
    standing_only: bool = False
    changed_from: int | None = None
    """Only exchanges whose current revision is in force from this offset or a later one."""
    excluded_numbers: tuple[int, ...] = ()
    """Numbers of exchanges to leave out, although the other fields match them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedBatch:
    """What one generation of a sender's import batch recorded.

    `recorded_by` is the sender's organization, "" when none was named. Every exchange counts, also
    a retracted one. A retraction counts for the batch of its exchange, and in `undone_count` when
    an undo of this batch made it; a correction counts for the batch it came from.
    """

    batch: str
    generation: int
    recorded_by: str
    client: str
    first_record_time: Instant
    last_record_time: Instant
    exchange_count: int
    retracted_count: int
    undone_count: int
    correction_count: int
    organization_count: int
    pairing_count: int

    @property
    def undone(self) -> bool:
        """Whether an undo retracted it and none of its exchanges is standing."""
        return self.undone_count > 0 and self.retracted_count == self.exchange_count


@dataclass(frozen=True, slots=True)
class StoredQuarantineRecord:
    """A record that can never apply; `value` holds its bytes as on the log."""

    offset: int
    reason: QuarantineCause
    detail: str
    record_time: Instant
    value: bytes
