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


class TestRecord:
    def test_fills_in_ids_and_programme(self, client: Client, server: ScriptedServer) -> None:
        event, complete = exchange(), Event(event_id="mine", programme_id="other")

        assert client.record([event, complete]) == "p1"

        assert UUID(event.event_id).version == 7
        assert event.programme_id == "gde"
        assert (complete.event_id, complete.programme_id) == ("mine", "other")
        assert list(server.requests[0].events) == [event, complete]

    def test_error_has_every_violation(self, client: Client, server: ScriptedServer) -> None:
        violations = [
            (f"events[{n}].exchange_recorded.exchange.kind", "choose") for n in range(1_000)
        ]
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
    def test_organization_is_sent_as_metadata(
        self,
        make_client: Any,
        server: ScriptedServer,
        organization: str,
        key: str,
        value: str | bytes | None,
    ) -> None:
        with make_client(server.address, organization=organization) as client:
            client.record([exchange()])

        assert server.metadata[0].get(key) == value
        own_keys = {key for key in server.metadata[0] if key.startswith("mutua-")}
        assert own_keys == ({key} if value else set())

    def test_writes_and_reads_may_use_different_servers(
        self, make_client: Any, server: ScriptedServer
    ) -> None:
        other = ScriptedServer()
        with serve(other), make_client(f"{server.address}, {other.address}") as client:
            client.record([exchange()])
            client.record([exchange()])
            assert (len(server.requests), len(other.requests)) == (2, 0)


class TestRetry:
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
    def test_repeats_the_identical_request(
        self, client: Client, server: ScriptedServer, clock: FakeClock, failure: ScriptedFailure
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
    def test_does_not_repeat_permanent_failures(
        self, client: Client, server: ScriptedServer, failure: ScriptedFailure
    ) -> None:
        server.answers = [failure]

        with pytest.raises(MutuaError) as raised:
            client.record([exchange()])

        assert raised.value.code is failure.code
        assert raised.value.reason == (failure.reason if failure.domain == "mutua" else "")
        assert len(server.requests) == 1

    def test_waits_for_the_delay_of_the_server(
        self, client: Client, server: ScriptedServer, clock: FakeClock
    ) -> None:
        server.answers = [
            ScriptedFailure(
                code=StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_delay_seconds=1.5
            )
        ]

        client.record([exchange()])

        assert 1.5 <= clock.delays_seconds[0] <= 1.6

    def test_ends_at_the_deadline(
        self, client: Client, server: ScriptedServer, clock: FakeClock
    ) -> None:
        server.answers = [OVERLOADED] * 1_000

        with pytest.raises(MutuaError) as raised:
            client.record([exchange()])

        assert raised.value.reason == "OVERLOADED"
        assert 20.0 < sum(clock.delays_seconds) < 30.0

    def test_attempts_get_the_remaining_time(
        self, client: Client, server: ScriptedServer, clock: FakeClock
    ) -> None:
        server.answers = [
            ScriptedFailure(
                code=StatusCode.UNAVAILABLE, reason="LOG_DOWN", retry_delay_seconds=25.0
            )
        ]

        client.record([exchange()])

        assert server.timeouts_seconds == [
            pytest.approx(10.0, abs=1.0),
            pytest.approx(5.0, abs=1.0),
        ]

    def test_unknown_outcome_outlives_later_refusals(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [OUTCOME_UNKNOWN] + [OVERLOADED] * 1_000

        with pytest.raises(MutuaError) as raised:
            client.record([exchange()])

        assert raised.value.reason == "OUTCOME_UNKNOWN"

    def test_attempts_share_a_request_id(self, client: Client, server: ScriptedServer) -> None:
        server.answers = [
            OVERLOADED,
            ScriptedFailure(code=StatusCode.INVALID_ARGUMENT, reason="INVALID_FACT"),
        ]

        with pytest.raises(MutuaError) as raised:
            client.record([exchange()])
        client.record([exchange()])

        first, second, other = (each["x-request-id"] for each in server.metadata)
        assert first == second == raised.value.request_id
        assert other != first


class TestRecordInBatches:
    def test_batches_have_up_to_1000_events(
        self, blocking_client: Client, server: ScriptedServer
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
            (
                [1, 1_100, 1],
                [1, 1, 1],
            ),  # above the limit: a batch of its own, which the server refuses
        ],
    )
    def test_batches_are_smaller_than_a_mebibyte(
        self,
        blocking_client: Client,
        server: ScriptedServer,
        note_kib: list[int],
        counts: list[int],
    ) -> None:
        events = [exchange(note_bytes=kib * 1024) for kib in note_kib]

        assert [each.count for each in blocking_client.record_in_batches(events)] == counts
        assert [event for request in server.requests for event in request.events] == events

    def test_yielded_batches_are_durable_despite_later_failure(
        self, blocking_client: Client, server: ScriptedServer
    ) -> None:
        recorded = blocking_client.record_in_batches(exchange() for _ in range(3_000))

        assert next(recorded).count == 1_000
        server.answers = [ScriptedFailure(code=StatusCode.INVALID_ARGUMENT, reason="INVALID_FACT")]
        with pytest.raises(MutuaError):
            next(recorded)
