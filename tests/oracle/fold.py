"""The oracle's fold, one record at a time; written independently of the product."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from mutua.v1.event_pb2 import (
    Event,
    ExchangeConfirmed,
    ExchangeContent,
    ExchangeDisputed,
    OrganizationContent,
    PairingEnded,
    PairingFormed,
    ProgrammeConfigured,
)
from mutua.v1.types_pb2 import REPORT_SIDE_GIVER, REPORT_SIDE_THIRD_PARTY

APPLIED = "applied"
WAITING = "waiting"
DUPLICATE = "duplicate"
EVENT_ID_REUSED = "quarantined:EVENT_ID_REUSED"
STALE_CORRECTION = "quarantined:STALE_CORRECTION"
NOT_APPLICABLE = "quarantined:NOT_APPLICABLE"

AnyMessage = TypeVar("AnyMessage", bound=Message)


@dataclass(slots=True)
class OracleExchange:
    """Revisions are events in the order they took effect, an effective retraction included."""

    revisions: list[Event]
    is_retracted: bool = False

    @property
    def state(self) -> str:
        if self.is_retracted:
            return "EXCHANGE_STATE_RETRACTED"
        corrected = len(self.revisions) > 1
        return "EXCHANGE_STATE_CORRECTED" if corrected else "EXCHANGE_STATE_RECORDED"

    @property
    def revision_ids(self) -> list[str]:
        return [revision.event_id for revision in self.revisions]


@dataclass(frozen=True, slots=True)
class OracleStatement:
    """What a party said of an exchange, and the revision of which it said so."""

    event_id: str
    party: str
    agrees: bool
    revision: Event


@dataclass(frozen=True, slots=True)
class Wait:
    """A fact waits for the fact, or the registration, with this id."""

    target_id: str


@dataclass(slots=True)
class OracleLedger:
    """`outcomes` has a word for every record; an alias may lead to another alias."""

    records: list[Event] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    first_record: dict[str, int] = field(default_factory=dict)
    exchanges: dict[str, OracleExchange] = field(default_factory=dict)
    roster: dict[str, OrganizationContent] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, list[int]] = field(default_factory=dict)
    nothing_to_report: list[tuple[str, str, str]] = field(default_factory=list)
    """Organization, month such as 2024-03, recorder."""
    pairing_facts: list[Event] = field(default_factory=list)
    topic_labels: dict[str, str] = field(default_factory=dict)
    working_day_minutes: int | None = None
    statements: dict[str, list[OracleStatement]] = field(default_factory=dict)
    """Exchange -> statements, the last one last."""
    standing_exchanges: list[Any] | None = None
    """What `list_standing_exchanges` lists, kept for the next question of a finished fold."""

    def resolve(self, organization_id: str) -> str:
        while organization_id in self.aliases:
            organization_id = self.aliases[organization_id]
        return organization_id


def fold(events: Iterable[Event]) -> OracleLedger:
    """The ledger after these records of one programme, in log order."""
    ledger = OracleLedger()
    for number, event in enumerate(events):
        record = normalize(event)
        ledger.records.append(record)
        ledger.outcomes.append(WAITING)
        if record.event_id not in ledger.first_record:
            ledger.first_record[record.event_id] = number
            _settle(ledger, number)
        elif _client_part(ledger.records[ledger.first_record[record.event_id]]) == _client_part(
            record
        ):
            ledger.outcomes[number] = DUPLICATE
        else:
            ledger.outcomes[number] = EVENT_ID_REUSED
    return ledger


def _settle(ledger: OracleLedger, number: int) -> None:
    """Judges a record and, directly after it, the facts that waited for it, oldest first."""
    to_judge = [number]
    while to_judge:
        number = to_judge.pop()
        event = ledger.records[number]
        outcome = _apply(ledger, event)
        if isinstance(outcome, Wait):
            ledger.waiting.setdefault(outcome.target_id, []).append(number)
            continue
        ledger.outcomes[number] = outcome
        woken = ledger.waiting.pop(event.event_id, [])
        for organization_id in {*ledger.roster, *ledger.aliases}:
            woken += ledger.waiting.pop(f"registration of {organization_id}", [])
        to_judge += sorted(woken, reverse=True)


def _apply(ledger: OracleLedger, event: Event) -> str | Wait:
    match event.WhichOneof("fact"):
        case "exchange_recorded":
            ledger.exchanges[event.event_id] = OracleExchange([event])
            return APPLIED
        case "exchange_corrected":
            return _correct(ledger, event)
        case "exchange_retracted":
            return _retract(ledger, event)
        case "organization_registered":
            return _register(ledger, event.organization_registered.organization)
        case "organization_updated":
            organization = event.organization_updated.organization
            if organization.organization_id not in {*ledger.roster, *ledger.aliases}:
                return Wait(f"registration of {organization.organization_id}")
            return _register(ledger, organization)
        case "alias_added":
            return _bind(ledger, [event.alias_added.alias], event.alias_added.organization_id)
        case "nothing_to_report" | "pairing_formed" | "pairing_ended" | "programme_configured":
            return _collect(ledger, event)
        case "exchange_confirmed" | "exchange_disputed":
            return _state(ledger, event)
        case other:
            raise ValueError(f"the oracle does not know facts of kind {other}")


def _collect(ledger: OracleLedger, event: Event) -> str:
    if event.HasField("programme_configured"):
        return _configure(ledger, event.programme_configured)
    if not event.HasField("nothing_to_report"):
        ledger.pairing_facts.append(event)
        return APPLIED
    client_part = (event.nothing_to_report.organization_id, event.occur_time.ToJsonString()[:7])
    ledger.nothing_to_report.append((*client_part, event.recorded_by))
    return APPLIED


def _configure(ledger: OracleLedger, fact: ProgrammeConfigured) -> str:
    for each in fact.topics:
        ledger.topic_labels[each.topic] = each.label
    if fact.HasField("working_day_minutes"):
        ledger.working_day_minutes = fact.working_day_minutes
    return APPLIED


def _correct(ledger: OracleLedger, event: Event) -> str | Wait:
    exchange = _target(ledger, event.exchange_corrected.exchange_id)
    if not isinstance(exchange, OracleExchange):
        return exchange
    replaced_id = event.exchange_corrected.replaces_event_id
    if exchange.is_retracted:
        return APPLIED
    if replaced_id in ("", exchange.revision_ids[-1]):
        exchange.revisions.append(event)
        return APPLIED
    if replaced_id in exchange.revision_ids:
        return STALE_CORRECTION
    if replaced_id == event.event_id:
        return NOT_APPLICABLE
    replaced = ledger.first_record.get(replaced_id)
    if replaced is None or ledger.outcomes[replaced] == WAITING:
        return Wait(replaced_id)
    return NOT_APPLICABLE


def _retract(ledger: OracleLedger, event: Event) -> str | Wait:
    exchange = _target(ledger, event.exchange_retracted.exchange_id)
    if not isinstance(exchange, OracleExchange):
        return exchange
    if not exchange.is_retracted:
        exchange.is_retracted = True
        exchange.revisions.append(event)
    return APPLIED


def _state(ledger: OracleLedger, event: Event) -> str | Wait:
    agrees = event.HasField("exchange_confirmed")
    fact: ExchangeConfirmed | ExchangeDisputed
    fact = event.exchange_confirmed if agrees else event.exchange_disputed
    exchange = _target(ledger, fact.exchange_id)
    if not isinstance(exchange, OracleExchange):
        return exchange
    if exchange.is_retracted:
        return APPLIED
    revision = exchange.revisions[-1]
    party = ledger.resolve(fact.party)
    sides = find_sides_by_party(ledger, revision)
    if party not in sides or sides[party] & find_reporting_sides(ledger, revision):
        return NOT_APPLICABLE
    statement = OracleStatement(event.event_id, fact.party, agrees, revision)
    ledger.statements.setdefault(fact.exchange_id, []).append(statement)
    return APPLIED


def find_sides_by_party(ledger: OracleLedger, revision: Event) -> dict[str, set[str]]:
    """Organization -> its sides; every party of a joint exchange is a side of its own."""
    content, sides = get_content(revision), dict[str, set[str]]()
    for organization_id in map(ledger.resolve, content.giver_ids):
        sides.setdefault(organization_id, set()).add("givers")
    for organization_id in map(ledger.resolve, content.receiver_ids):
        sides.setdefault(organization_id, set()).add("receivers")
    for organization_id in map(ledger.resolve, content.party_ids):
        sides.setdefault(organization_id, set()).add(f"party {organization_id}")
    return sides


def find_reporting_sides(ledger: OracleLedger, revision: Event) -> set[str]:
    """The side that reported; empty for a third party."""
    content = get_content(revision)
    sides = find_sides_by_party(ledger, revision).get(ledger.resolve(revision.recorded_by), set())
    if content.reported_by == REPORT_SIDE_THIRD_PARTY:
        return set()
    if content.reported_by and not content.party_ids:
        return {"givers" if content.reported_by == REPORT_SIDE_GIVER else "receivers"}
    return {"givers"} if "givers" in sides else sides


def get_content(revision: Event) -> ExchangeContent:
    corrected = revision.HasField("exchange_corrected")
    return (revision.exchange_corrected if corrected else revision.exchange_recorded).exchange


def _target(ledger: OracleLedger, exchange_id: str) -> OracleExchange | str | Wait:
    if exchange_id in ledger.exchanges:
        return ledger.exchanges[exchange_id]
    return NOT_APPLICABLE if exchange_id in ledger.first_record else Wait(exchange_id)


def _register(ledger: OracleLedger, organization: OrganizationContent) -> str:
    if organization.organization_id in ledger.aliases:
        return NOT_APPLICABLE
    outcome = _bind(ledger, organization.aliases, organization.organization_id)
    if outcome == APPLIED:
        ledger.roster[organization.organization_id] = organization
    return outcome


def _bind(ledger: OracleLedger, aliases: Iterable[str], organization_id: str) -> str:
    """Binds all of the aliases, or none when one of them cannot mean the organization."""
    new = [alias for alias in aliases if ledger.aliases.get(alias) != organization_id]
    for alias in new:
        taken = alias in ledger.aliases or alias in ledger.roster
        if taken or alias in _chain(ledger.aliases, organization_id):
            return NOT_APPLICABLE
    ledger.aliases.update(dict.fromkeys(new, organization_id))
    return APPLIED


def _chain(aliases: Mapping[str, str], organization_id: str) -> list[str]:
    chain = [organization_id]
    while chain[-1] in aliases:
        chain.append(aliases[chain[-1]])
    return chain


def normalize(message: AnyMessage) -> AnyMessage:
    """A copy with strings in NFC and trimmed, and repeated fields, and pairs, as sorted sets."""
    copy = type(message)()
    for descriptor, value in message.ListFields():
        name = descriptor.name
        if descriptor.is_repeated and descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            parts = sorted(map(normalize, value), key=lambda part: part.SerializeToString())
            getattr(copy, name).extend(parts)
        elif descriptor.is_repeated:
            getattr(copy, name).extend(sorted({_clean(part) for part in value}))
        elif descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            getattr(copy, name).CopyFrom(normalize(value))
        else:
            setattr(copy, name, _clean(value) if isinstance(value, str) else value)
    if isinstance(copy, PairingFormed | PairingEnded):
        copy.a, copy.b = sorted((copy.a, copy.b))
    return copy


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _client_part(event: Event) -> Event:
    """Returns the part of an event that the client sent."""
    client_part = Event()
    client_part.CopyFrom(event)
    client_part.ClearField("recorded_by")
    client_part.ClearField("assurance")
    client_part.ClearField("record_time")
    return client_part
