"""A programme over its limit waits and continues by itself, and others do not notice."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest, RecordStreamRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from tests.cluster.ingest_process import run_ingest
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import count_event_ids, kafka_url
from tests.error_details import parse_error_details
from tests.services.facts import exchange

BATCH = 1_000


def batch(programme: str) -> list[Event]:
    return [exchange(programme=programme) for _ in range(BATCH)]


def by_events(running: ServiceProcess, programme: str, count: int) -> None:
    record = IngestServiceStub(running.channel).RecordEvents
    for _ in range(count):
        record(RecordEventsRequest(events=batch(programme)))


def by_stream(running: ServiceProcess, programme: str, count: int) -> None:
    groups = (RecordStreamRequest(events=batch(programme)) for _ in range(count))
    answers = IngestServiceStub(running.channel).RecordStream(groups)
    assert len(list(answers)) == count


class TestRateLimit:
    @pytest.mark.parametrize("record", [by_events, by_stream])
    def test_rate_beyond_limit_is_refused_with_retry_delay(
        self, broker: str, topic: str, record: Callable[[ServiceProcess, str, int], None]
    ) -> None:
        with run_ingest(kafka_url(broker, topic), MUTUA_FACTS_PER_SECOND="100") as running:
            running.wait_until_serving()
            with pytest.raises(grpc.RpcError) as refused:
                record(running, "fast", 2)
            error: Any = refused.value
            details = parse_error_details(error)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert details.info.reason == "OVERLOADED"
            assert details.retry_info.retry_delay.ToTimedelta().total_seconds() > 0
            assert "programme fast records more than 100 facts a second" in error.details()
            record(running, "another", 1)
        assert sum(count_event_ids(broker, topic).values()) == 2 * BATCH

    @pytest.mark.parametrize("way", ["record_in_batches", "record_stream"])
    def test_import_beyond_limit_resumes_without_delaying_others(
        self, broker: str, topic: str, way: str
    ) -> None:
        events = [exchange() for _ in range(5 * BATCH)]
        others: list[Event] = []

        def imported(address: str) -> float:
            with Client(address, programme="fast") as client:
                start = time.monotonic()
                recorded: Iterator[Any] = getattr(client, way)(events)
                assert sum(each.count for each in recorded) == len(events)
                return time.monotonic() - start

        with (
            run_ingest(kafka_url(broker, topic), MUTUA_FACTS_PER_SECOND=str(BATCH)) as running,
            ThreadPoolExecutor(1) as pool,
        ):
            running.wait_until_serving()
            importing = pool.submit(imported, running.address)
            record = IngestServiceStub(running.channel).RecordEvents  # which sends a request once
            while not importing.done():
                others.append(exchange(programme=f"other-{len(others) % 20}"))
                record(RecordEventsRequest(events=others[-1:]))
            # A second's worth is there at the start, and the last batch may overdraw.
            assert importing.result() >= len(events) / BATCH - 2
        assert count_event_ids(broker, topic) == {each.event_id: 1 for each in events + others}
