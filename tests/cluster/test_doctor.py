"""Findings and remedies of `mutua doctor` for a cluster."""

import socket
import time
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic, find_partition
from services.adapters.postgres.store import PostgresStore
from services.ledger.records import Hold
from services.projector.slab import project_slab
from tests.bench.batch_recording import serialize_record
from tests.cli.conftest import RunCommand
from tests.cli.conftest import run as run  # a fixture
from tests.cluster.ingest_process import kafka_url
from tests.cluster.topics import PARTITIONS, create_topic, delete_topic
from tests.databases import execute_sql
from tests.faults.server_process import facts

PROGRAMME = "default"
HALF_AN_HOUR_MS = 1_800_000


def examined(run: RunCommand, broker: str, topic: str, database: str) -> dict[str, list[Any]]:
    """What was found, by check: its state, what was said, and the remedy."""
    urls = ("--log-url", kafka_url(broker, topic), "--store-url", database)
    result = run("doctor", *urls, "--format", "json")
    found: dict[str, list[Any]] = {}
    for each in result.answer["checks"]:
        found.setdefault(each["check"], []).append((each["state"], each["found"], each["remedy"]))
    assert result.answer["ok"] == (result.code == 0)
    return found


def states(found: dict[str, list[Any]]) -> dict[str, set[str]]:
    return {name: {each[0] for each in several} for name, several in found.items()}


@pytest.fixture
def projected(broker: str, topic: str, database: str) -> str:
    """The topic, with facts of which the read models in the database are made."""
    address = KafkaAddress(servers=(broker,), topic=topic)
    with closing(KafkaTopic(address)) as log, closing(PostgresStore(database)) as store:
        partition = log.find_partition(PROGRAMME)
        with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
            for event in facts(0, 5):
                event.programme_id = PROGRAMME
                value = serialize_record(event)
                producer.send(topic, value, PROGRAMME.encode(), partition=partition)
            producer.flush()
        records = log.get_partition(partition).read(0, 10)
        project_slab(store, log.log_id, records, partition=partition)
    return topic


def test_doctor_reports_ok_for_a_healthy_cluster(
    run: RunCommand, broker: str, projected: str, database: str
) -> None:
    found = examined(run, broker, projected, database)
    told = states(found)
    assert told.pop("topic") == {"ok", "note"}  # one broker has one replica
    assert set.union(*told.values()) == {"ok"}
    assert list(told) == ["settings", "versions", "read models", "clock", "disk"]
    [(_, disk, _)] = found["disk"]
    assert "are free on the brokers" in disk


def test_doctor_reports_missing_read_models(
    run: RunCommand, broker: str, topic: str, database: str
) -> None:
    found = examined(run, broker, topic, database)
    [(state, said, _)] = found["read models"]
    assert state == "problem"
    assert "a projector makes them" in said + found["read models"][0][2]
    assert states(found)["topic"] == {"ok", "note"}


def test_doctor_reports_foreign_read_models_and_hold(
    run: RunCommand, broker: str, projected: str, database: str
) -> None:
    with closing(PostgresStore(database)) as store:
        store.save_hold(Hold(3, 7, "projecting failed at offset 7", 3))
    other = f"{projected}-other"
    create_topic(broker, other)
    alien, held, _ = examined(run, broker, other, database)["read models"]
    delete_topic(broker, other)
    assert "were made from another log" in alien[1]
    assert held[1] == "partition 3 is held: projecting failed at offset 7"
    assert "mutua topic release 3" in held[2]


def test_doctor_reports_truncated_topic(
    run: RunCommand, broker: str, projected: str, database: str
) -> None:
    execute_sql(database, "UPDATE mutua_read_1.position SET next_offset = 9")
    [(state, said, remedy), _] = examined(run, broker, projected, database)["read models"]
    assert state == "problem"
    assert "the log ends at 5, before the 9 facts the read models have seen" in said
    assert "mutua rebuild" in remedy


def test_doctor_reports_deleted_first_records(
    run: RunCommand, broker: str, projected: str, database: str
) -> None:
    place = TopicPartition(projected, find_partition(PROGRAMME, PARTITIONS))
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.delete_records({place: 2})
    *_, (state, said, remedy) = examined(run, broker, projected, database)["topic"]
    assert state == "problem"
    assert "does not hold its first records any more" in said
    assert "restore the topic" in remedy


def test_doctor_reports_finite_retention_and_clock_skew(
    run: RunCommand, broker: str, projected: str, database: str
) -> None:
    wrong = {"retention.ms": "60000", "message.timestamp.type": "CreateTime"}
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, projected, configs=wrong)
        admin.alter_configs([resource])
    with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
        future = time.time_ns() // 1_000_000 + HALF_AN_HOUR_MS
        producer.send(projected, b"from the future", partition=0, timestamp_ms=future).get(20)
    found = examined(run, broker, projected, database)
    assert ("problem", "retention.ms is 60000", "set it to -1") in found["topic"]
    [(state, said, remedy)] = found["clock"]
    assert state == "problem"
    assert "the last fact was recorded 1," in said
    assert "NTP" in remedy


def test_doctor_reports_an_outage_once(
    run: RunCommand, broker: str, topic: str, database: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = f"127.0.0.1:{silent.getsockname()[1]}"
        without = f"{database.rpartition('/')[0]}/none"
        found = examined(run, nowhere, topic, without)
    [(state, said, remedy)] = found["topic"]
    assert (state, bool(remedy)) == ("problem", True)
    assert f"Kafka at {nowhere} does not answer" in said
    assert "PostgreSQL does not answer" in found["read models"][0][1]
    for name in ("clock", "disk"):
        assert found[name] == [("note", "not checked", "fix the problem above first")]
