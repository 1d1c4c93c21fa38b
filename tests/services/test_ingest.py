"""IngestService through gRPC: valid facts are recorded, invalid ones refused with a remedy."""

import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_status import rpc_status

from mutua import Client, MutuaError
from mutua.ids import uuid7
from mutua.v1 import event_pb2 as pb
from mutua.v1 import types_pb2 as types
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from services.ingest.request_validation import to_records
from services.ledger.errors import InvalidFactError
from services.ledger.question import OPEN_SCOPE
from tests.error_details import parse_error_details
from tests.services import facts
from tests.services.facts import exchange

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FACT")
EXCHANGE = "exchange_recorded.exchange."
ORGANIZATION = "organization_registered.organization."
MONTH, QUARTER, DAY = 3, 4, 2


def refusal(client: Client, *events: pb.Event) -> MutuaError:
    """The error of a refused request. Asserts that no event of it was appended."""
    before = client.get_status().log_position
    with pytest.raises(MutuaError) as raised:
        client.record(events)
    assert client.get_status().log_position == before
    return raised.value


def changed(event: pb.Event, change: Callable[[pb.ExchangeContent], object]) -> pb.Event:
    change(event.exchange_recorded.exchange)
    return event


def with_(event: pb.Event, **values: Any) -> pb.Event:
    for name, value in values.items():
        if isinstance(value, Message):
            getattr(event, name).CopyFrom(value)
        else:
            setattr(event, name, value)
    return event


def content(**values: Any) -> pb.Event:
    event = exchange()
    for name, value in values.items():
        if isinstance(value, list):
            getattr(event.exchange_recorded.exchange, name).extend(value)
        else:
            setattr(event.exchange_recorded.exchange, name, value)
    return event


def organization(**values: Any) -> pb.Event:
    event = facts.registration("X")
    for name, value in values.items():
        getattr(event.organization_registered.organization, name).CopyFrom(value)
    return event


def nothing(month: str = "2026-02-01", *, of: str = "A", precision: int = 3) -> pb.Event:
    event = pb.Event(event_id=uuid7(), nothing_to_report=pb.NothingToReport(organization_id=of))
    if month:
        event.occur_time.FromJsonString(f"{month}T00:00:00Z")
    event.occur_precision = types.OccurPrecision.ValueType(precision)
    return event


def reported(on: str, at: str, precision: int = 0) -> pb.Event:
    event = exchange(on=on, precision=precision)
    event.report_time.FromJsonString(at)
    return event


def nanoseconds(nanos: int) -> pb.Event:
    event = exchange()
    event.occur_time.nanos = nanos
    return event


