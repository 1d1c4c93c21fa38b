"""Services of the cluster as processes, and topics filled with records."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kafka import KafkaProducer

from services.adapters.kafka.topic import find_partition
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import PARTITIONS, kafka_url


@contextmanager
def run_service(name: str, broker: str, topic: str, database: str = "") -> Iterator[str]:
    """Runs `python -m services.NAME` for the block and yields its address once it is ready."""
    with TemporaryDirectory() as folder:
        service = ServiceProcess(
            name,
            Path(folder),
            kafka_url(broker, topic),
            database,
            MUTUA_FACTS_PER_SECOND="1000000",
        )
        try:
            yield service.wait_for_address()
        finally:
            service.stop()


def fill_topic(broker: str, topic: str, records: Iterable[tuple[str, bytes]]) -> None:
    """Appends records of programmes to a topic, in order."""
    producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=20, batch_size=262_144)
    for programme, value in records:
        partition = find_partition(programme, PARTITIONS)
        producer.send(topic, value, programme.encode(), partition=partition)
    producer.close()
