"""Logs and read models that are not what they were: each is said with its remedy, or heals."""

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
from services.adapters.kafka_topic import partition_of
from services.bootstrap import embedded, replay
from services.cluster import topics
from services.settings import Settings, read_settings
from tests.bench.embedded import as_recorded
from tests.cluster.brokers import Broker, pause
from tests.cluster.ingest import event_ids, ingest, until_said, url
from tests.cluster.processes import Process
from tests.cluster.sites import Site
from tests.cluster.test_ingest_faults import RECOVERY_SECONDS, Load, send
from tests.cluster.test_query import SERVING
from tests.cluster.test_query import status as health
from tests.cluster.topics import PARTITIONS, delete_topic
from tests.databases import copied, replaced
from tests.faults.processes import eventually
from tests.services.facts import correction, exchange

PATIENT = {"MUTUA_SESSION_TIMEOUT_SECONDS": "60", "MUTUA_STUCK_SECONDS": "300"}
"""Who is frozen stays in the group, and does not end for having stood still."""
ANSWERED_SECONDS = 20 * Settings.model_fields["fetch_wait_seconds"].default
"""So long after it was frozen the broker has answered all that it asked; it asks no more."""
NEXT = "if the log is right"
"""What follows says what to do with the read models."""


@pytest.fixture
def site(tmp_path: Path, broker: str, topic: str, database: str) -> Iterator[Site]:
    with closing(Site(tmp_path, broker, topic, database)) as site:
        yield site


@pytest.fixture
def own_site(tmp_path: Path, own_broker: Broker, own_topic: str, database: str) -> Iterator[Site]:
    """On a broker that may be harmed."""
    with closing(Site(tmp_path, own_broker.address, own_topic, database)) as site:
        yield site


@contextmanager
def frozen(process: Process) -> Iterator[None]:
    process.signal(signal.SIGSTOP)
    pause(ANSWERED_SECONDS)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


@contextmanager
def asking(process: Process) -> Iterator[QueryServiceStub]:
    with grpc.insecure_channel(process.address()) as channel:
        yield QueryServiceStub(channel)


def status(stub: QueryServiceStub, programme: str, wanted: str = "") -> Any:
    asked = pb.GetStatusRequest(programme_id=programme, min_position=wanted)
    return stub.GetStatus(asked, timeout=120)


def balances(stub: QueryServiceStub, programme: str) -> dict[str, tuple[float, float]]:
    asked = pb.ListBalancesRequest(
        question=pb.Question(programme_id=programme, population=pb.POPULATION_SEEN)
    )
    found = stub.ListBalances(asked, timeout=120).balances
    return {each.organization_id: (each.given, each.received) for each in found}


def in_programme(programme: str, event: Event) -> Event:
    event.programme_id = programme
    return event


def ended_saying(process: Process, *words: str) -> None:
    """It ended by itself, and its last line has these words."""
    eventually(process.has_ended, f"it ends; it said {process.said[-2_000:]}")
    assert process.process.returncode == 1
    last = process.said.strip().splitlines()[-1]
    assert all(word in last for word in words), last


def test_records_deleted_before_they_were_projected_are_not_skipped(site: Site) -> None:
    """As by a retention that somebody set."""
    site.record(40)
    projector = site.projector(**PATIENT)
    site.wait_until_level()
    before = site.positions()
    with frozen(projector):
        site.record(400)
        with closing(KafkaAdminClient(bootstrap_servers=list(site.address.servers))) as admin:
            admin.delete_records(
                {
                    TopicPartition(site.address.topic, number): position + 10
                    for number, position in enumerate(before)
                }
            )
    ended_saying(projector, "does not have what is to be projected next", "replay a backup")
    ended_saying(site.projector(), "does not hold its first records any more", "replay a backup")
    assert site.positions() == before


def cut(broker: Broker, topic: str) -> None:
    """A broker that was restored from before anything was recorded; the topic is the same."""
    broker.kill()
    for partition in broker.data.glob(f"{topic}-*"):
        for file in partition.iterdir():
            if file.name != "partition.metadata":
                file.unlink()
    (broker.data / "recovery-point-offset-checkpoint").unlink(missing_ok=True)
    (broker.data / "replication-offset-checkpoint").unlink(missing_ok=True)
    broker.start()


def test_a_log_that_was_cut_and_grew_again_is_not_gone_on_with(
    own_site: Site, own_broker: Broker
) -> None:
    """Read models that are ahead of Kafka, and then of another Kafka. The projector stands still
    meanwhile, so that nothing tells it, and reads on where it was."""
    site = own_site
    site.record(80)
    projector, query = site.projector(**PATIENT), site.query()
    site.wait_until_level()
    with asking(query) as stub:
        assert not status(stub, "p0").held
        with frozen(projector):
            cut(own_broker, site.address.topic)
            eventually(lambda: site.ends() == [0] * PARTITIONS, "it is cut")
            eventually(lambda: len(status(stub, "p0").held) == 1, "status tells")
            assert "the log ends at 0, before the 20 facts" in status(stub, "p0").held[0].reason
            site.record(160)
            eventually(lambda: not status(stub, "p0").held, "it grew past that")
    ended_saying(projector, "partition", "does not hold the fact that was projected last", NEXT)
    ended_saying(site.projector(), "does not hold the fact that was projected last", NEXT)


