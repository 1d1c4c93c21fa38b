"""Measures one ingest process on Kafka, one fact a call and in batches."""

import asyncio
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from kafka import KafkaProducer

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from tests.bench.batch_recording import BATCH, generate_facts
from tests.bench.bench_service import run_service
from tests.bench.figure import RUNS, Figure, measure_seconds
from tests.bench.unary_recording import CALLERS, CALLS, measure_call_rate, run_empty_server
from tests.cluster.topics import temporary_topic

FACTS = 50_000


def measure(broker: str, _: str) -> Iterator[Figure]:
    events = list(islice(generate_facts(), FACTS))
    yield _measure_unary(broker, events[:CALLS])
    for callers in (1, 4):
        yield _measure_batches(broker, events, callers)


def _measure_unary(broker: str, events: Sequence[Event]) -> Figure:
    requests = [RecordEventsRequest(events=[event]) for event in events]
    rates, limit_rates = [], []
    for _ in range(RUNS):
        with _run_ingest(broker) as address:
            rates.append(asyncio.run(measure_call_rate(address, requests)))
        with run_empty_server() as address:
            limit_rates.append(asyncio.run(measure_call_rate(address, requests)))
    return Figure(
        f"RecordEvents on Kafka, 1 event, {CALLERS} callers, durable",
        statistics.median(rates),
        "events/s",
        statistics.median(limit_rates),
        "the same server with an empty handler",
    )


def _measure_batches(broker: str, events: Sequence[Event], callers: int) -> Figure:
    caller_events = len(events) // callers

    def measure_rate() -> float:
        def record(start: int) -> None:
            list(client.record_in_batches(events[start : start + caller_events]))

        with (
            _run_ingest(broker) as address,
            Client(address) as client,
            ThreadPoolExecutor(callers) as pool,
        ):
            starts = range(0, len(events), caller_events)
            return len(events) / measure_seconds(lambda: list(pool.map(record, starts)))

    return Figure(
        f"RecordEvents on Kafka, batches of {BATCH:,}, callers: {callers}, durable",
        statistics.median(measure_rate() for _ in range(RUNS)),
        "events/s",
        statistics.median(_measure_producer_rate(broker, events) for _ in range(RUNS)),
        "kafka-python's producer sending the same payloads",
    )


def _measure_producer_rate(broker: str, events: Sequence[Event]) -> float:
    """Returns the records a second of a bare producer."""
    values = [event.SerializeToString() for event in events]
    topic = next(topics := temporary_topic(broker))
    producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=2, batch_size=262_144)
    producer.partitions_for(topic)

    def send() -> None:
        for value in values:
            producer.send(topic, value, b"default", partition=0)
        producer.flush()

    rate = len(values) / measure_seconds(send)
    producer.close()
    list(topics)
    return rate


@contextmanager
def _run_ingest(broker: str) -> Iterator[str]:
    """Runs ingest on a new topic and yields its address."""
    for topic in temporary_topic(broker):
        with run_service("ingest", broker, topic) as address:
            yield address