BAD: dict[str, tuple[pb.Event, str, str]] = {
    # case: (event, field, remedy in the error)
    "no event id form": (with_(exchange(), event_id="42"), "event_id", "must be a UUID"),
    "nil event id": (
        exchange(event_id="00000000-0000-0000-0000-000000000000"),
        "event_id",
        "nil UUID",
    ),
    "braced event id": (exchange(event_id="{" + uuid7() + "}"), "event_id", "must be a UUID"),
    "programme in capitals": (exchange(programme="Nhs"), "programme_id", "must be 1 to 63"),
    "programme of 64": (exchange(programme="a" * 64), "programme_id", "must be 1 to 63"),
    "programme with a hyphen first": (exchange(programme="-a"), "programme_id", "must be 1 to 63"),
    "no fact": (pb.Event(event_id=uuid7()), "fact", "missing"),
    "no time": (exchange(on=""), "occur_time", "say when"),
    "nothing to report without a month": (nothing(""), "occur_time", "say when"),
    "nothing to report on a day": (nothing(precision=2), "occur_precision", "must be month"),
    "nothing to report from within a month": (nothing("2026-02-02"), "occur_time", "first instant"),
    "nothing to report in years": (nothing("2099-01-01"), "occur_time", "a day ahead"),
    "nothing to report of nobody": (
        nothing(of=" "),
        "nothing_to_report.organization_id",
        "1 to 128",
    ),
    "statement of nobody": (facts.confirmation(party=""), "exchange_confirmed.party", "1 to 128"),
    "statement on no exchange": (facts.confirmation("x"), "exchange_confirmed.exchange_id", "UUID"),
    "statement on itself": (facts.confirmation(event_id=facts.OLD_ID), "event_id", "its own id"),
    "no giver": (exchange(()), f"{EXCHANGE}giver_ids", "say who gave"),
    "no receiver": (exchange("A", ()), f"{EXCHANGE}receiver_ids", "say who received"),
    "on both sides": (exchange("A", ["A", "B"]), f"{EXCHANGE}receiver_ids[0]", "choose a side"),
    "the same after normalization": (
        exchange("Zo\u00eb", " Zoe\u0308 "),
        f"{EXCHANGE}receiver_ids[0]",
        "choose a side",
    ),
    "one party": (facts.joint_exchange("A"), f"{EXCHANGE}party_ids", "two or more"),
    "the same party twice": (
        facts.joint_exchange("A", "A "),
        f"{EXCHANGE}party_ids",
        "two or more",
    ),
    "two forms at once": (content(party_ids=["C", "D"]), f"{EXCHANGE}party_ids", "use one form"),
    "symmetric with receiver minutes": (
        changed(facts.joint_exchange("A", "B"), lambda it: setattr(it, "receiver_minutes", 1)),
        f"{EXCHANGE}receiver_minutes",
        "leave it out",
    ),
    "empty id": (exchange(["A", ""]), f"{EXCHANGE}giver_ids[1]", "1 to 128"),
    "blank id": (exchange(["  "]), f"{EXCHANGE}giver_ids[0]", "1 to 128"),
    "control character": (exchange("A\x07B"), f"{EXCHANGE}giver_ids[0]", "control character"),
    "NUL": (exchange("A\x00B"), f"{EXCHANGE}giver_ids[0]", "control character"),
    "C1 control character": (exchange("A\x9fB"), f"{EXCHANGE}giver_ids[0]", "control character"),
    "line break in an id": (exchange("A\nB"), f"{EXCHANGE}giver_ids[0]", "control character"),
    "id of 129": (exchange("A" * 129), f"{EXCHANGE}giver_ids[0]", "at most 128"),
    "id of 10,000": (exchange("A" * 10_000), f"{EXCHANGE}giver_ids[0]", "at most 128"),
    "1,001 receivers": (
        exchange("A", [f"r{n}" for n in range(1_001)]),
        f"{EXCHANGE}receiver_ids",
        "at most 1,000",
    ),
    "10,100 legs": (
        exchange([f"g{n}" for n in range(101)], [f"r{n}" for n in range(100)]),
        f"{EXCHANGE}receiver_ids",
        "record parts",
    ),
    "no kind": (exchange(kind=0), f"{EXCHANGE}kind", "say what form"),
    "unknown kind": (exchange(kind=99), f"{EXCHANGE}kind", "unknown value 99"),
    "negative kind": (exchange(kind=-1), f"{EXCHANGE}kind", "unknown value -1"),
    "unknown formality": (content(formality=9), f"{EXCHANGE}formality", "unknown value 9"),
    "unknown side": (content(reported_by=9), f"{EXCHANGE}reported_by", "unknown value 9"),
    "unknown precision": (exchange(precision=9), "occur_precision", "unknown value 9"),
    "unknown visibility": (with_(exchange(), visibility=9), "visibility", "unknown value 9"),
    "topic in capitals": (content(topics=["E-Health"]), f"{EXCHANGE}topics[0]", "lower-kebab"),
    "101 topics": (content(topics=[f"t{n}" for n in range(101)]), f"{EXCHANGE}topics", "most 100"),
    "participants of nobody": (
        content(participants=[pb.ParticipantGroup(role_group="x")]),
        f"{EXCHANGE}participants[0].participant_count",
        "1 or more",
    ),
    "note of 4,001": (
        changed(exchange(), lambda it: setattr(it.note, "plain", "x" * 4_001)),
        f"{EXCHANGE}note",
        "at most 4,000",
    ),
    "note with a bell": (
        changed(exchange(), lambda it: setattr(it.note, "plain", "a\x07b")),
        f"{EXCHANGE}note",
        "control character",
    ),
    "month not from its first day": (
        exchange(on="2026-03-02T00:00:00Z", precision=MONTH),
        "occur_time",
        "first instant",
    ),
    "month at noon": (exchange(on="2026-03-01T12:00:00Z", precision=MONTH), "occur_time", "first"),
    "quarter in May": (
        exchange(on="2026-05-01T00:00:00Z", precision=QUARTER),
        "occur_time",
        "first",
    ),
    "day at noon": (exchange(precision=DAY), "occur_time", "first instant (UTC) of its day"),
    "in two days": (exchange(on=facts.seconds_from_now(172_800)), "occur_time", "day ahead"),
    "in a day and an hour": (  # tests start long after this table was made
        exchange(on=facts.seconds_from_now(90_000)),
        "occur_time",
        "day ahead",
    ),
    "year 9999": (exchange(on="9999-12-31T23:59:59Z"), "occur_time", "day ahead"),
    "the last month there is": (
        exchange(on="9999-12-01T00:00:00Z", precision=MONTH),
        "occur_time",
        "day ahead",
    ),
    "the last quarter there is": (
        exchange(on="9999-10-01T00:00:00Z", precision=QUARTER),
        "occur_time",
        "day ahead",
    ),
    "year 1": (exchange(on="0001-01-01T00:00:00Z"), "occur_time", "check the year"),
    "year 1898": (exchange(on="1898-12-31T00:00:00Z"), "occur_time", "check the year"),
    "negative nanoseconds": (nanoseconds(-1), "occur_time", "years 1 and 9999"),
    "fewest nanoseconds": (nanoseconds(-(2**31)), "occur_time", "years 1 and 9999"),
    "most nanoseconds": (nanoseconds(2**31 - 1), "occur_time", "years 1 and 9999"),
    "reported before it occurred": (
        reported(facts.NOON, "2026-02-28T23:59:59Z"),
        "report_time",
        "before the period",
    ),
    "reported before its month": (
        reported("2026-03-01T00:00:00Z", "2026-02-27T23:59:59Z", MONTH),
        "report_time",
        "before the period",
    ),
    "reported in the future": (
        reported(facts.NOON, facts.seconds_from_now(90_000)),
        "report_time",
        "more than a day ahead",
    ),
    "recorded_by": (with_(exchange(), recorded_by="A"), "recorded_by", "set by the server"),
    "assurance": (with_(exchange(), assurance=1), "assurance", "leave it out"),
    "name of 201": (facts.registration("X", name="n" * 201), f"{ORGANIZATION}name", "at most 200"),
    "name with a tab": (facts.registration("X", name="a\tb"), f"{ORGANIZATION}name", "control"),
    "no organization id": (facts.registration(""), f"{ORGANIZATION}organization_id", "1 to 128"),
    "its own alias": (facts.registration("X", aliases=["X"]), f"{ORGANIZATION}aliases", "own id"),
    "30 February": (
        organization(open_date=types.Date(year=2026, month=2, day=30)),
        f"{ORGANIZATION}open_date",
        "is no date",
    ),
    "closed before opened": (
        organization(
            open_date=types.Date(year=2026, month=2, day=2),
            close_date=types.Date(year=2026, month=2, day=1),
        ),
        f"{ORGANIZATION}close_date",
        "before open_date",
    ),
    "alias of itself": (facts.alias("X", "X "), "alias_added.alias", "own id"),
    "retracts itself": (
        with_(facts.retraction(pb.Event(event_id="a" * 8)), event_id=uuid7()),
        "exchange_retracted.exchange_id",
        "must be a UUID",
    ),
    "negative generation": (
        with_(exchange(), source=types.Source(generation=-1)),
        "source.generation",
        "negative",
    ),
}


