"""A generated programme in which everything goes wrong that can, each a few times."""

from __future__ import annotations

from collections.abc import Iterator

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_EXACT,
    REPORT_SIDE_GIVER,
    REPORT_SIDE_RECEIVER,
    ReportSide,
)
from services.demo.programme import generate

UNREADABLE_RECORD = b"\xff"
"""What is no fact, and no client would send."""
SORT_SENSITIVE_IDS = ("Zebra", "aardvark", "\u00c9lan", "Box-1", "Box 1", "a_b", "aB")
"""Whose order depends on the language."""
ALIAS = "also"
TOPICS = ("zulu", "alpha", "box-1")


def generate_irregular_programme(programme: str) -> Iterator[Event]:
    """Corrected, stale, waiting, retracted, reused, refused, told by both sides, internal, and ids
    that two words stand for."""
    events = [
        event for recording in generate(scale=1, programme=programme) for event in recording.events
    ]
    yield from events
    exchanges = [event for event in events if event.HasField("exchange_recorded")]
    for number, event in enumerate(exchanges[::40]):
        yield _correction(event, number, of=event.event_id)
        yield _correction(event, 500 + number, of=event.event_id)
        yield _correction(event, 1_000 + number, of=_id(9_000 + number))
        yield _retraction(exchanges[40 * number + 1], 2_000 + number)
        reused = Event()
        reused.CopyFrom(event)
        reused.exchange_recorded.exchange.giver_minutes = 1
        yield reused
    for number, event in enumerate(exchanges[7::80]):
        yield _report(event, 2_500 + number, REPORT_SIDE_GIVER)
        yield _report(event, 2_700 + number, REPORT_SIDE_RECEIVER)
    for number, name in enumerate(SORT_SENSITIVE_IDS):
        registered = Event(event_id=_id(3_000 + number), programme_id=programme)
        registered.organization_registered.organization.organization_id = name
        yield registered
    content = exchanges[0].exchange_recorded.exchange
    party = (*content.giver_ids, *content.party_ids)[0]
    for number, alias in enumerate(
        (ALIAS, SORT_SENSITIVE_IDS[0])
    ):  # the second is registered already
        added = Event(event_id=_id(3_100 + number), programme_id=programme)
        added.alias_added.alias, added.alias_added.organization_id = alias, party
        yield added
    yield from _spelled(exchanges[0], party)


def _spelled(event: Event, party: str) -> Iterator[Event]:
    """Exchanges in which the party has two spellings: on both sides, on one, and all together."""
    for number, (givers, receivers, parties) in enumerate(
        (
            ((party,), (ALIAS, SORT_SENSITIVE_IDS[1]), ()),
            ((ALIAS, party), (SORT_SENSITIVE_IDS[1], SORT_SENSITIVE_IDS[2]), ()),
            ((), (), (ALIAS, party)),
        )
    ):
        spelled = Event()
        spelled.CopyFrom(event)
        spelled.event_id = _id(3_200 + number)
        content = spelled.exchange_recorded.exchange
        content.giver_ids[:], content.receiver_ids[:] = sorted(givers), sorted(receivers)
        content.party_ids[:] = sorted(parties)
        content.giver_minutes = 100
        if parties:
            content.ClearField("receiver_minutes")
            content.ClearField("benefit_minutes")
        yield spelled


def _id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def _correction(event: Event, number: int, *, of: str) -> Event:
    said = Event(event_id=_id(number), programme_id=event.programme_id, occur_time=event.occur_time)
    said.exchange_corrected.exchange_id = said.exchange_corrected.replaces_event_id = of
    content = said.exchange_corrected.exchange
    content.CopyFrom(event.exchange_recorded.exchange)
    content.giver_minutes, content.topics[:] = 77, TOPICS
    return said


def _report(event: Event, number: int, side: ReportSide.ValueType) -> Event:
    """The same exchange as another side told it, on a day."""
    report = Event()
    report.CopyFrom(event)
    report.event_id = _id(number)
    report.occur_precision = OCCUR_PRECISION_EXACT
    report.exchange_recorded.exchange.reported_by = side
    return report


def _retraction(event: Event, number: int) -> Event:
    said = Event(event_id=_id(number), programme_id=event.programme_id)
    said.exchange_retracted.exchange_id = event.event_id
    said.exchange_retracted.reason.plain = "twice"
    return said
