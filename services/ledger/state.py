"""The state of one programme, and what a slab changes in it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from services.ledger.enums import QuarantineCause, RevisionState
from services.ledger.exchange import Exchange
from services.ledger.facts import Event, LoggedRecord, Source
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.statements import Statement
from services.ledger.times import Instant


class Revision(NamedTuple):
    """One state of an exchange, from the record at `from_offset` on.

    `content_event` is the fact with the content, that of the revision before for a retraction.
    `source` is that of the fact that made this revision.
    """

    number: int
    event_id: str
    from_offset: int
    record_time: Instant
    recorded_by: str
    state: RevisionState
    source: Source
    content_event: Event
    exchange: Exchange
    value: bytes


@dataclass(slots=True)
class ExchangeHistory:
    """An exchange: `number` is the offset of its first record, `revisions` oldest first."""

    exchange_id: str
    number: int
    revisions: list[Revision]
    statements: list[Statement] = field(default_factory=list)
    """All of them in a whole ledger; in a part, what the slab adds."""

    @property
    def current(self) -> Revision:
        return self.revisions[-1]

    @property
    def is_retracted(self) -> bool:
        return self.current.state is RevisionState.RETRACTED

    def has_revision(self, event_id: str) -> bool:
        return any(revision.event_id == event_id for revision in self.revisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationVersion:
    """One state of a registered organization, from the record at `from_offset` on."""

    number: int
    organization: Organization
    event_id: str
    from_offset: int
    recorded_by: str
    source: Source
    value: bytes


@dataclass(slots=True)
class Ledger:
    """The state of one programme, whole or the part that a slab can touch."""

    digests: dict[str, bytes] = field(default_factory=dict)
    """Event id -> digest of its first record."""
    histories: dict[str, ExchangeHistory] = field(default_factory=dict)
    roster: dict[str, OrganizationVersion] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, dict[str, LoggedRecord]] = field(default_factory=dict)
    """Awaited key -> event id -> the fact that waits for it."""
    waiting_keys: dict[str, str] = field(default_factory=dict)
    """Event id of a waiting fact -> the key it waits for."""

    def add_waiting_fact(self, event_id: str, fact: LoggedRecord, key: str) -> None:
        self.waiting_keys[event_id] = key
        self.waiting.setdefault(key, {})[event_id] = fact

    def take_waiting_facts(self, key: str) -> list[LoggedRecord]:
        """Removes and returns the facts that await `key`; `end_waiting` ends the wait of each."""
        return list(self.waiting.pop(key, {}).values())

    def end_waiting(self, event_id: str) -> None:
        del self.waiting_keys[event_id]

    def resolve(self, organization_id: str) -> str:
        return resolve(self.aliases, organization_id)


@dataclass(slots=True)
class Journal:
    """What a slab changed in a `Ledger`, in log order."""

    facts: list[LoggedRecord] = field(default_factory=list)
    """Facts with a new event id, whatever their outcome."""
    revisions: list[tuple[ExchangeHistory, Revision]] = field(default_factory=list)
    versions: list[OrganizationVersion] = field(default_factory=list)
    aliases: list[tuple[str, str, int]] = field(default_factory=list)
    """Alias, organization, the offset from which on they are bound."""
    statements: list[tuple[int, Statement]] = field(default_factory=list)
    """Number of the exchange, statement about it."""
    waiting_changes: dict[str, tuple[str, LoggedRecord]] = field(default_factory=dict)
    """Event id -> awaited key, "" for none, for every fact that began or ended to wait."""
    quarantine: dict[int, tuple[QuarantineCause, str, LoggedRecord]] = field(default_factory=dict)
    """Offset -> reason, detail, record."""


@dataclass(slots=True)
class Needs:
    """What a slab can touch, and so what to load. The facts that wait for it are loaded too."""

    event_ids: set[str] = field(default_factory=set)
    """Facts that the slab has or refers to."""
    exchange_ids: set[str] = field(default_factory=set)
    """Exchanges that the slab changes."""
    organization_ids: set[str] = field(default_factory=set)
    """Organizations and aliases with facts in the slab; an empty set needs no roster."""
    aliases: bool = False
    """Whether facts of the slab are judged after aliases, which needs the roster too."""

    def add(self, other: "Needs") -> None:
        self.event_ids |= other.event_ids
        self.exchange_ids |= other.exchange_ids
        self.organization_ids |= other.organization_ids
        self.aliases |= other.aliases

    def list_awaited_keys(self) -> set[str]:
        """Returns the keys that the slab may settle."""
        return self.event_ids | {make_organization_key(each) for each in self.organization_ids}


@dataclass(frozen=True, slots=True)
class AppliedVerdict:
    """The fact takes effect; facts that wait for it, or for one of `settled_keys`, come next."""

    settled_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitingVerdict:
    """The fact waits until `key` is settled: an event id, or `make_organization_key`."""

    key: str


@dataclass(frozen=True, slots=True)
class QuarantineVerdict:
    """The fact can never apply."""

    reason: QuarantineCause
    detail: str


def refuse(detail: str) -> QuarantineVerdict:
    """Returns the verdict on a fact that does not fit what is recorded."""
    return QuarantineVerdict(QuarantineCause.NOT_APPLICABLE, detail)


Verdict = AppliedVerdict | WaitingVerdict | QuarantineVerdict


def make_organization_key(organization_id: str) -> str:
    return f"organization:{organization_id}"
