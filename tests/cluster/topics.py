"""Creates and deletes topics for tests."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

from kafka import KafkaAdminClient

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin

PARTITIONS = 4


def temporary_topic(broker: str, partition_count: int = PARTITIONS) -> Iterator[str]:
    """Yields the name of a new topic, which is deleted afterwards."""
    name = f"test-{uuid4().hex}"
    create_topic(broker, name, partition_count)
    yield name
    delete_topic(broker, name)


def create_topic(broker: str, name: str, partition_count: int = PARTITIONS) -> None:
    with closing(KafkaAdmin(KafkaAddress(servers=(broker,), topic=name))) as admin:
        admin.create(partition_count=partition_count, replica_count=1)


def delete_topic(broker: str, name: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.delete_topics([name], raise_errors=False)
