from typing import Any
from uuid import UUID

import pytest
from grpc import StatusCode

from mutua import Client, FieldViolation, MutuaError, Recorded
from mutua.v1.event_pb2 import Event, ExchangeContent, ExchangeRecorded
from mutua.v1.types_pb2 import Text
from tests.client.scripted_server import FakeClock, ScriptedFailure, ScriptedServer, serve

OVERLOADED = ScriptedFailure(code=StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED")
LOG_DOWN = ScriptedFailure(code=StatusCode.UNAVAILABLE, reason="LOG_DOWN")
OUTCOME_UNKNOWN = ScriptedFailure(code=StatusCode.UNAVAILABLE, reason="OUTCOME_UNKNOWN")


def exchange(*, note_bytes: int = 0) -> Event:
    content = ExchangeContent(
        giver_ids=["A"], receiver_ids=["B"], note=Text(plain="x" * note_bytes)
    )
    return Event(exchange_recorded=ExchangeRecorded(exchange=content))


def test_ids_and_programme_are_filled_in_on_the_events_themselves(
    client: Client, server: ScriptedServer
) -> None:
    event, known = exchange(), Event(event_id="mine", programme_id="other")

    assert client.record([event, known]) == "p1"

    assert UUID(event.event_id).version == 7
    assert event.programme_id == "gde"
    assert (known.event_id, known.programme_id) == ("mine", "other")
    assert list(server.requests[0].events) == [event, known]


@pytest.mark.parametrize(
    "failure",
    [
        OVERLOADED,
        LOG_DOWN,
        OUTCOME_UNKNOWN,
        ScriptedFailure(code=StatusCode.UNAVAILABLE),
        ScriptedFailure(code=StatusCode.DEADLINE_EXCEEDED),
        ScriptedFailure(code=StatusCode.CANCELLED),
    ],
    ids=lambda failure: f"{failure.code.name} {failure.reason}",
)
def test_the_identical_request_is_sent_again(
    client: Client, server: ScriptedServer, clock: FakeClock, failure: ScriptedFailure
) -> None:
    server.answers = [failure, failure]

    assert client.record([exchange()]) == "p3"

    first, second, third = server.requests
    assert first == second == third
    assert len(clock.delays_seconds) == 2


@pytest.mark.parametrize(
    "failure",
    [
        ScriptedFailure(code=StatusCode.INVALID_ARGUMENT, reason="INVALID_FACT"),
        ScriptedFailure(code=StatusCode.FAILED_PRECONDITION, reason="LOG_FULL"),
        ScriptedFailure(code=StatusCode.RESOURCE_EXHAUSTED),
        ScriptedFailure(
            code=StatusCode.RESOURCE_EXHAUSTED, reason="QUOTA", domain="googleapis.com"
        ),
    ],
    ids=lambda failure: f"{failure.code.name} {failure.reason}",
)
def test_what_would_fail_again_is_not_sent_again(
    client: Client, server: ScriptedServer, failure: ScriptedFailure
) -> None:
    server.answers = [failure]

    with pytest.raises(MutuaError) as raised:
        client.record([exchange()])

    assert raised.value.code is failure.code
    assert raised.value.reason == (failure.reason if failure.domain == "mutua" else "")
    assert len(server.requests) == 1


def test_the_server_is_given_the_time_it_asks_for(
    client: Client, server: ScriptedServer, clock: FakeClock
) -> None:
    server.answers = [
        ScriptedFailure(
            code=StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_delay_seconds=1.5
        )
    ]

    client.record([exchange()])

    assert 1.5 <= clock.delays_seconds[0] <= 1.6


def test_retries_end_with_the_deadline(
    client: Client, server: ScriptedServer, clock: FakeClock
) -> None:
    server.answers = [OVERLOADED] * 1_000

    with pytest.raises(MutuaError) as raised:
        client.record([exchange()])

    assert raised.value.reason == "OVERLOADED"
    assert 20.0 < sum(clock.delays_seconds) < 30.0


def test_no_attempt_is_allowed_more_than_is_left(
    client: Client, server: ScriptedServer, clock: FakeClock
) -> None:
    server.answers = [
        ScriptedFailure(code=StatusCode.UNAVAILABLE, reason="LOG_DOWN", retry_delay_seconds=25.0)
    ]

    client.record([exchange()])

    assert server.timeouts_seconds == [pytest.approx(10.0, abs=1.0), pytest.approx(5.0, abs=1.0)]


def test_doubt_about_a_write_outlives_later_attempts_that_appended_nothing(
    client: Client, server: ScriptedServer
) -> None:
    server.answers = [OUTCOME_UNKNOWN] + [OVERLOADED] * 1_000

    with pytest.raises(MutuaError) as raised:
        client.record([exchange()])

    assert raised.value.reason == "OUTCOME_UNKNOWN"


def test_every_violation_is_told_even_when_there_are_many(
    client: Client, server: ScriptedServer
) -> None:
    violations = [(f"events[{n}].exchange_recorded.exchange.kind", "choose") for n in range(1_000)]
    server.answers = [
        ScriptedFailure(
            code=StatusCode.INVALID_ARGUMENT, reason="INVALID_FACT", violations=violations
        )
    ]

    with pytest.raises(MutuaError, match="INVALID_FACT in words") as raised:
        client.record([exchange()])

    assert raised.value.message == "INVALID_FACT in words"
    assert raised.value.field_violations == tuple(FieldViolation(*each) for each in violations)


@pytest.mark.parametrize(
    ("organization", "key", "value"),
    [
        ("R1A", "mutua-organization", "R1A"),
        ("St Mary's", "mutua-organization", "St Mary's"),
        ("Ysbyty Môn", "mutua-organization-bin", "Ysbyty Môn".encode()),
        ("", "mutua-organization", None),
    ],
)
def test_the_organization_travels_as_metadata(
    make_client: Any, server: ScriptedServer, organization: str, key: str, value: str | bytes | None
) -> None:
    with make_client(server.address, organization=organization) as client:
        client.record([exchange()])

    assert server.metadata[0].get(key) == value
    ours = {key for key in server.metadata[0] if key.startswith("mutua-")}
    assert ours == ({key} if value else set())


def test_the_attempts_at_a_request_have_one_id_and_the_error_tells_it(
    client: Client, server: ScriptedServer
) -> None:
    server.answers = [
        OVERLOADED,
        ScriptedFailure(code=StatusCode.INVALID_ARGUMENT, reason="INVALID_FACT"),
    ]

    with pytest.raises(MutuaError) as raised:
        client.record([exchange()])
    client.record([exchange()])

    first, second, another = (each["x-request-id"] for each in server.metadata)
    assert first == second == raised.value.request_id
    assert another != first


def test_batches_are_cut_at_a_thousand_events(
    blocking_client: Client, server: ScriptedServer
) -> None:
    recorded = blocking_client.record_in_batches(exchange() for _ in range(2_001))

    assert next(recorded) == Recorded(count=1_000, position="p1")
    assert len(server.requests) == 1
    assert [(each.count, each.position) for each in recorded] == [(1_000, "p2"), (1, "p3")]


@pytest.mark.parametrize(
    ("note_kib", "counts"),
    [
        ([], []),
        ([300, 300, 299], [3]),
        ([300, 300, 300], [2, 1]),
        ([1, 1_100, 1], [1, 1, 1]),  # above the limit: alone, and the server refuses it
    ],
)
def test_batches_are_cut_below_a_mebibyte(
    blocking_client: Client, server: ScriptedServer, note_kib: list[int], counts: list[int]
) -> None:
    events = [exchange(note_bytes=kib * 1024) for kib in note_kib]

    assert [each.count for each in blocking_client.record_in_batches(events)] == counts
    assert [event for request in server.requests for event in request.events] == events


def test_what_was_yielded_before_a_failure_is_durable(
    blocking_client: Client, server: ScriptedServer
) -> None:
    recorded = blocking_client.record_in_batches(exchange() for _ in range(3_000))

    assert next(recorded).count == 1_000
    server.answers = [ScriptedFailure(code=StatusCode.INVALID_ARGUMENT, reason="INVALID_FACT")]
    with pytest.raises(MutuaError):
        next(recorded)


def test_writes_and_reads_may_have_servers_of_their_own(
    make_client: Any, server: ScriptedServer
) -> None:
    other = ScriptedServer()
    with serve(other), make_client(f"{server.address}, {other.address}") as client:
        client.record([exchange()])
        client.record([exchange()])
        assert (len(server.requests), len(other.requests)) == (2, 0)