@pytest.mark.parametrize(("event", "field", "remedy"), BAD.values(), ids=BAD)
def test_invalid_fact_is_refused_by_field_with_remedy(
    client: Client, event: pb.Event, field: str, remedy: str
) -> None:
    sent = pb.Event()
    sent.CopyFrom(event)
    error = refusal(client, exchange(programme=sent.programme_id), sent)
    assert (error.code, error.reason) == INVALID
    descriptions = {each.field: each.description for each in error.field_violations}
    assert remedy in descriptions.pop(f"events[1].{field}"), error.field_violations
    assert set(descriptions) <= {f"events[0].{field}"}
    assert "none of the 2 facts was recorded" in error.message


def test_violation_names_index_in_request_order(client: Client) -> None:
    """Sets are sorted for storage; the caller knows only the order it sent."""
    error = refusal(client, exchange(["Z", "A\x07"]))
    assert error.field_violations[0].field == f"events[0].{EXCHANGE}giver_ids[1]"


MINUTES = [
    # kind, givers, field, minutes, allowed
    (types.EXCHANGE_KIND_CALL, 1, "giver_minutes", 0, True),
    (types.EXCHANGE_KIND_CALL, 1, "giver_minutes", -1, False),
    (types.EXCHANGE_KIND_CALL, 1, "giver_minutes", 20_160, True),
    (types.EXCHANGE_KIND_CALL, 1, "giver_minutes", 20_161, False),
    (types.EXCHANGE_KIND_CALL, 2, "giver_minutes", 40_320, True),
    (types.EXCHANGE_KIND_CALL, 2, "giver_minutes", 40_321, False),
    (types.EXCHANGE_KIND_SECONDMENT, 1, "giver_minutes", 525_600, True),
    (types.EXCHANGE_KIND_CONSULTANCY, 1, "giver_minutes", 525_601, False),
    (types.EXCHANGE_KIND_CALL, 2, "receiver_minutes", 20_160, True),
    (types.EXCHANGE_KIND_CALL, 2, "receiver_minutes", 20_161, False),
    (types.EXCHANGE_KIND_CONSULTANCY, 1, "receiver_minutes", 525_600, True),
    (types.EXCHANGE_KIND_CALL, 1, "benefit_minutes", 5_256_000, True),
    (types.EXCHANGE_KIND_CALL, 1, "benefit_minutes", 5_256_001, False),
    (types.EXCHANGE_KIND_CALL, 1, "benefit_minutes", 2**31 - 1, False),
    (types.EXCHANGE_KIND_CALL, 1, "receiver_minutes", -(2**31), False),
]


