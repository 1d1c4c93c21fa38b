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
from tests.cluster.topics import PARTITIONS, create_topic, delete_topic, kafka_url
from tests.databases import execute_sql
from tests.faults.server_process import facts

PROGRAMME = "default"
HALF_AN_HOUR_MS = 1_800_000


def run_doctor(run: RunCommand, broker: str, topic: str, database: str) -> dict[str, list[Any]]:
    """The findings by check: state, message and remedy."""
    urls = ("--log-url", kafka_url(broker, topic), "--store-url", database)
    result = run("doctor", *urls, "--format", "json")
    findings: dict[str, list[Any]] = {}
    for each in result.answer["checks"]:
        findings.setdefault(each["check"], []).append(
            (each["state"], each["found"], each["remedy"])
        )
    assert result.answer["ok"] == (result.code == 0)
    return findings


def collect_states(findings: dict[str, list[Any]]) -> dict[str, set[str]]:
    return {name: {each[0] for each in check_findings} for name, check_findings in findings.items()}


@pytest.fixture
def projected_topic(broker: str, topic: str, database: str) -> str:
    """A topic whose facts are projected into the database."""
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


class TestDoctor:
    def test_reports_ok_for_a_healthy_cluster(
        self, run: RunCommand, broker: str, projected_topic: str, database: str
    ) -> None:
        findings = run_doctor(run, broker, projected_topic, database)
        check_states = collect_states(findings)
        assert check_states.pop("topic") == {"ok", "note"}  # one broker has one replica
        assert set.union(*check_states.values()) == {"ok"}, findings
        assert list(check_states) == ["settings", "versions", "read models", "clock", "disk"]
        [(_, disk, _)] = findings["disk"]
        assert "are free on the brokers" in disk

    def test_reports_missing_read_models(
        self, run: RunCommand, broker: str, topic: str, database: str
    ) -> None:
        findings = run_doctor(run, broker, topic, database)
        [(state, message, _)] = findings["read models"]
        assert state == "problem"
        assert "a projector makes them" in message + findings["read models"][0][2]
        assert collect_states(findings)["topic"] == {"ok", "note"}

    def test_reports_foreign_read_models_and_hold(
        self, run: RunCommand, broker: str, projected_topic: str, database: str
    ) -> None:
        with closing(PostgresStore(database)) as store:
            store.save_hold(Hold(3, 7, "projecting failed at offset 7", 3))
        other = f"{projected_topic}-other"
        create_topic(broker, other)
        foreign_finding, hold_finding, _ = run_doctor(run, broker, other, database)["read models"]
        delete_topic(broker, other)
        assert "were made from another log" in foreign_finding[1]
        assert hold_finding[1] == "partition 3 is held: projecting failed at offset 7"
        assert "mutua topic release 3" in hold_finding[2]

    def test_reports_truncated_topic(
        self, run: RunCommand, broker: str, projected_topic: str, database: str
    ) -> None:
        execute_sql(database, "UPDATE mutua_read_1.position SET next_offset = 9")
        [(state, message, remedy), _] = run_doctor(run, broker, projected_topic, database)[
            "read models"
        ]
        assert state == "problem"
        assert "the log ends at 5, before the 9 facts in the read models" in message
        assert "mutua rebuild" in remedy

    def test_reports_deleted_first_records(
        self, run: RunCommand, broker: str, projected_topic: str, database: str
    ) -> None:
        place = TopicPartition(projected_topic, find_partition(PROGRAMME, PARTITIONS))
        with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
            admin.delete_records({place: 2})
        *_, (state, message, remedy) = run_doctor(run, broker, projected_topic, database)["topic"]
        assert state == "problem"
        assert "does not hold its first records any more" in message
        assert "restore the topic" in remedy

    def test_reports_finite_retention_and_clock_skew(
        self, run: RunCommand, broker: str, projected_topic: str, database: str
    ) -> None:
        wrong = {"retention.ms": "60000", "message.timestamp.type": "CreateTime"}
        with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, projected_topic, configs=wrong)
            admin.alter_configs([resource])
        with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
            future = time.time_ns() // 1_000_000 + HALF_AN_HOUR_MS
            producer.send(
                projected_topic, b"from the future", partition=0, timestamp_ms=future
            ).get(20)
        findings = run_doctor(run, broker, projected_topic, database)
        assert ("problem", "retention.ms is 60000", "set it to -1") in findings["topic"]
        [(state, message, remedy)] = findings["clock"]
        assert state == "problem"
        assert "the last fact was recorded 1," in message
        assert "NTP" in remedy

    def test_reports_an_outage_once(
        self, run: RunCommand, broker: str, topic: str, database: str
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent_address = f"127.0.0.1:{silent.getsockname()[1]}"
            missing_database = f"{database.rpartition('/')[0]}/none"
            findings = run_doctor(run, silent_address, topic, missing_database)
        [(state, message, remedy)] = findings["topic"]
        assert (state, bool(remedy)) == ("problem", True)
        assert f"Kafka at {silent_address} does not answer" in message
        assert "PostgreSQL does not answer" in findings["read models"][0][1]
        for name in ("clock", "disk"):
            assert findings[name] == [("note", "not checked", "fix the problem above first")]
