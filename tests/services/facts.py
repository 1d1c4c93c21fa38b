"""Makes events with facts, as a client sends them."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from mutua.ids import uuid7
from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2 as types

NOON = "2026-03-02T12:00:00Z"


def seconds_from_now(seconds: int) -> str:
    return datetime.fromtimestamp(int(time.time()) + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exchange(
    giver: str | Sequence[str] = "A",
    receiver: str | Sequence[str] = "B",
    *,
    on: str = NOON,
    precision: int = 0,
    kind: int = types.EXCHANGE_KIND_CALL,
    minutes: int | None = None,
    event_id: str = "",
    programme: str = "",
    batch: str = "",
) -> pb.Event:
    event = pb.Event(event_id=event_id or uuid7(), programme_id=programme)
    if on:
        event.occur_time.FromJsonString(on)
    event.occur_precision = types.OccurPrecision.ValueType(precision)
    if batch:
        event.source.batch = batch
    event.exchange_recorded.exchange.CopyFrom(content(giver, receiver, kind=kind, minutes=minutes))
    return event


def content(
    giver: str | Sequence[str] = "A",
    receiver: str | Sequence[str] = "B",
    *,
    kind: int = types.EXCHANGE_KIND_CALL,
    minutes: int | None = None,
) -> pb.ExchangeContent:
    return pb.ExchangeContent(
        giver_ids=[giver] if isinstance(giver, str) else giver,
        receiver_ids=[receiver] if isinstance(receiver, str) else receiver,
        kind=types.ExchangeKind.ValueType(kind),
        giver_minutes=minutes,
    )


def joint_exchange(*parties: str) -> pb.Event:
    event = exchange((), ())
    event.exchange_recorded.exchange.party_ids.extend(parties)
    return event


def correction(of: pb.Event, replaces: str = "", *, receiver: str = "C") -> pb.Event:
    event = pb.Event(event_id=uuid7())
    event.occur_time.CopyFrom(of.occur_time)
    event.exchange_corrected.exchange_id = of.event_id
    event.exchange_corrected.exchange.CopyFrom(content(receiver=receiver))
    event.exchange_corrected.replaces_event_id = replaces
    return event


def retraction(of: pb.Event) -> pb.Event:
    event = pb.Event(event_id=uuid7())
    event.exchange_retracted.exchange_id = of.event_id
    event.exchange_retracted.reason.plain = "recorded twice"
    return event


def registration(
    organization_id: str,
    *,
    aliases: Sequence[str] = (),
    name: str = "",
    region: str = "",
    core_system: str = "",
) -> pb.Event:
    event = pb.Event(event_id=uuid7())
    organization = event.organization_registered.organization
    organization.organization_id = organization_id
    organization.name, organization.region = name, region
    organization.core_system = core_system
    organization.aliases.extend(aliases)
    return event


def organization_update(
    organization_id: str, name: str = "", *, aliases: Sequence[str] = ()
) -> pb.Event:
    event = pb.Event(event_id=uuid7())
    organization = event.organization_updated.organization
    organization.organization_id, organization.name = organization_id, name
    organization.aliases.extend(aliases)
    return event


def alias(other: str, organization_id: str) -> pb.Event:
    event = pb.Event(event_id=uuid7())
    event.alias_added.alias = other
    event.alias_added.organization_id = organization_id
    return event


OLD_ID = "018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f"


def confirmation(exchange_id: str = OLD_ID, *, party: str = "B", event_id: str = "") -> pb.Event:
    fact = pb.ExchangeConfirmed(exchange_id=exchange_id, party=party)
    return pb.Event(event_id=event_id or uuid7(), exchange_confirmed=fact)
