"""The fast path accepts only events that the full path accepts unchanged."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import types_pb2 as types
from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from services.adapters.wire.event import normalize, sort_sets, to_event
from services.ingest.fast_path import count_plain_legs
from services.ingest.request_validation import to_records
from services.ledger.errors import InvalidFactError, RequestTooLargeError
from services.ledger.fact_registry import validate_fact
from services.ledger.question import OPEN_SCOPE
from services.ledger.times import SECOND
from tests.services.facts import exchange

NOW = 1_767_225_600 * SECOND
"""The first instant of 2026."""
Change = Callable[[Event], object]


def a_call() -> Event:
    event = exchange(programme="default")
    event.occur_time.FromJsonString("2025-10-01T00:00:00Z")
    return event


def content(change: Callable[[ExchangeContent], object]) -> Change:
    return lambda event: change(event.exchange_recorded.exchange)


def minutes(name: str, value: int) -> Change:
    return content(lambda message: setattr(message, name, value))


def extended(name: str, *values: str) -> Change:
    return content(lambda message: getattr(message, name).extend(values))


def put(name: str, value: object) -> Change:
    return lambda event: setattr(event, name, value)


def symmetric(message: ExchangeContent, *parties: str) -> None:
    message.ClearField("giver_ids")
    message.ClearField("receiver_ids")
    message.party_ids[:] = parties


CHANGES: dict[str, Change] = {
    "nothing": lambda event: None,
    "no fact": lambda event: event.ClearField("fact"),
    "no id": put("event_id", ""),
    "upper case id": lambda event: setattr(event, "event_id", event.event_id.upper()),
    "nil id": put("event_id", "00000000-0000-0000-0000-000000000000"),
    "odd programme": put("programme_id", "North West"),
    "spaced programme": put("programme_id", " default"),
    "recorded by": put("recorded_by", "A"),
    "assurance": put("assurance", types.ASSURANCE_OPEN),
    "record time": lambda event: event.record_time.GetCurrentTime(),
    "unknown visibility": put("visibility", 9),
    "no time": lambda event: event.ClearField("occur_time"),
    "month": put("occur_precision", types.OCCUR_PRECISION_MONTH),
    "quarter": put("occur_precision", types.OCCUR_PRECISION_QUARTER),
    "unknown precision": put("occur_precision", 9),
    "an hour": lambda event: setattr(event.occur_time, "seconds", event.occur_time.seconds + 3600),
    "nanoseconds": lambda event: setattr(event.occur_time, "nanos", 1_001),
    "negative nanoseconds": lambda event: setattr(event.occur_time, "nanos", -1_000),
    "tomorrow": lambda event: event.occur_time.FromJsonString("2026-01-02T00:00:00Z"),
    "the day after": lambda event: event.occur_time.FromJsonString("2026-01-03T00:00:00Z"),
    "long ago": lambda event: event.occur_time.FromJsonString("1899-12-31T00:00:00Z"),
    "never": lambda event: setattr(event.occur_time, "seconds", 10**14),
    "reported": lambda event: event.report_time.FromJsonString("2025-12-31T00:00:00Z"),
    "reported before": lambda event: event.report_time.FromJsonString("2025-09-30T23:00:00Z"),
    "reported a day before": lambda event: event.report_time.FromJsonString("2025-09-29T23:00:00Z"),
    "reported ahead": lambda event: event.report_time.FromJsonString("2026-01-01T00:00:01Z"),
    "reported a day ahead": lambda event: event.report_time.FromJsonString("2026-01-02T00:00:01Z"),
    "batch": lambda event: setattr(event.source, "batch", "march"),
    "spaced batch": lambda event: setattr(event.source, "batch", "march "),
    "long reference": lambda event: setattr(event.source, "reference", "x" * 201),
    "control in reference": lambda event: setattr(event.source, "reference", "x\x07"),
    "negative generation": lambda event: setattr(event.source, "generation", -1),
    "no kind": content(lambda message: message.ClearField("kind")),
    "unknown kind": content(lambda message: setattr(message, "kind", 99)),
    "secondment": content(lambda message: setattr(message, "kind", types.EXCHANGE_KIND_SECONDMENT)),
    "unknown formality": content(lambda message: setattr(message, "formality", 9)),
    "unknown side": content(lambda message: setattr(message, "reported_by", 9)),
    "no giver": content(lambda message: message.ClearField("giver_ids")),
    "no receiver": content(lambda message: message.ClearField("receiver_ids")),
    "a giver more": extended("giver_ids", "Z"),
    "a giver twice": content(lambda message: message.giver_ids.extend(message.giver_ids[:])),
    "unsorted receivers": extended("receiver_ids", "Z", "Y"),
    "giver receives": content(lambda message: message.receiver_ids.extend(message.giver_ids[:])),
    "only to itself": content(
        lambda message: message.receiver_ids.__setitem__(slice(None), list(message.giver_ids))
    ),
    "spaced receiver": extended("receiver_ids", " Z"),
    "decomposed receiver": extended("receiver_ids", "Zu\u0308rich"),
    "long receiver": extended("receiver_ids", "z" * 129),
    "many receivers": extended("receiver_ids", *(f"{each:04}" for each in range(2_600))),
    "parties too": extended("party_ids", "Y", "Z"),
    "of all": content(lambda message: symmetric(message, "A", "B")),
    "of one": content(lambda message: symmetric(message, "A")),
    "broker": extended("brokered_by_ids", "Y", "Z"),
    "origin": content(lambda message: setattr(message, "arose_from_id", "the first visit")),
    "control in origin": content(lambda message: setattr(message, "answers_request_id", "\x07")),
    "topics": extended("topics", "beds", "wards"),
    "unsorted topics": extended("topics", "wards", "beds"),
    "odd topic": extended("topics", "Bed Management"),
    "many topics": extended("topics", *(f"t{each:03}" for each in range(101))),
    "zero minutes": minutes("giver_minutes", 0),
    "negative minutes": minutes("giver_minutes", -1),
    "many minutes": minutes("receiver_minutes", 20_161),
    "large benefit": minutes("benefit_minutes", 5_256_000),
    "too large benefit": minutes("benefit_minutes", 5_256_001),
    "note": content(lambda message: setattr(message.note, "plain", "Second visit.")),
    "spaced note": content(lambda message: setattr(message.note, "plain", " Second visit.")),
    "lines": content(lambda message: setattr(message.note, "plain", "Second\nvisit.")),
    "control in note": content(lambda message: setattr(message.note, "plain", "Second\x07visit.")),
    "long note": content(lambda message: setattr(message.note, "plain", "x" * 4_001)),
    "sealed note": content(lambda message: setattr(message.note, "sealed", b"x")),
    "asset": content(lambda message: setattr(message, "asset_id", " blueprint")),
    "nobody as broker": extended("brokered_by_ids", ""),
    "nobody took part": content(lambda message: message.participants.add()),
    "nurses": content(
        lambda message: message.participants.add(profession="nurse", participant_count=3)
    ),
    "doctors": content(
        lambda message: message.participants.add(profession="dr ", participant_count=1)
    ),
}


def ordered(event: Event) -> Event:
    message = Event()
    message.CopyFrom(event)
    sort_sets(message)
    return message


def by_the_long_way(event: Event) -> bytes | None:
    """The record of a normalized event, if the event is valid."""
    message = Event()
    message.CopyFrom(event)
    normalize(message)
    if validate_fact(to_event(message), now=NOW):
        return None
    return message.SerializeToString(deterministic=True)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(st.sampled_from(list(CHANGES.values())), max_size=3))
def test_plain_event_is_valid_and_tidy(changes: list[Change]) -> None:
    event = a_call()
    for change in changes:
        change(event)
    legs = count_plain_legs(event, NOW)
    if legs is not None:
        message = event.exchange_recorded.exchange
        assert legs == len(message.giver_ids) * len(message.receiver_ids)
        assert by_the_long_way(event) == ordered(event).SerializeToString(deterministic=True)
        assert (event.recorded_by, event.assurance) == ("", 0)
        assert not event.HasField("record_time")


@pytest.mark.parametrize(
    "change", ["nothing", "quarter", "reported", "batch", "topics", "note", "broker", "nurses"]
)
def test_common_exchange_is_plain(change: str) -> None:
    event = a_call()
    CHANGES[change](event)
    assert count_plain_legs(event, NOW) is not None


@pytest.mark.parametrize("change", CHANGES)
def test_both_paths_make_the_same_record(change: str) -> None:
    event = a_call()
    CHANGES[change](event)
    plain = count_plain_legs(event, NOW)
    request = RecordEventsRequest(events=[event])
    try:
        _, [record] = to_records(request, scope=OPEN_SCOPE, now=NOW)
    except (InvalidFactError, RequestTooLargeError):
        assert plain is None
        return
    event.CopyFrom(request.events[0])
    normalize(event)
    event.assurance = types.ASSURANCE_OPEN
    assert record == event.SerializeToString(deterministic=True)