@pytest.mark.parametrize(("kind", "givers", "field", "minutes", "allowed"), MINUTES)
def test_minutes_beyond_limit_are_refused(
    client: Client, kind: int, givers: int, field: str, minutes: int, *, allowed: bool
) -> None:
    event = exchange([f"g{n}" for n in range(givers)], kind=kind)
    setattr(event.exchange_recorded.exchange, field, minutes)
    if allowed:
        client.record([event])
    else:
        error = refusal(client, event)
        assert error.field_violations[0].field == f"events[0].{EXCHANGE}{field}"


@pytest.mark.parametrize(("seconds", "allowed"), [(-1, True), (0, True), (1, False)])
def test_occur_time_limit_is_exactly_one_day_ahead(seconds: int, *, allowed: bool) -> None:
    now = 1_770_000_000
    event = exchange(programme="default")
    event.occur_time.seconds = now + 86_400 + seconds
    request = RecordEventsRequest(events=[event])
    if allowed:
        assert to_records(request, scope=OPEN_SCOPE, now=now * 1_000_000)[0] == "default"
    else:
        with pytest.raises(InvalidFactError, match="more than a day ahead"):
            to_records(request, scope=OPEN_SCOPE, now=now * 1_000_000)


GOOD = {
    "tomorrow": exchange(on=facts.seconds_from_now(86_000)),
    "1900": exchange(on="1900-01-02T00:00:00Z"),
    "a month": exchange(on="2026-03-01T00:00:00Z", precision=MONTH),
    "a quarter": exchange(on="2026-04-01T00:00:00Z", precision=QUARTER),
    "reported tomorrow": reported(facts.NOON, facts.seconds_from_now(86_000)),
    "reported the civil day before": reported("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z", DAY),
    "reported within its month": reported("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", MONTH),
    "id of 128": exchange("\u00e9" * 128),
    "id of 128 once composed": exchange("e\u0301" * 128),
    "emoji, spaces and quotes": exchange('O\'Brien \U0001f3e5 % "x"; --'),
    "2,500 legs": exchange([f"g{n}" for n in range(50)], [f"r{n}" for n in range(50)]),
    "1,000 parties": facts.joint_exchange(*(f"p{n}" for n in range(1_000))),
    "a note of many lines": changed(
        exchange(), lambda it: setattr(it.note, "plain", "a\r\n\tb" + "x" * 3_990)
    ),
    "an event id in capitals": exchange(event_id=uuid7().upper()),
}


