"""The log as a topic of Kafka: the contract of the port."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from uuid import uuid4

import pytest

from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_log import KafkaLog
from services.adapters.kafka_topic import KafkaTopic
from services.ledger.ports import Record
from services.ledger.position import Position
from tests.adapters.log_contract import LogContract, Opened
from tests.cluster.topics import create_topic, delete_topic
from tests.faults.processes import eventually


class OnePartition:
    """A topic of one partition, as those see it who record and as those who read."""

    number = 0

    def __init__(self, address: KafkaAddress) -> None:
        self._log = KafkaLog(address, queue_bytes=64 << 20, facts_per_second=10**9)
        self._topic = KafkaTopic(address)
        self._partition = self._topic.partition(0)
        self._is_open = True
        self.log_id = self._topic.log_id
        eventually(lambda: not self._log.unready, "the log is open")

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        return self._log.append(programme_id, values)

    def read(self, next_offset: int, limit: int) -> list[Record]:
        return self._partition.read(next_offset, limit)

    def end(self) -> int:
        return self._partition.end()

    def close(self) -> None:
        self._log.close()
        if self._is_open:
            self._topic.close()
            self._is_open = False


class TestKafkaLog(LogContract):
    @pytest.fixture
    def open_log(self, broker: str) -> Iterator[Opened]:
        name = f"test-{uuid4().hex}"
        address = KafkaAddress(servers=(broker,), topic=name)
        create_topic(broker, name, partition_count=1)
        with ExitStack() as opened:
            yield lambda: opened.enter_context(closing(OnePartition(address)))
        delete_topic(broker, name)
