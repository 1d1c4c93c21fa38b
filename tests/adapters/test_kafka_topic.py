"""Addresses of topics, their partitions, and the settings a log needs."""

from dataclasses import replace

import pytest

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import TopicDescription, TopicIdentity
from services.adapters.kafka.topic import find_partition
from services.ledger.errors import InvalidArgumentError

VALID_TOPIC = TopicDescription(
    name="mutua",
    identity=TopicIdentity("0" * 32, 64),
    leader_count=64,
    replica_count=3,
    settings={
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": "1048588",
        "min.insync.replicas": "2",
    },
)


class TestFindProblems:
    def test_accepts_a_valid_topic(self) -> None:
        assert (
            VALID_TOPIC.find_problems(partition_count=None)
            == VALID_TOPIC.find_problems(partition_count=64)
            == []
        )

    @pytest.mark.parametrize(
        ("setting", "value", "remedy"),
        [
            ("cleanup.policy", "compact", "set it to delete"),
            ("message.timestamp.type", "CreateTime", "set it to LogAppendTime"),
            ("retention.ms", "604800000", "retention.ms is 604800000; set it to -1"),
            ("retention.bytes", "1", "set it to -1"),
            ("max.message.bytes", "1000000", "set it to 1048576 or more"),
            ("min.insync.replicas", "1", "is 1 of 3 replicas; set it to 2"),
            ("min.insync.replicas", "4", "is 4 of 3 replicas; set it to 2"),
        ],
    )
    def test_names_an_unsafe_setting_and_its_remedy(
        self, setting: str, value: str, remedy: str
    ) -> None:
        topic = replace(VALID_TOPIC, settings={**VALID_TOPIC.settings, setting: value})
        [problem] = topic.find_problems(partition_count=None)
        assert problem.message.startswith(setting)
        assert problem.message.endswith(remedy)

    def test_requires_no_more_in_sync_replicas_than_exist(self) -> None:
        single = replace(VALID_TOPIC, replica_count=1)
        [problem] = single.find_problems(partition_count=None)
        assert problem.message.endswith("is 2 of 1 replica; set it to 1")
        fit = replace(single, settings={**VALID_TOPIC.settings, "min.insync.replicas": "1"})
        assert fit.find_problems(partition_count=None) == []


@pytest.mark.parametrize(
    ("programme", "of_four", "of_sixty_four"),
    [("default", 3, 43), ("a", 0, 60), ("hospitals", 0, 36), ("Über", 0, 40)],
)
def test_find_partition_agrees_with_clients_of_kafka(
    programme: str, of_four: int, of_sixty_four: int
) -> None:
    """The expected partitions are those of Kafka's client for Java."""
    assert (find_partition(programme, 4), find_partition(programme, 64)) == (of_four, of_sixty_four)


def test_address_parses_brokers_and_topic() -> None:
    address = KafkaAddress.parse("kafka://a:9092,b.example:9093/mutua.log-1")
    assert (address.servers, address.topic) == (("a:9092", "b.example:9093"), "mutua.log-1")
    assert str(address) == "kafka://a:9092,b.example:9093/mutua.log-1"
    secret = KafkaAddress.parse(str(address), {"sasl_plain_password": "secret"})
    assert "secret" not in repr(secret)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mutua",
        "kafka://a/mutua",
        "kafka://a:9092",
        "kafka://a:9092/",
        "kafka://u:p@a:9092/m",
        "kafka://a:9092/m/n",
        "kafka://a:9092,/m",
        "http://a:9092/m",
    ],
)
def test_address_rejects_other_urls(url: str) -> None:
    with pytest.raises(InvalidArgumentError, match="write kafka://HOST:PORT"):
        KafkaAddress.parse(url)