@pytest.mark.parametrize("event", GOOD.values(), ids=GOOD)
def test_fact_at_limits_is_recorded_and_projected(client: Client, event: pb.Event) -> None:
    sent = pb.Event()
    sent.CopyFrom(event)
    status = client.get_status(min_position=client.record([sent]))
    assert (status.exchange_count, status.quarantine_count) == (1, 0)


REFUSED = {
    "nothing": ([], *INVALID, "send 1 to 1,000 events"),
    "1,001 events": (
        [exchange() for _ in range(1_001)],
        INVALID[0],
        "REQUEST_TOO_LARGE",
        "at most 1,000",
    ),
    "over 1 MiB": (
        [changed(exchange(), lambda it: setattr(it.note, "sealed", b"x" * (1 << 20)))],
        INVALID[0],
        "REQUEST_TOO_LARGE",
        "at most 1,048,576",
    ),
    "mixed programmes": (
        [exchange(programme="a"), exchange(programme="b")],
        INVALID[0],
        "MIXED_PROGRAMMES",
        "one request for each",
    ),
}


@pytest.mark.parametrize(("events", "code", "reason", "remedy"), REFUSED.values(), ids=REFUSED)
def test_request_invalid_as_a_whole_is_refused(
    client: Client, events: list[pb.Event], code: grpc.StatusCode, reason: str, remedy: str
) -> None:
    error = refusal(client, *events)
    assert (error.code, error.reason) == (code, reason)
    assert remedy in "; ".join([error.message, *(it.description for it in error.field_violations)])


@pytest.mark.parametrize("mebibytes", [4, 5, 60])
def test_message_over_grpc_default_is_refused_with_our_reason(
    client: Client, mebibytes: int
) -> None:
    huge = changed(exchange(), lambda it: setattr(it.note, "sealed", b"x" * (mebibytes << 20)))
    error = refusal(client, huge)
    assert (error.code, error.reason) == (INVALID[0], "REQUEST_TOO_LARGE")
    assert "at most 1,048,576" in error.message


def test_message_over_64_mib_is_refused_by_grpc(client: Client) -> None:
    """The error of gRPC has no reason, so a client does not repeat the request."""
    huge = changed(exchange(), lambda it: setattr(it.note, "sealed", b"x" * (65 << 20)))
    error = refusal(client, huge)
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "")


