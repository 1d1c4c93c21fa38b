"""Changed logs and read models: each is reported with its remedy, or repaired."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from services.adapters.kafka.topic import find_partition
from services.app import topics
from services.app.bootstrap import serve_embedded
from services.app.cluster_rebuild import rebuild
from services.app.data_maintenance import replay
from services.settings import Settings, read_settings
from tests.bench.batch_recording import serialize_record
from tests.cluster.broker import Broker, pause
from tests.cluster.ingest_process import run_ingest
from tests.cluster.service_cluster import ServiceCluster
from tests.cluster.service_process import ServiceProcess
from tests.cluster.test_ingest_faults import RECOVERY_SECONDS, RecordingLoad, send
from tests.cluster.topics import PARTITIONS, count_event_ids, delete_topic, kafka_url
from tests.databases import copy_database, replace_database
from tests.services.facts import correction, exchange
from tests.waiting import wait_until

LONG_TIMEOUTS = {"MUTUA_SESSION_TIMEOUT_SECONDS": "60", "MUTUA_STUCK_SECONDS": "300"}
"""A frozen projector stays in the group and is not ended as stalled."""
FETCH_DRAIN_SECONDS = 20 * Settings.model_fields["fetch_wait_seconds"].default
"""Time after which the broker has answered every fetch of a frozen projector."""
REMEDY = "if the log is right"
"""The start of the remedy."""


@pytest.fixture
def site(tmp_path: Path, broker: str, topic: str, database: str) -> Iterator[ServiceCluster]:
    with closing(ServiceCluster(tmp_path, broker, topic, database)) as site:
        yield site


@pytest.fixture
def own_site(
    tmp_path: Path, private_broker: Broker, private_topic: str, database: str
) -> Iterator[ServiceCluster]:
    """A site on a broker of its own, which the test damages."""
    with closing(ServiceCluster(tmp_path, private_broker.address, private_topic, database)) as site:
        yield site


@contextmanager
def freeze(process: ServiceProcess) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    pause(FETCH_DRAIN_SECONDS)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def open_query_stub(process: ServiceProcess) -> Iterator[QueryServiceStub]:
    with grpc.insecure_channel(process.wait_for_address()) as channel:
        yield QueryServiceStub(channel)


def status(stub: QueryServiceStub, programme: str, min_position: str = "") -> Any:
    request = pb.GetStatusRequest(programme_id=programme, min_position=min_position)
    return stub.GetStatus(request, timeout=120)


def balances(stub: QueryServiceStub, programme: str) -> dict[str, tuple[float, float]]:
    request = pb.ListBalancesRequest(
        question=pb.Question(programme_id=programme, population=pb.POPULATION_SEEN)
    )
    balances = stub.ListBalances(request, timeout=120).balances
    return {row.organization_id: (row.given, row.received) for row in balances}


def in_programme(programme: str, event: Event) -> Event:
    event.programme_id = programme
    return event


def assert_ended_with(process: ServiceProcess, *words: str) -> None:
    """Asserts that a process ended by itself and that its last line has these words."""
    wait_until(process.has_ended, f"it ends; it said {process.output[-2_000:]}")
    assert process.process.returncode == 1
    last = process.output.strip().splitlines()[-1]
    assert all(word in last for word in words), last


def cut(broker: Broker, topic: str) -> None:
    """Empties a topic, as a broker does that was restored from an early backup."""
    broker.kill()
    for partition in broker.data.glob(f"{topic}-*"):
        for file in partition.iterdir():
            if file.name != "partition.metadata":
                file.unlink()
    (broker.data / "recovery-point-offset-checkpoint").unlink(missing_ok=True)
    (broker.data / "replication-offset-checkpoint").unlink(missing_ok=True)
    broker.start()


def set_topic(broker: str, topic: str, name: str, value: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])


@pytest.fixture
def producer_timed_topic(broker: str, topic: str) -> Iterator[str]:
    """The name of a topic that stores the producers' times, as if the broker's clock said so."""
    name = f"{topic}-timed"
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    yield name
    delete_topic(broker, name)


START_MS = 1_790_000_000_000
BROKER_CLOCK_MS = (9_000, 3_600_000, 5_000, 1, 3_600_001)
"""What the broker's clock said: an hour ahead for a moment, and then what it was before."""
RAISED_MS = (9_000, 3_600_000, 3_600_000, 3_600_000, 3_600_001)


def record_times(stub: QueryServiceStub) -> list[int]:
    """In milliseconds, in the order of the log."""
    question = pb.Question(programme_id="p0")
    request = pb.ListExchangesRequest(question=question, order_by="record_time")
    exchanges = stub.ListExchanges(request, timeout=120).exchanges
    return [exchange.revisions[0].record_time.ToMilliseconds() for exchange in exchanges]


