"""What the facts of one programme have led to so far, and what a stretch of the log changed."""

from dataclasses import dataclass, field

from services.ledger.exchange import Exchange
from services.ledger.facts import Event, Logged, Source
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.times import Instant
from services.ledger.words import Quarantine, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of an exchange, from the record at `from_offset` on.

    `said` is the fact that describes the exchange; a retraction keeps that of the revision before.
    `source` is where the fact that made this revision came from.
    """

    number: int
    event_id: str
    from_offset: int
    record_time: Instant
    recorded_by: str
    state: State
    source: Source
    said: Event
    exchange: Exchange
    value: bytes


@dataclass(slots=True)
class History:
    """An exchange: `number` is the offset of its first record, `revisions` oldest first."""

    exchange_id: str
    number: int
    revisions: list[Revision]

    @property
    def current(self) -> Revision:
        return self.revisions[-1]

    @property
    def retracted(self) -> bool:
        return self.current.state is State.RETRACTED

    def has_revision(self, event_id: str) -> bool:
        return any(revision.event_id == event_id for revision in self.revisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What is known of a registered organization, from the record at `from_offset` on."""

    number: int
    organization: Organization
    event_id: str
    from_offset: int
    recorded_by: str
    source: Source
    value: bytes


@dataclass(slots=True)
class Ledger:
    """The state of one programme, whole or just the part that a stretch of the log can touch."""

    seen: dict[str, bytes] = field(default_factory=dict)
    """Event id -> digest of its first record."""
    histories: dict[str, History] = field(default_factory=dict)
    roster: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, dict[str, Logged]] = field(default_factory=dict)
    """Awaited key -> event id -> the fact that waits for it."""
    awaited: dict[str, str] = field(default_factory=dict)
    """Event id of a waiting fact -> the key it waits for."""

    def wait(self, event_id: str, fact: Logged, key: str) -> None:
        self.awaited[event_id] = key
        self.waiting.setdefault(key, {})[event_id] = fact

    def wake(self, key: str) -> list[Logged]:
        """The facts that await `key`. Each counts as waiting until it is released."""
        return list(self.waiting.pop(key, {}).values())

    def release(self, event_id: str) -> None:
        del self.awaited[event_id]

    def resolve(self, organization_id: str) -> str:
        return resolve(self.aliases, organization_id)


@dataclass(slots=True)
class Journal:
    """What a stretch of the log changed in a `Ledger`, in log order."""

    facts: list[Logged] = field(default_factory=list)
    """Facts seen for the first time, whatever became of them."""
    revisions: list[tuple[History, Revision]] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    aliases: list[tuple[str, str, Logged]] = field(default_factory=list)
    """Alias, organization, the fact that said so."""
    waiting: dict[str, tuple[str, Logged]] = field(default_factory=dict)
    """Event id -> what it awaits in the end ("" is nothing), for all that began or ceased to."""
    quarantined: dict[int, tuple[Quarantine, str, Logged]] = field(default_factory=dict)
    """Offset -> reason, detail, record."""


@dataclass(slots=True)
class Needs:
    """What a slab can touch. Waiting facts that it can release are part of what is loaded."""

    event_ids: set[str] = field(default_factory=set)
    """Facts that the slab brings or refers to."""
    exchange_ids: set[str] = field(default_factory=set)
    """Exchanges that the slab changes."""
    organization_ids: set[str] = field(default_factory=set)
    """Organizations and aliases that the slab names in facts of their own; () needs no roster."""

    def add(self, other: "Needs") -> None:
        self.event_ids |= other.event_ids
        self.exchange_ids |= other.exchange_ids
        self.organization_ids |= other.organization_ids

    def awaited_keys(self) -> set[str]:
        """The keys that the slab may settle."""
        return self.event_ids | {awaited_organization(each) for each in self.organization_ids}


@dataclass(frozen=True, slots=True)
class Applied:
    """The fact took effect; those that wait for it, or for one of `keys`, may now follow."""

    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """The fact waits until `key` is settled: an event id, or `awaited_organization`."""

    key: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The fact can never apply."""

    reason: Quarantine
    detail: str


Verdict = Applied | Waits | Refused


def awaited_organization(organization_id: str) -> str:
    return f"organization:{organization_id}"
