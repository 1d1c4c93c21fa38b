"""What the services need of a technology. Each port has one contract test in `tests/adapters`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from services.ledger.changes import ProgrammeChanges
from services.ledger.enums import QuarantineCause, RevisionState
from services.ledger.flow_rows import ColumnWatermark, FlowRows
from services.ledger.organization import Organization
from services.ledger.position import Position
from services.ledger.programme import ProgrammeConfigured
from services.ledger.state import Ledger, Needs
from services.ledger.times import Day, Instant


class Record(NamedTuple):
    """One record as it stands on the log."""

    offset: int
    record_time: Instant
    programme_id: str
    value: bytes


class Partition(Protocol):
    """A part of a log with an order of its own. Offsets start at 0 and have no gaps."""

    @property
    def log_id(self) -> str:
        """32 hexadecimal digits that no other log has."""

    @property
    def number(self) -> int:
        """Which partition of the log it is, from 0."""

    def read(self, next_offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `next_offset` on, fewer when they are large; [] at the end."""

    def end(self) -> int:
        """The offset that the next record will have."""


class ReadableLog(Protocol):
    """A log as those see it who only read. All facts of a programme lie in one partition."""

    @property
    def log_id(self) -> str:
        """32 hexadecimal digits that no other log has."""

    @property
    def origins(self) -> Mapping[str, int]:
        """The logs that it was restored from, by their ids, and the offset before which it holds
        what they held."""

    @property
    def partition_count(self) -> int:
        """Partitions are numbered below it."""

    def find_partition(self, programme_id: str) -> int:
        """The number of the partition in which a programme lies."""

    def get_partition(self, number: int) -> Partition: ...


class Log(Protocol):
    """An append-only log as those see it who record."""

    @property
    def queued_bytes(self) -> int:
        """What waits to be appended, a fact counted with 1,000 bytes beside it ..."""

    @property
    def queue_limit_bytes(self) -> int:
        """... and how much of it may wait."""

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        """Appends the values next to each other, in order; resolves when all are durable.

        The position is right after the last value. Fails with Overloaded, LogUnavailableError or
        LogFullError when nothing was appended, with OutcomeUnknownError when any part may have
        been.
        """


class SingleLog(Log, Partition, Protocol):
    """A log that is one partition."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a partition is projected, and the digest of the last record that is: whether the
    log is still the one that was read.
    """

    log_id: str
    partition: int
    next_offset: int
    record_time: Instant
    digest: bytes


MAX_PROJECTION_CRASHES: Final = 3
"""So often may projecting fail at one record before its partition is held there."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps a partition from going past the record at `offset`.

    `crash_count` is how often projecting failed there; 0 when a later version is needed.
    """

    partition: int
    offset: int
    reason: str
    crash_count: int

    @property
    def is_permanent(self) -> bool:
        """Whether nothing more is to be projected; otherwise it is worth another try."""
        return not 0 < self.crash_count < MAX_PROJECTION_CRASHES


class ProjectionStore(Protocol):
    """The read models, as the projector writes them."""

    def read_watermark(self, partition: int) -> Watermark | None:
        """How far a partition is projected; None when nothing of it is."""

    def read_positions(self) -> Mapping[int, int]:
        """The first offset that is not projected, of every partition of which something is."""

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        """The part of a programme's state that `needs` names."""

    def find_used_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        """Those of the ids that a fact has already, or that a waiting fact waits for."""

    def commit(self, changes: Sequence[ProgrammeChanges], start: int, end: Watermark) -> None:
        """Writes a slab of one partition and the position after it in one transaction.

        With nothing written it raises FencedWriterError when the partition is no longer at `start`,
        and StoreBusyError when it cannot be at the moment.
        """

    def read_hold(self, partition: int) -> Hold | None:
        """What was last said to keep a partition from going on."""

    def save_hold(self, hold: Hold) -> None:
        """Says it in a transaction of its own, instead of what was said of the partition."""

    def delete_hold(self, partition: int) -> None:
        """Nothing keeps the partition from going on."""

    def invalidate_watermark(self, partition: int) -> None:
        """What is projected of the partition is not of the log as it is: its mark is of no record,
        so that nobody goes on from there."""


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """One fact about an exchange, as stored; `value` is the serialized event."""

    exchange: int
    exchange_id: str
    state: RevisionState
    event_id: str
    record_time: Instant
    recorded_by: str
    value: bytes


@dataclass(frozen=True, slots=True)
class StoredOrganization:
    """An organization as stored: `content` is None when only seen."""

    organization_id: str
    content: Organization | None