class TestLog:
    def test_deleted_unprojected_records_end_the_projector(self, site: ServiceCluster) -> None:
        """As by a retention setting."""
        site.record(40)
        projector = site.start_projector(**LONG_TIMEOUTS)
        site.wait_until_projected()
        before = site.read_positions()
        with freeze(projector):
            site.record(400)
            with closing(KafkaAdminClient(bootstrap_servers=list(site.address.servers))) as admin:
                admin.delete_records(
                    {
                        TopicPartition(site.address.topic, number): position + 10
                        for number, position in enumerate(before)
                    }
                )
        assert_ended_with(projector, "does not hold the next record to project", "replay a backup")
        assert_ended_with(
            site.start_projector(), "does not hold its first records any more", "replay a backup"
        )
        assert site.read_positions() == before

    def test_truncated_log_that_grew_again_ends_the_projector(
        self, own_site: ServiceCluster, private_broker: Broker
    ) -> None:
        """Read models that are ahead of Kafka, and then of another Kafka.

        The projector is frozen meanwhile, so that it notices nothing and reads on where it was.
        """
        site = own_site
        site.record(80)
        projector, query = site.start_projector(**LONG_TIMEOUTS), site.start_query()
        site.wait_until_projected()
        with open_query_stub(query) as stub:
            assert not status(stub, "p0").held
            with freeze(projector):
                cut(private_broker, site.address.topic)
                wait_until(lambda: site.read_ends() == [0] * PARTITIONS, "it is cut")
                wait_until(lambda: len(status(stub, "p0").held) == 1, "status tells")
                assert "the log ends at 0, before the 20 facts" in status(stub, "p0").held[0].reason
                site.record(160)
                wait_until(lambda: not status(stub, "p0").held, "it grew past that")
        assert_ended_with(
            projector, "partition", "does not hold the fact that was projected last", REMEDY
        )
        assert_ended_with(
            site.start_projector(), "does not hold the fact that was projected last", REMEDY
        )

        def start_projector(_: list[str]) -> None:
            site.start_projector()

        log_url = kafka_url(site.address.servers[0], site.address.topic)
        rebuild(
            read_settings(log_url=log_url, store_url=site.database),
            on_progress=lambda *_: None,
            on_switch_over=start_projector,
        )
        site.wait_until_projected()
        site.assert_consistent()

    def test_ingest_is_unready_while_max_message_bytes_is_too_small(
        self, broker: str, topic: str
    ) -> None:
        with run_ingest(kafka_url(broker, topic)) as running:
            running.wait_until_serving()
            load = RecordingLoad(running.address)
            load.wait_for_progress()
            set_topic(broker, topic, "max.message.bytes", "100")
            wait_until(lambda: not running.is_serving(), "health tells")
            running.wait_for_stderr("max.message.bytes is 100; set it to 1048576 or more")
            assert send(running, deadline_seconds=5) == "LOG_DOWN"
            assert not load.has_failed()
            set_topic(broker, topic, "max.message.bytes", "2097152")
            running.wait_until_serving(within_seconds=RECOVERY_SECONDS)
            load.wait_for_progress()
            acknowledged = load.stop()
        on_log = count_event_ids(broker, topic)
        assert set(acknowledged) <= set(on_log)
        assert set(on_log.values()) == {1}

    def test_record_times_are_monotonic_when_the_clock_steps_back(
        self, tmp_path: Path, broker: str, producer_timed_topic: str, database: str
    ) -> None:
        """Slabs of any size have equal record times, and so has the log after a move."""
        with (
            closing(ServiceCluster(tmp_path, broker, producer_timed_topic, database)) as site,
            closing(KafkaProducer(bootstrap_servers=broker)) as producer,
        ):
            partition = find_partition("p0", PARTITIONS)

            def put(at: int) -> None:
                producer.send(
                    producer_timed_topic,
                    value=serialize_record(exchange(programme="p0")),
                    key=b"p0",
                    partition=partition,
                    timestamp_ms=START_MS + at,
                )
                producer.flush()

            projector = site.start_projector()
            for at in BROKER_CLOCK_MS[:3]:
                put(at)
                site.wait_until_projected()
            assert projector.stop() == 0
            for at in BROKER_CLOCK_MS[3:]:
                put(at)
            site.start_projector()
            site.assert_complete()
            with open_query_stub(site.start_query()) as stub:
                assert record_times(stub) == [START_MS + at for at in RAISED_MS]
        file, data = tmp_path / "log.jsonl", tmp_path / "data"
        settings = read_settings(log_url=kafka_url(broker, producer_timed_topic))
        topics.export(file, settings, programme_id="", force=False, progress=lambda *_: None)
        assert replay(file, data, now=time.time_ns() // 1_000, progress=lambda *_: None).ok
        with (
            serve_embedded(data, purpose="a test", write=False) as running,
            grpc.insecure_channel(running.address) as channel,
        ):
            assert record_times(QueryServiceStub(channel)) == [START_MS + at for at in RAISED_MS]


class TestReadModels:
    def test_projected_again_after_going_back(
        self, site: ServiceCluster, database: str, postgres: str
    ) -> None:
        """An older backup in their place, or a standby that was behind: its files are a copy.

        Facts are projected one by one at first and together later, which numbers the parties of a
        correction and of new exchanges differently.
        """
        first = exchange("X", "Y", programme="p0")
        one_by_one = [
            exchange("V", "W", programme="p0"),
            first,
            in_programme("p0", correction(first, first.event_id, receiver="P")),
            exchange("R", "S", programme="p0"),
        ]
        site.record(40)
        projector, query = site.start_projector(), site.start_query()
        site.wait_until_projected()
        backup = copy_database(postgres, database)
        for event in one_by_one:
            site.append([event])
            site.wait_until_projected()
        wait_until(query.is_serving, "the database is back")
        with open_query_stub(query) as stub:
            expected, end = balances(stub, "p0"), status(stub, "p0").position
            replace_database(postgres, database, backup)
            assert_ended_with(
                projector, "they went back, to a backup or to a standby that was behind"
            )
            wait_until(query.is_serving, "the older database is queried")
            waiting = stub.GetStatus.future(
                pb.GetStatusRequest(programme_id="p0", min_position=end), timeout=60
            )
            site.start_projector()
            assert waiting.result().exchange_count == 5 + 3
            site.assert_complete()
            assert balances(stub, "p0") == expected
            site.append([exchange("R", "P", programme="p0"), exchange("N", "X", programme="p0")])
            site.assert_complete()
            with open_query_stub(site.start_query()) as fresh:
                assert balances(stub, "p0") == balances(fresh, "p0")
        assert not query.has_ended()