def test_1000_events_are_recorded(client: Client) -> None:
    position = client.record([exchange() for _ in range(1_000)])
    assert client.get_status(min_position=position).exchange_count == 1_000


UNREADABLE = {"no protobuf": b"\xff\xff\xff", "a lone surrogate": b"\x0a\x05\x0a\x03\xed\xa0\x80"}


@pytest.mark.parametrize("message", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("IngestService/RecordEvents", "INVALID_FACT"),
        ("QueryService/GetStatus", "QUESTION_IMPOSSIBLE"),
    ],
)
def test_unreadable_request_is_refused(
    client: Client, channel: grpc.Channel, method: str, reason: str, message: bytes
) -> None:
    before = client.get_status().log_position
    call: Any = channel.unary_unary(f"/mutua.v1.{method}")
    with pytest.raises(grpc.RpcError) as raised:
        call(message)
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"{method} is not the protobuf it takes" in error.details()
    assert parse_error_details(error).info.reason == reason
    assert client.get_status().log_position == before


LONG = {
    "1,000 bad facts": [exchange("A" * 129, "B" * 129) for _ in range(1_000)],
    "a long id on both sides": [exchange("A" * 50_000, "A" * 50_000)],
    "long programmes": [exchange(programme="a" * 20_000), exchange(programme="b" * 20_000)],
    "letters of four bytes": [
        exchange("\U0001f3e5" * 128, ["\U0001f3e5" * 128, "B"]) for _ in range(60)
    ],
}


@pytest.mark.parametrize("events", LONG.values(), ids=LONG)
def test_error_fits_default_trailer_limit(channel: grpc.Channel, events: list[pb.Event]) -> None:
    """A client with default options turns trailers over 8 KiB into RESOURCE_EXHAUSTED."""
    for event in events:
        event.programme_id = event.programme_id or "default"
    with pytest.raises(grpc.RpcError) as raised:
        IngestServiceStub(channel).RecordEvents(RecordEventsRequest(events=events))
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error.details()
    assert rpc_status.from_call(error) is not None
    size = sum(len(key) + len(value) + 32 for key, value in error.trailing_metadata())
    assert size + 3 * len(error.details().encode()) < 8 * 1024


def test_large_request_does_not_block_event_loop(client: Client) -> None:
    """The event loop continues while half a MiB of empty ids is validated."""
    event = facts.registration("X")
    for _ in range(200_000):
        event.organization_registered.organization.external_ids.add()
    waits = list[float]()

    def record() -> None:
        with pytest.raises(MutuaError):
            client.record([event])

    recording = Thread(target=record)
    client.get_status()
    recording.start()
    while recording.is_alive():
        start = time.monotonic()
        client.get_status()
        waits.append(time.monotonic() - start)
    recording.join()
    # A blocked loop answers one call for almost the whole time, however fast the machine is.
    assert max(waits) < 0.7 * sum(waits)


def test_repeated_fact_counts_once(client: Client) -> None:
    event = exchange(["A ", "D"], ["C", "B"])
    client.record([event, event])
    tidy = exchange(["D", "A"], ["B", "C", "B"], event_id=event.event_id.upper())
    status = client.get_status(min_position=client.record([tidy]))
    assert (status.fact_count, status.exchange_count, status.quarantine_count) == (1, 1, 0)


def test_reused_event_id_is_quarantined_and_first_fact_applies(client: Client) -> None:
    event = exchange()
    other = exchange("X", "Y", event_id=event.event_id)
    position = client.record([event, other])
    status = client.get_status(min_position=position)
    assert (status.exchange_count, status.quarantine_count) == (1, 1)
    assert list(status.warnings) == ["FACTS_QUARANTINED"]
    assert [each.organization_id for each in client.list_balances()] == ["A", "B"]


def test_event_id_may_repeat_in_another_programme(client: Client) -> None:
    event = exchange()
    client.record([event])
    other = exchange("X", "Y", event_id=event.event_id, programme=f"{client.programme[:40]}-2")
    client.record([other])
    assert client.get_status(min_position=client.record([exchange()])).quarantine_count == 0


