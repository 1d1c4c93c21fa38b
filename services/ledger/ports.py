"""What the services need of a technology. Each port has one contract test in `tests/adapters`."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from services.ledger.changes import Changes, Needs
from services.ledger.facts import Logged
from services.ledger.organization import Organization
from services.ledger.position import Position
from services.ledger.state import Ledger
from services.ledger.times import Day, Instant
from services.ledger.words import State


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands on the log."""

    offset: int
    record_time: Instant
    programme_id: str
    value: bytes


class Log(Protocol):
    """An append-only log. Offsets of a partition start at 0 and have no gaps."""

    @property
    def log_id(self) -> str:
        """32 hexadecimal digits that no other log has."""

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        """Appends the values next to each other, in order; resolves when all are durable.

        The position is right after the last value. Fails with Overloaded, LogDown or LogFull when
        nothing was appended, with OutcomeUnknown when any part may have been.
        """

    def read(self, next_offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `next_offset` on, fewer when they are large; [] at the end."""

    def end(self) -> int:
        """The offset that the next record will have."""

    def on_append(self, wake: Callable[[], None]) -> None:
        """Calls `wake`, on any thread, after each append. A poll must stand beside it."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a partition is projected; `next_offset` is the first record that is not.

    The digest of the last record tells whether the log is still the one that was read.
    """

    log_id: str
    next_offset: int
    record_time: Instant
    digest: bytes


class ProjectionStore(Protocol):
    """The read models, as the projector writes them."""

    def watermark(self) -> Watermark | None:
        """How far the read models are; None when they are empty."""

    def load(self, programme_id: str, needs: Needs) -> Ledger:
        """The part of a programme's state that `needs` names."""

    def commit(self, changes: Sequence[Changes], start: int, end: Watermark) -> None:
        """Writes a slab and its position in one transaction.

        With nothing written it raises StaleWriter when the read models are no longer at `start`,
        and StoreBusy when somebody else holds them.
        """


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One fact about an exchange, as stored; `value` is the serialized event."""

    exchange: int
    exchange_id: str
    state: State
    event_id: str
    record_time: Instant
    recorded_by: str
    value: bytes


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization as stored: `content` is None when only seen."""

    organization_id: str
    content: Organization | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many things a programme has."""

    fact_count: int
    exchange_count: int
    waiting_count: int
    quarantine_count: int


@dataclass(frozen=True, slots=True)
class ExchangeFilter:
    """Which exchanges to list; None, "" and no ids mean all, `parties` () means none."""

    from_day: Day | None = None
    to_day: Day | None = None
    parties: tuple[str, ...] | None = None
    batch: str = ""
    exchange_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlowRows:
    """What columns are made of; see `services.network.columns`. Parties are dense numbers.

    `replaced` are the numbers of exchanges whose earlier rows no longer hold.
    """

    parties: Sequence[tuple[int, str]]
    exchanges: Sequence[tuple[int, ...]]
    legs: Sequence[tuple[int, ...]]
    joint: Sequence[tuple[int, int]]
    replaced: Sequence[int]
    organizations: Sequence[Organization]
    aliases: Sequence[tuple[str, str]]


NO_ROWS: Final = FlowRows((), (), (), (), (), (), ())
"""What a programme is made of in which nothing was recorded."""


class Snapshot(Protocol):
    """One consistent view of the read models."""

    def position(self) -> int:
        """The first offset that is not in this view."""

    def has_programme(self, programme_id: str) -> bool:
        """Whether anything was recorded in it."""

    def flows(self, programme_id: str, from_offset: int) -> FlowRows:
        """What columns at `from_offset` lack to stand at this view; all from 0."""

    def exchanges(
        self, programme_id: str, chosen: ExchangeFilter, after: int, limit: int
    ) -> list[list[RevisionRow]]:
        """Up to `limit` exchanges numbered above `after`, each with its revisions, oldest first."""

    def counts(self, programme_id: str) -> Counts: ...


class QueryStore(Protocol):
    """The read models, as the query service reads them."""

    def snapshot(self) -> AbstractContextManager[Snapshot]: ...


class StoreBusy(Exception):
    """Somebody holds the read models; nothing was written, and the same again may succeed."""


class StaleWriter(Exception):
    """Somebody else moved the read models; this writer has to stop."""


Read = Callable[[Record], Logged]
