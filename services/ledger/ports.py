"""Ports: what the services need of a log and of read models.

Every port has several adapters and one contract test, in `tests/adapters`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Protocol

from services.ledger.changes import ProgrammeChanges
from services.ledger.flow_rows import ColumnWatermark, FlowRows
from services.ledger.pairing import PairingStatement
from services.ledger.position import Position
from services.ledger.programme import ProgrammeConfigured
from services.ledger.records import (
    BoundAlias,
    ExchangeFilter,
    Hold,
    ImportedBatch,
    ProgrammeCounts,
    ReadModelStatus,
    Record,
    StoredQuarantineRecord,
    StoredRevision,
    Watermark,
)
from services.ledger.state import Ledger, Needs
from services.ledger.statements import Statement
from services.ledger.times import Month


class Partition(Protocol):
    """A part of a log with its own order. Offsets start at 0 and have no gaps."""

    @property
    def log_id(self) -> str:
        """32 hexadecimal digits, unique to the log."""

    @property
    def number(self) -> int:
        """The number of the partition within its log, from 0."""

    def read(self, next_offset: int, limit: int) -> list[Record]:
        """Returns up to `limit` records from `next_offset` on, [] at the end of the partition.

        Returns fewer records, but at least one, when they are large.
        """

    def end(self) -> int:
        """Returns the offset that the next record will have."""


class ReadableLog(Protocol):
    """A log for readers. All facts of a programme are in one partition."""

    @property
    def log_id(self) -> str:
        """32 hexadecimal digits, unique to the log."""

    @property
    def origins(self) -> Mapping[str, int]:
        """The logs that this one was restored from: log id -> offset.

        Before that offset, both logs hold the same records.
        """

    @property
    def partition_count(self) -> int:
        """Number of partitions; they are numbered from 0."""

    def find_partition(self, programme_id: str) -> int:
        """Returns the number of the partition that holds a programme."""

    def get_partition(self, number: int) -> Partition: ...


class Log(Protocol):
    """An append-only log for writers."""

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait to be appended; each fact counts 1,000 bytes more than its size."""

    @property
    def queue_limit_bytes(self) -> int:
        """Upper bound on `queued_bytes`; beyond it, `append` fails with OverloadedError."""

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        """Appends the values next to each other, in order.

        The future resolves, when all values are durable, to the position right after the last one.
        It fails with OverloadedError, LogUnavailableError or LogFullError when nothing was
        appended, and with OutcomeUnknownError when any part may have been.
        """


class SingleLog(Log, Partition, Protocol):
    """A log of one partition."""


class ProjectionStore(Protocol):
    """The read models, for the projector."""

    def read_watermark(self, partition: int) -> Watermark | None:
        """Returns how far a partition is projected; None when nothing of it is projected."""

    def read_positions(self) -> Mapping[int, int]:
        """Returns partition -> first offset that is not projected, for started partitions."""

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        """Returns the part of a programme's state that `needs` names."""

    def find_used_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        """Returns the ids that a projected fact has, or that a waiting fact waits for."""

    def commit(self, changes: Sequence[ProgrammeChanges], start: int, end: Watermark) -> None:
        """Writes a slab of one partition and its watermark in one transaction.

        Raises FencedWriterError when the partition is no longer at `start`, and StoreBusyError when
        the read models cannot be written at the moment. Nothing was written in either case.
        """

    def read_hold(self, partition: int) -> Hold | None:
        """Returns the hold of a partition, None without one."""

    def save_hold(self, hold: Hold) -> None:
        """Stores a hold in its own transaction and replaces the partition's earlier one."""

    def delete_hold(self, partition: int) -> None:
        """Deletes the hold of a partition, if it has one."""

    def invalidate_watermark(self, partition: int) -> None:
        """Replaces the digest of a partition's watermark by one that no record has.

        Projectors then refuse to continue, because the read models may hold facts of another log.
        """


class Snapshot(Protocol):
    """One consistent view of the read models of one partition."""

    def limit_statement_time(self, seconds: float) -> None:
        """Bounds every following statement to `seconds`, where the database can cancel one."""

    def read_next_offset(self) -> int:
        """Returns the first offset that is not in this view."""

    def read_last_offset(self, programme_id: str) -> int:
        """Returns the offset of a programme's last record in this view; -1 without one."""

    def has_programme(self, programme_id: str) -> bool:
        """Whether the programme has any record."""

    def read_flow_rows(self, programme_id: str, known: ColumnWatermark) -> FlowRows:
        """Returns the rows that columns at the watermark `known` lack in this view."""

    def read_exchanges(
        self,
        programme_id: str,
        chosen: ExchangeFilter,
        order: Sequence[tuple[str, bool]],
        after: Sequence[int] | None,
        limit: int,
    ) -> Iterator[list[StoredRevision]]:
        """Yields up to `limit` exchanges, each as its revisions, oldest first.

        Rows are read while the iterator advances. `order` has times of the current revision,
        `occur_time` or `record_time`, each with whether the latest comes first; exchanges with
        equal times are in log order. `after` is the key of the exchange before the first one: its
        times in this order, then its number.
        """

    def read_statements(self, programme_id: str, exchange: int) -> list[Statement]:
        """Returns what parties said of the exchange with this number, the last one last."""

    def read_aliases(self, programme_id: str, from_offset: int) -> list[BoundAlias]:
        """Returns the aliases that took effect at an offset or later, in log order."""

    def read_counts(self, programme_id: str) -> ProgrammeCounts: ...

    def read_status(self) -> ReadModelStatus: ...

    def read_batches(self, programme_id: str) -> list[ImportedBatch]:
        """Returns every import batch, by name and generation."""

    def read_configurations(self, programme_id: str) -> list[ProgrammeConfigured]:
        """Returns the facts that configured a programme, in log order."""

    def read_pairing_statements(self, programme_id: str) -> list[PairingStatement]:
        """Returns the facts about a programme's pairings, in log order."""

    def read_reports_of_nothing(self, programme_id: str) -> list[tuple[str, Month]]:
        """Returns recorded ids with the months for which they had nothing to report, sorted."""

    def read_quarantine(
        self, programme_id: str, offsets: Collection[int], after: int, limit: int
    ) -> list[StoredQuarantineRecord]:
        """Returns up to `limit` records after offset `after`, in log order; no offsets mean all."""

    def find_recorded_event_ids(self, programme_id: str, event_ids: Collection[str]) -> set[str]:
        """Returns the ids that a fact on the log has, whether applied, waiting or quarantined."""


class QueryStore(Protocol):
    """The read models, for the query service."""

    @property
    def name(self) -> str:
        """Distinguishes these read models from others of the same log."""

    def open_snapshot(self, partition: int) -> AbstractContextManager[Snapshot]: ...


class MapStore(Protocol):
    """Coordinates of organizations on the map, 0 to 1, by programme. They never change.

    All methods raise LogUnavailableError while the store is away. Any thread may call them.
    """

    def read_places(self, programme_id: str) -> Mapping[str, tuple[float, float]]:
        """x and y by organization id."""

    def add_places(self, programme_id: str, places: Mapping[str, tuple[float, float]]) -> None:
        """Stores coordinates; an organization that has some keeps them."""
