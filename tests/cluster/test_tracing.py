"""Trace contexts travel with facts through Kafka to the projector."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from kafka import KafkaConsumer, TopicPartition

from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordEventsRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import find_partition
from services.app.cluster_verification import verify
from tests.backing_services import temporary_shared_folder
from tests.cluster.measured_cluster import MeasuredProcess
from tests.cluster.topics import PARTITIONS, kafka_url
from tests.environments import install_lowest_versions
from tests.services.facts import exchange
from tests.waiting import wait_until

PROGRAMME = "traced"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RECORDED = """
import sys
from runpy import run_module
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
printed = ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\\n")
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(printed))
trace.set_tracer_provider(provider)
run_module(sys.argv[1], run_name="__main__")
"""
"""Runs a module with OpenTelemetry's SDK, which prints spans."""


class TracedCluster:
    """Processes of a cluster, on one topic and one database."""

    def __init__(self, broker: str, topic: str, database: str) -> None:
        self.broker, self.topic, self.database = broker, topic, database
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(temporary_shared_folder())

    def start(self, name: str, *program: str | Path, **settings: str) -> MeasuredProcess:
        urls = kafka_url(self.broker, self.topic), self.database
        process = MeasuredProcess(name, self._folder, *urls, program=program, **settings)
        self._stack.enter_context(closing(process))
        process.wait_until_ready()
        return process

    def headers(self) -> list[list[tuple[str, bytes]]]:
        """The headers of every record of the programme, in order."""
        place = TopicPartition(self.topic, find_partition(PROGRAMME, PARTITIONS))
        with closing(
            KafkaConsumer(bootstrap_servers=self.broker, auto_offset_reset="earliest")
        ) as consumer:
            consumer.assign([place])
            end, records = consumer.end_offsets([place])[place], list[Any]()
            while len(records) < end:
                records += consumer.poll(1_000).get(place, [])
        return [list(each.headers) for each in records]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def running(broker: str, topic: str, database: str) -> Iterator[TracedCluster]:
    with closing(TracedCluster(broker, topic, database)) as cluster:
        yield cluster


def record(
    ingest: MeasuredProcess, events: list[Event], *, traced: bool, baggage: str | None = None
) -> None:
    for event in events:
        event.programme_id = PROGRAMME
    metadata = [("traceparent", f"00-{TRACE}-{CALLER}-01")] if traced else []
    metadata += [("baggage", baggage)] if baggage else []
    with grpc.insecure_channel(ingest.address) as channel:
        IngestServiceStub(channel).RecordEvents(
            RecordEventsRequest(events=events), metadata=tuple(metadata), timeout=30
        )


def objects(process: MeasuredProcess) -> list[dict[str, Any]]:
    """The JSON objects in the output of a process: log lines and spans."""
    return [json.loads(line) for line in re.findall(r"\{.*\}", process.output)]


def spans(process: MeasuredProcess, name: str) -> list[dict[str, Any]]:
    return [each for each in objects(process) if each.get("name") == name]


# The newest versions that agree on one version of the SDK.
INSTRUMENTATION = (
    "opentelemetry-distro==0.66b1",
    "opentelemetry-instrumentation-grpc==0.66b1",
    "opentelemetry-instrumentation-kafka-python==0.66b1",
    "opentelemetry-sdk==1.45.1",
)
NOT_EXPORTED = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


class TestTraceContext:
    def test_on_records_of_its_caller_only(
        self,
        running: TracedCluster,
    ) -> None:
        ingest = running.start("ingest")
        record(ingest, [exchange(), exchange()], traced=True)
        record(ingest, [exchange()], traced=False)
        mine = [("traceparent", f"00-{TRACE}-{CALLER}-01".encode())]
        assert running.headers() == [mine, mine, []]
        ids = [each["request_id"] for each in objects(ingest) if "request_id" in each]
        assert [each == TRACE for each in ids] == [True, False]

    def test_spans_of_ingest_and_projector_belong_to_the_trace(
        self,
        running: TracedCluster,
    ) -> None:
        ingest = running.start("ingest", "-c", RECORDED, "services.ingest")
        projector = running.start("projector", "-c", RECORDED, "services.projector")
        record(ingest, [exchange(), exchange()], traced=True)
        wait_until(lambda: bool(spans(projector, "project")), "they are projected")
        [call] = spans(ingest, "RecordEvents")
        assert call["context"]["trace_id"] == f"0x{TRACE}"
        assert call["parent_id"] == f"0x{CALLER}"
        [slab] = spans(projector, "project")
        [link] = slab["links"]
        assert link["context"]["trace_id"] == f"0x{TRACE}"
        assert link["context"]["span_id"] == call["context"]["span_id"]
        address = KafkaAddress(servers=(running.broker,), topic=running.topic)
        report = verify(address, running.database)
        assert (report.differences, report.fact_count) == ([], 2)

    def test_instrumentation_adds_nothing_to_records(self, running: TracedCluster) -> None:
        """Runs the real packages as README describes."""
        with install_lowest_versions(*INSTRUMENTATION) as programs:
            ingest = running.start(
                *("ingest", programs / "opentelemetry-instrument", programs / "python"),
                *("-m", "services.ingest"),
                **NOT_EXPORTED,
            )
            record(ingest, [exchange(), exchange()], traced=True, baggage="user=jane,ward=7")
            record(ingest, [exchange(), exchange()], traced=False, baggage="user=jane,ward=7")
            headers = running.headers()
        assert [[name for name, _ in each] for each in headers] == [["traceparent"]] * 4
        traces = [value.decode().split("-")[1] for [(_, value)] in headers]
        assert traces[:2] == [TRACE, TRACE]
        assert traces[2] == traces[3] != TRACE, "ingest began a trace where the caller had none"
