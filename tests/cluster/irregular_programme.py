"""A generated programme that contains every irregular kind of fact a few times."""

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
"""Bytes that are no fact and that no client would send."""
SORT_SENSITIVE_IDS = ("Zebra", "aardvark", "\u00c9lan", "Box-1", "Box 1", "a_b", "aB")
"""Ids whose order depends on the collation."""
ALIAS = "also"
TOPICS = ("zulu", "alpha", "box-1")


def generate_irregular_programme(programme: str) -> Iterator[Event]:
    """Yields a generated programme with irregular facts after it.

    These are corrections (also stale and waiting ones), retractions, reused event ids, facts that
    can never apply, reports of both sides, internal exchanges and aliases.
    """
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
        registration = Event(event_id=_id(3_000 + number), programme_id=programme)
        registration.organization_registered.organization.organization_id = name
        yield registration
    content = exchanges[0].exchange_recorded.exchange
    party = (*content.giver_ids, *content.party_ids)[0]
    for number, alias in enumerate(
        (ALIAS, SORT_SENSITIVE_IDS[0])
    ):  # the second is registered already
        binding = Event(event_id=_id(3_100 + number), programme_id=programme)
        binding.alias_added.alias, binding.alias_added.organization_id = alias, party
        yield binding
    yield from _spelling_variants(exchanges[0], party)


def _spelling_variants(event: Event, party: str) -> Iterator[Event]:
    """Yields exchanges with two spellings of a party: on both sides, on one, and jointly."""
    for number, (givers, receivers, parties) in enumerate(
        (
            ((party,), (ALIAS, SORT_SENSITIVE_IDS[1]), ()),
            ((ALIAS, party), (SORT_SENSITIVE_IDS[1], SORT_SENSITIVE_IDS[2]), ()),
            ((), (), (ALIAS, party)),
        )
    ):
        exchange = Event()
        exchange.CopyFrom(event)
        exchange.event_id = _id(3_200 + number)
        content = exchange.exchange_recorded.exchange
        content.giver_ids[:], content.receiver_ids[:] = sorted(givers), sorted(receivers)
        content.party_ids[:] = sorted(parties)
        content.giver_minutes = 100
        if parties:
            content.ClearField("receiver_minutes")
            content.ClearField("benefit_minutes")
        yield exchange


def _id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def _correction(event: Event, number: int, *, of: str) -> Event:
    correction = Event(
        event_id=_id(number), programme_id=event.programme_id, occur_time=event.occur_time
    )
    correction.exchange_corrected.exchange_id = correction.exchange_corrected.replaces_event_id = of
    content = correction.exchange_corrected.exchange
    content.CopyFrom(event.exchange_recorded.exchange)
    content.giver_minutes, content.topics[:] = 77, TOPICS
    return correction


def _report(event: Event, number: int, side: ReportSide.ValueType) -> Event:
    """Returns the same exchange as another side reported it, with an exact day."""
    report = Event()
    report.CopyFrom(event)
    report.event_id = _id(number)
    report.occur_precision = OCCUR_PRECISION_EXACT
    report.exchange_recorded.exchange.reported_by = side
    return report


def _retraction(event: Event, number: int) -> Event:
    retraction = Event(event_id=_id(number), programme_id=event.programme_id)
    retraction.exchange_retracted.exchange_id = event.event_id
    retraction.exchange_retracted.reason.plain = "twice"
    return retraction