@dataclass(frozen=True, slots=True)
class ProgrammeCounts:
    """How many things a programme has."""

    fact_count: int
    exchange_count: int
    waiting_count: int
    quarantine_count: int


@dataclass(frozen=True, slots=True)
class ReadModelStatus:
    """How all partitions and programmes stand: of each partition the first offset that is not
    projected and when the one before it was recorded; how many facts wait, or can never apply.
    """

    positions: Mapping[int, tuple[int, Instant]]
    waiting_count: int
    quarantine_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFilter:
    """Which exchanges to list, by their current revision; None, "" and () mean all.

    Parties, givers and receivers are ids as recorded, and () of them means none. Givers and
    receivers are those of one exchange, whichever of them were asked for. `numbers` are those of
    exchanges, the offsets of their first records; () of them means none.
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
    excluded_numbers: tuple[int, ...] = ()
    """Numbers of exchanges that are not listed, whatever the other fields say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedBatch:
    """What one generation of a sender's import batch led to; an undo retracted `undone_count`.

    `recorded_by` is the sender's organization, "" when none was named. Every exchange counts,
    whatever became of it. A retraction counts for the batch of its exchange, whoever made it; a
    correction counts for the batch it came from.
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

    @property
    def undone(self) -> bool:
        """An undo retracted it, and none of its exchanges stands."""
        return self.undone_count > 0 and self.retracted_count == self.exchange_count


@dataclass(frozen=True, slots=True)
class StoredQuarantineRecord:
    """A record that can never apply, as stored; `value` is the record as it stands on the log."""

    offset: int
    reason: QuarantineCause
    detail: str
    record_time: Instant
    value: bytes


class Snapshot(Protocol):
    """One consistent view of what the read models hold of one partition."""

    def limit_statement_time(self, seconds: float) -> None:
        """Lets no single question to a database take longer from here on."""

    def read_next_offset(self) -> int:
        """The first offset that is not in this view."""

    def read_last_offset(self, programme_id: str) -> int:
        """The last record of a programme in this view; -1 when nothing was recorded in it."""

    def has_programme(self, programme_id: str) -> bool:
        """Whether anything was recorded in it."""

    def read_flow_rows(self, programme_id: str, known: ColumnWatermark) -> FlowRows:
        """What columns lack that know so much, to stand at this view."""

    def read_exchanges(
        self,
        programme_id: str,
        chosen: ExchangeFilter,
        order: Sequence[tuple[str, bool]],
        after: Sequence[int] | None,
        limit: int,
    ) -> Iterator[list[StoredRevision]]:
        """Up to `limit` exchanges, each with its revisions, oldest first, read as they are taken.

        `order` names times of the current revision, `occur_time` or `record_time`, and whether the
        latest comes first; equal ones are in log order. `after` is the key of an exchange, which
        the first one follows: its times in this order, then its number.
        """

    def read_counts(self, programme_id: str) -> ProgrammeCounts: ...

    def read_status(self) -> ReadModelStatus: ...

    def read_batches(self, programme_id: str) -> list[ImportedBatch]:
        """Everything that was imported, by batch and generation."""

    def read_configurations(self, programme_id: str) -> list[ProgrammeConfigured]:
        """The facts that configured a programme, in log order."""

    def read_quarantine(
        self, programme_id: str, offsets: Collection[int], after: int, limit: int
    ) -> list[StoredQuarantineRecord]:
        """Up to `limit` records beyond offset `after`, in log order; no offsets mean all."""

    def find_recorded_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        """Those of the ids that a fact on the log has, whatever became of it."""


class QueryStore(Protocol):
    """The read models, as the query service reads them."""

    @property
    def name(self) -> str:
        """Tells them from others that were made of the same log."""

    def open_snapshot(self, partition: int) -> AbstractContextManager[Snapshot]: ...


class StoreBusyError(Exception):
    """Somebody holds the read models, or no room is left; the same again may succeed."""


class FencedWriterError(Exception):
    """Somebody else moved the read models; this writer has to stop."""


class SupersededReadModelsError(FencedWriterError):
    """Other read models answer now, and are to be written instead of these."""


class UnknownFactKindError(Exception):
    """A record tells a fact of a kind that this version does not know: the log is read up to it."""

    def __init__(self, kind: int, offset: int) -> None:
        super().__init__(
            f"fact kind {kind} at offset {offset} is newer than this mutua; upgrade it"
        )