def test_read_models_that_went_back_are_made_level_again(
    site: Site, database: str, postgres: str
) -> None:
    """An older backup in their place, or a standby that was behind: its files are a copy.

    Facts are projected one by one at first, and then all at once, which numbers parties otherwise:
    those of a correction and those of new exchanges are apart then.
    """
    first = exchange("X", "Y", programme="p0")
    one_by_one = [
        exchange("V", "W", programme="p0"),
        first,
        in_programme("p0", correction(first, first.event_id, receiver="P")),
        exchange("R", "S", programme="p0"),
    ]
    site.record(40)
    projector, query = site.projector(), site.query()
    site.wait_until_level()
    backup = copied(postgres, database)
    for event in one_by_one:
        site.put([event])
        site.wait_until_level()
    eventually(lambda: health(query.listen) == SERVING, "the database is back")
    with asking(query) as stub:
        expected, end = balances(stub, "p0"), status(stub, "p0").position
        replaced(postgres, database, backup)
        ended_saying(projector, "they went back, to a backup or to a standby that was behind")
        eventually(lambda: health(query.listen) == SERVING, "the older one is asked")
        waiting = stub.GetStatus.future(
            pb.GetStatusRequest(programme_id="p0", min_position=end), timeout=60
        )
        site.projector()
        assert waiting.result().exchange_count == 5 + 3
        site.assert_whole()
        assert balances(stub, "p0") == expected
        site.put([exchange("R", "P", programme="p0"), exchange("N", "X", programme="p0")])
        site.assert_whole()
        with asking(site.query()) as fresh:
            assert balances(stub, "p0") == balances(fresh, "p0")
    assert not query.has_ended()


def set_topic(broker: str, topic: str, name: str, value: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])


def test_a_topic_that_takes_less_is_named_until_it_takes_enough(broker: str, topic: str) -> None:
    with ingest(url(broker, topic)) as running:
        running.until_serving()
        load = Load(running.address)
        load.until_more()
        set_topic(broker, topic, "max.message.bytes", "100")
        eventually(lambda: not running.is_serving(), "health tells")
        until_said(running, "max.message.bytes is 100; set it to 1048576 or more")
        assert send(running, deadline_seconds=5) == "LOG_DOWN"
        assert not load.failed()
        set_topic(broker, topic, "max.message.bytes", "2097152")
        running.until_serving(within_seconds=RECOVERY_SECONDS)
        load.until_more()
        acknowledged = load.stop()
    on_log = event_ids(broker, topic)
    assert set(acknowledged) <= set(on_log)
    assert set(on_log.values()) == {1}


@pytest.fixture
def hand_timed(broker: str, topic: str) -> Iterator[str]:
    """The name of a topic whose times are those that producers say: a broker's clock at will."""
    name = f"{topic}-timed"
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    yield name
    delete_topic(broker, name)


START_MS = 1_790_000_000_000
TOLD_MS = (9_000, 3_600_000, 5_000, 1, 3_600_001)
"""What the broker's clock said: an hour ahead for a moment, and then what it was before."""
RAISED_MS = (9_000, 3_600_000, 3_600_000, 3_600_000, 3_600_001)


def test_a_clock_that_steps_back_is_not_followed(
    tmp_path: Path, broker: str, hand_timed: str, database: str
) -> None:
    """Whether facts are projected each by itself or all at once, and wherever they are moved."""
    with (
        closing(Site(tmp_path, broker, hand_timed, database)) as site,
        closing(KafkaProducer(bootstrap_servers=broker)) as producer,
    ):
        partition = partition_of("p0", PARTITIONS)

        def put(at: int) -> None:
            producer.send(
                hand_timed,
                value=as_recorded(exchange(programme="p0")),
                key=b"p0",
                partition=partition,
                timestamp_ms=START_MS + at,
            )
            producer.flush()

        projector = site.projector()
        for at in TOLD_MS[:3]:
            put(at)
            site.wait_until_level()
        assert projector.stop() == 0
        for at in TOLD_MS[3:]:
            put(at)
        site.projector()
        site.assert_whole()
        with asking(site.query()) as stub:
            assert record_times(stub) == [START_MS + at for at in RAISED_MS]
    file, data = tmp_path / "log.jsonl", tmp_path / "data"
    settings = read_settings(log_url=url(broker, hand_timed))
    topics.export(file, settings, programme_id="", force=False, progress=lambda *_: None)
    assert replay(file, data, now=time.time_ns() // 1_000, progress=lambda *_: None).ok
    with (
        embedded(data, purpose="a test", write=False) as running,
        grpc.insecure_channel(running.address) as channel,
    ):
        assert record_times(QueryServiceStub(channel)) == [START_MS + at for at in RAISED_MS]


def record_times(stub: QueryServiceStub) -> list[int]:
    """In milliseconds, in the order of the log."""
    question = pb.Question(programme_id="p0")
    asked = pb.ListExchangesRequest(question=question, order_by="record_time")
    found = stub.ListExchanges(asked, timeout=120).exchanges
    return [each.revisions[0].record_time.ToMilliseconds() for each in found]
