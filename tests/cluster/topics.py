"""Topics for tests: creates and deletes them, and reads their records and committed offsets."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Final
from uuid import uuid4

from kafka import KafkaAdminClient

from mutua.v1.event_pb2 import Event
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin
from services.adapters.kafka.topic import KafkaTopic
from services.ledger.records import Record

PARTITIONS: Final = 4
_PAGE_RECORDS: Final = 5_000


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


def kafka_url(broker: str, topic: str) -> str:
    return f"kafka://{broker}/{topic}"


def read_ends(address: KafkaAddress) -> list[int]:
    """Returns the next offset of every partition of a topic."""
    with closing(KafkaTopic(address)) as log:
        return [log.get_partition(number).end() for number in range(log.partition_count)]


def read_partitions(address: KafkaAddress) -> list[list[Record]]:
    """Returns all records of a topic, by partition."""
    partitions = []
    with closing(KafkaTopic(address)) as log:
        for number in range(log.partition_count):
            partition, records = log.get_partition(number), list[Record]()
            while page := partition.read(len(records), _PAGE_RECORDS):
                records += page
            partitions.append(records)
    return partitions


def count_event_ids(broker: str, topic: str) -> Counter[str]:
    partitions = read_partitions(KafkaAddress(servers=(broker,), topic=topic))
    return Counter(
        Event.FromString(record.value).event_id for records in partitions for record in records
    )


def read_committed_offsets(address: KafkaAddress, group: str) -> list[int]:
    """Returns the offsets that a consumer group committed, by partition; -1 for none."""
    with closing(KafkaAdminClient(bootstrap_servers=list(address.servers))) as admin:
        (commits,) = admin.list_group_offsets(group).values()
    offsets = {place.partition: commit.offset for place, commit in commits.items()}
    return [offsets.get(number, -1) for number in range(PARTITIONS)]
