"""record_stream sends groups ahead, yields them when durable, and resumes broken streams."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from itertools import islice
from threading import Event as Flag
from typing import Any

import pytest
from grpc import StatusCode

from mutua import AsyncClient, Client, MutuaError, Recorded
from mutua.recording import MAX_UNANSWERED_BYTES, MAX_UNANSWERED_GROUPS
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordStreamResponse
from tests.client.scripted_server import (
    END_STREAM,
    FakeClock,
    ScriptedFailure,
    ScriptedServer,
    serve,
)
from tests.client.test_record import LOG_DOWN, OUTCOME_UNKNOWN, OVERLOADED, exchange
from tests.waiting import PATIENCE_SECONDS

DURABLE = None


def make_events(count: int) -> Iterator[Event]:
    return (exchange() for _ in range(count))


def request_sizes(server: ScriptedServer) -> list[int]:
    return [len(request.events) for request in server.requests]


class DelayedServer(ScriptedServer):
    """Answers after `ahead` groups, and calls `on_full` before."""

    def __init__(self, ahead: int, on_full: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.ahead = ahead
        self.on_full = on_full
        self.is_cancelled = Flag()

    def RecordStream(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        context.add_callback(self.is_cancelled.set)
        self.requests += islice(request_iterator, self.ahead)
        self.on_full()
        for _ in range(self.ahead):
            yield RecordStreamResponse(position="p")
        for request in request_iterator:
            self.requests.append(request)
            yield RecordStreamResponse(position="p")


class TestGroups:
    def test_are_yielded_when_durable(self, client: Client, server: ScriptedServer) -> None:
        events = [exchange() for _ in range(2_001)]

        assert list(client.record_stream(iter(events))) == [
            Recorded(count=1_000, position="p1"),
            Recorded(count=1_000, position="p2"),
            Recorded(count=1, position="p3"),
        ]
        assert [event for request in server.requests for event in request.events] == events
        assert {event.programme_id for event in events} == {"gde"}
        assert len({event.event_id for event in events}) == 2_001
        assert server.stream_count == 1

    @pytest.mark.parametrize(
        ("note_kib", "counts"),
        [([], []), ([300, 300, 300], [2, 1]), ([1, 1_100, 1], [1, 1, 1])],
    )
    def test_have_the_size_of_batches(
        self, client: Client, server: ScriptedServer, note_kib: list[int], counts: list[int]
    ) -> None:
        events = [exchange(note_bytes=kib * 1024) for kib in note_kib]

        assert [each.count for each in client.record_stream(events)] == counts
        assert request_sizes(server) == counts

    @pytest.mark.parametrize(("kib", "ahead"), [(0, MAX_UNANSWERED_GROUPS), (850, 5)])
    def test_are_sent_ahead_within_bounds(self, make_client: Any, kib: int, ahead: int) -> None:
        """Without an answer `ahead` groups are sent, and events up to the next group consumed."""
        size = 1 if kib else 1_000
        consumed: list[int] = []

        def source() -> Iterator[Event]:
            for number in range(20 * size):
                consumed.append(number)
                yield exchange(note_bytes=kib * 1024)

        consumed_before_answer: list[int] = []
        server = DelayedServer(ahead, lambda: consumed_before_answer.append(len(consumed)))
        with serve(server), make_client(server.address) as client:
            assert sum(each.count for each in client.record_stream(source())) == 20 * size
        assert consumed_before_answer[0] <= (ahead + 1) * size + 1
        assert MAX_UNANSWERED_BYTES < 5 * 850 * 1024


class TestRetry:
    @pytest.mark.parametrize(
        "failure",
        [
            OVERLOADED,
            LOG_DOWN,
            OUTCOME_UNKNOWN,
            ScriptedFailure(code=StatusCode.UNAVAILABLE),
            ScriptedFailure(code=StatusCode.CANCELLED),
            END_STREAM,
        ],
        ids=lambda failure: getattr(failure, "reason", failure) or failure.code.name,
    )
    def test_resumes_from_the_first_unanswered_group(
        self, client: Client, server: ScriptedServer, clock: FakeClock, failure: Any
    ) -> None:
        server.answers = [DURABLE, failure, failure, DURABLE, failure]

        recorded = list(client.record_stream(exchange() for _ in range(2_500)))

        assert [each.count for each in recorded] == [1_000, 1_000, 500]
        assert request_sizes(server) == [1_000, 1_000, 1_000, 1_000, 500, 500]
        _, second, second_again, second_once_more, third, third_again = server.requests
        assert second == second_again == second_once_more
        assert third == third_again
        assert server.stream_count == 4
        assert len(clock.delays_seconds) == 3
        assert server.stream_finished.wait(PATIENCE_SECONDS)

    @pytest.mark.parametrize(
        "failure",
        [
            ScriptedFailure(
                code=StatusCode.INVALID_ARGUMENT, reason="INVALID_FACT", violations=[("f", "d")]
            ),
            ScriptedFailure(code=StatusCode.FAILED_PRECONDITION, reason="LOG_FULL"),
            ScriptedFailure(code=StatusCode.RESOURCE_EXHAUSTED),
        ],
        ids=lambda failure: f"{failure.code.name} {failure.reason}",
    )
    def test_yielded_groups_are_durable_despite_later_refusal(
        self, client: Client, server: ScriptedServer, failure: ScriptedFailure
    ) -> None:
        server.answers = [DURABLE, DURABLE, failure]
        yielded: list[str] = []

        with pytest.raises(MutuaError) as raised:
            yielded.extend(each.position for each in client.record_stream(make_events(9_000)))

        assert yielded == ["p1", "p2"]
        assert (raised.value.code, raised.value.reason) == (failure.code, failure.reason)
        assert len(raised.value.field_violations) == len(failure.violations)
        assert server.stream_count == 1

    def test_deadline_applies_to_every_answer(
        self, client: Client, server: ScriptedServer, clock: FakeClock
    ) -> None:
        slow = ScriptedFailure(
            code=StatusCode.UNAVAILABLE, reason="LOG_DOWN", retry_delay_seconds=20.0
        )
        server.answers = [slow, DURABLE] * 4

        assert len(list(client.record_stream(make_events(4_000)))) == 4
        assert sum(clock.delays_seconds) >= 80.0

    def test_calls_of_a_stream_share_a_request_id(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [DURABLE, OVERLOADED, ScriptedFailure(code=StatusCode.RESOURCE_EXHAUSTED)]

        with pytest.raises(MutuaError) as raised:
            list(client.record_stream(make_events(2_000)))

        assert [each["x-request-id"] for each in server.metadata] == [raised.value.request_id] * 2
        assert len(raised.value.request_id) == 32

    def test_ends_at_the_deadline(
        self, client: Client, server: ScriptedServer, clock: FakeClock
    ) -> None:
        server.answers = [OUTCOME_UNKNOWN] + [OVERLOADED] * 1_000

        with pytest.raises(MutuaError) as raised:
            list(client.record_stream(make_events(1)))

        assert raised.value.reason == "OUTCOME_UNKNOWN"
        assert 20.0 < sum(clock.delays_seconds) < 30.0

    def test_gives_up_soon_if_server_was_never_reached(
        self, make_client: Any, clock: FakeClock
    ) -> None:
        absent = ScriptedServer()
        with serve(absent):
            pass
        with (
            make_client(absent.address, clock=clock) as client,
            pytest.raises(MutuaError) as raised,
        ):
            list(client.record_stream(make_events(1)))
        assert raised.value.code is StatusCode.UNAVAILABLE
        assert "`mutua up`" in raised.value.message
        assert sum(clock.delays_seconds) < 2.0

    def test_server_without_answer_exceeds_the_deadline(self, make_client: Any) -> None:
        forever = Flag()
        server = DelayedServer(1, lambda: forever.wait(PATIENCE_SECONDS))
        with serve(server):
            with (
                make_client(server.address, deadline_seconds=0.3) as client,
                pytest.raises(MutuaError) as raised,
            ):
                list(client.record_stream(make_events(1)))
            forever.set()
        assert raised.value.code is StatusCode.DEADLINE_EXCEEDED
        assert "did not answer in time" in raised.value.message


class TestIteration:
    def test_records_nothing_before_it_starts(self, client: Client, server: ScriptedServer) -> None:
        client.record_stream(make_events(1))
        list(client.record_stream(make_events(1)))

        assert len(server.requests) == 1

    def test_close_cancels_the_call(self, make_client: Any) -> None:
        server = DelayedServer(1)
        with serve(server), make_client(server.address) as client:
            recorded = client.record_stream(make_events(100_000))
            assert next(recorded).count == 1_000
            recorded.close()
            assert server.is_cancelled.wait(PATIENCE_SECONDS)
        assert len(server.requests) < 100

    def test_error_of_the_events_is_raised(self, client: Client, server: ScriptedServer) -> None:
        def source() -> Iterator[Event]:
            yield from make_events(1_001)
            raise KeyError("a row")

        with pytest.raises(KeyError, match="a row"):
            list(client.record_stream(source()))

    def test_answers_do_not_wait_for_asynchronous_events(
        self,
        server: ScriptedServer,
    ) -> None:
        async def main() -> list[int]:
            answered = asyncio.Event()

            async def source() -> AsyncIterator[Event]:
                for event in make_events(1_001):
                    yield event
                await answered.wait()
                yield exchange()

            counts = []
            async with (
                AsyncClient(server.address) as client,
                aclosing(client.record_stream(source())) as recorded,
            ):
                async for each in recorded:
                    counts.append(each.count)
                    answered.set()
            return counts

        assert asyncio.run(main()) == [1_000, 2]