def test_correction_waits_for_its_exchange(client: Client) -> None:
    event = exchange()
    correction = facts.correction(event, event.event_id)
    status = client.get_status(min_position=client.record([correction]))
    assert (status.waiting_count, status.exchange_count) == (1, 0)
    assert list(status.warnings) == ["FACTS_WAITING"]
    status = client.get_status(min_position=client.record([event]))
    assert (status.waiting_count, status.exchange_count) == (0, 1)
    assert [each.organization_id for each in client.list_balances()] == ["A", "C"]


def test_stale_correction_is_quarantined(client: Client) -> None:
    event = exchange()
    first = facts.correction(event, event.event_id, receiver="C")
    stale = facts.correction(event, event.event_id, receiver="D")
    status = client.get_status(min_position=client.record([event, first, stale]))
    assert (status.exchange_count, status.quarantine_count) == (1, 1)
    assert [each.organization_id for each in client.list_balances()] == ["A", "C"]


@pytest.mark.parametrize("together", [True, False])
def test_waiting_updates_apply_once_after_registration(client: Client, *, together: bool) -> None:
    updates = [facts.organization_update("X", f"name {number}") for number in range(12)]
    register = facts.registration("X")
    if together:
        position = client.record([*updates, register])
    else:
        client.get_status(min_position=client.record(updates))
        position = client.record([register])
    status = client.get_status(min_position=position)
    assert (status.waiting_count, status.fact_count) == (0, 13)
    assert [each.name for each in client.list_organizations()] == ["name 11"]


CALLERS = {
    "plain": (("mutua-organization", " A "), "A"),
    "other letters": (("mutua-organization-bin", "Zoë".encode()), "Zoë"),
    "decomposed letters": (("mutua-organization-bin", "Zoe\u0308".encode()), "Zo\u00eb"),
}


@pytest.mark.parametrize(("metadata", "recorded_by"), CALLERS.values(), ids=CALLERS)
def test_recorded_by_is_the_calling_organization(
    client: Client, channel: grpc.Channel, metadata: tuple[str, str | bytes], recorded_by: str
) -> None:
    event = exchange(programme=client.programme)
    answer = IngestServiceStub(channel).RecordEvents(
        RecordEventsRequest(events=[event]), metadata=(metadata,)
    )
    (listed_exchange,) = client.list_exchanges(min_position=answer.position)
    assert [each.recorded_by for each in listed_exchange.revisions] == [recorded_by]


BAD_CALLERS = {
    "too long": ("mutua-organization", "x" * 129),
    "control character": ("mutua-organization-bin", b"a\x07b"),
    "no UTF-8": ("mutua-organization-bin", b"\xff\xfe"),
}


@pytest.mark.parametrize("metadata", BAD_CALLERS.values(), ids=BAD_CALLERS)
def test_invalid_caller_is_refused(
    client: Client, channel: grpc.Channel, metadata: tuple[str, str | bytes]
) -> None:
    event = exchange(programme=client.programme)
    with pytest.raises(grpc.RpcError) as raised:
        IngestServiceStub(channel).RecordEvents(
            RecordEventsRequest(events=[event]), metadata=(metadata,)
        )
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert client.get_status().fact_count == 0


def test_facts_of_concurrent_callers_are_all_recorded(client: Client) -> None:
    def record(thread: int) -> None:
        for number in range(10):
            client.record([exchange(f"g{thread}", f"r{number}"), exchange("A", f"r{number}")])

    threads = [Thread(target=record, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = client.get_status(min_position=client.record([exchange()]))
    assert status.exchange_count == 16 * 10 * 2 + 1
    given = {each.organization_id: each.given for each in client.list_balances()}
    assert [given[f"g{thread}"] for thread in range(16)] == [10.0] * 16
