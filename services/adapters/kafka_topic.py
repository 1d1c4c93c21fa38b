"""A topic of Kafka as a log that is read: its identity, its partitions and their records."""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError
from kafka.partitioner.default import murmur2

from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_admin import KafkaAdmin, in_words
from services.adapters.kafka_client import opened
from services.ledger.errors import DataForeign, LogDown
from services.ledger.ports import Record

_READ_BYTES: Final = 4 << 20
_WAIT_MS: Final = 10_000
"""A broker that brings nothing for so long is away."""
_FETCH_MS: Final = 10
"""What the broker waits for more: it is asked when something is there, and a client that looked
ahead would stand in the way of the next question."""


@lru_cache(maxsize=10_000)
def partition_of(programme_id: str, partition_count: int) -> int:
    """Where every client of Kafka puts a record with this key."""
    return _partition_of(programme_id.encode(), partition_count)


class KafkaTopic:
    """See `ports.ReadableLog`. It is the log that was found when it was opened, and no other."""

    def __init__(self, address: KafkaAddress) -> None:
        """Raises LogDown when the broker is away, TopicUnfit when the topic is not there."""
        self.address = address
        self._admin = KafkaAdmin(address)
        try:
            facts = self._admin.describe()
        except BaseException:
            self._admin.close()
            raise
        self.log_id = facts.log_id
        self.partition_count = facts.partition_count
        self._partitions: dict[int, KafkaPartition] = {}
        self._lock = threading.Lock()

    def partition_of(self, programme_id: str) -> int:
        return partition_of(programme_id, self.partition_count)

    def partition(self, number: int) -> "KafkaPartition":
        assert 0 <= number < self.partition_count, f"{self.address} has no partition {number}"
        with self._lock:
            if number not in self._partitions:
                self._partitions[number] = KafkaPartition(self, number)
            return self._partitions[number]

    def check_same(self) -> None:
        """Raises DataForeign when the topic of this name is not this log any more.

        Clients follow the name: they go on in a topic made anew without a word.
        """
        with self._lock:
            log_id = self._admin.log_id()
        if log_id != self.log_id:
            raise another_log(self.address)

    def close(self) -> None:
        for partition in self._partitions.values():
            partition.close()
        self._admin.close()


class KafkaPartition:
    """See `ports.Partition`. Any number of threads may ask; they take turns.

    Every call raises LogDown when the broker does not answer, and DataForeign when the topic was
    made anew or its beginning was deleted.
    """

    def __init__(self, topic: KafkaTopic, number: int) -> None:
        self.log_id = topic.log_id
        self.number = number
        self._topic = topic
        self._record = record_reader(number, topic.partition_count)
        self._place = TopicPartition(topic.address.topic, number)
        self._lock = threading.Lock()
        self._end = 0
        with in_words(topic.address):
            self._consumer = opened(
                KafkaConsumer,
                topic.address,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",  # what is not there any more is an error, not a jump
                allow_auto_create_topics=False,
                max_partition_fetch_bytes=_READ_BYTES,
                fetch_max_wait_ms=_FETCH_MS,
            )
            self._consumer.assign([self._place])

    def read(self, next_offset: int, limit: int) -> list[Record]:
        with self._lock:
            if next_offset >= self._end and next_offset >= self._ask_end():
                return []
            with in_words(self._topic.address):
                self._consumer.seek(self._place, next_offset)
                found = self._poll(limit)
        self._topic.check_same()
        return [self._record(each) for each in found]

    def end(self) -> int:
        with self._lock:
            end = self._ask_end()
        self._topic.check_same()
        return end

    def close(self) -> None:
        with self._lock:
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _ask_end(self) -> int:
        with in_words(self._topic.address):
            ends = self._consumer.end_offsets([self._place], timeout_ms=_WAIT_MS)
        self._end = int(ends[self._place])
        return self._end

    def _poll(self, limit: int) -> list[Any]:
        """What stands from where the consumer was sent to on; there is something."""
        try:
            found = self._consumer.poll(_WAIT_MS, max_records=limit)
        except OffsetOutOfRangeError:
            self._topic.check_same()
            raise DataForeign(
                f"partition {self.number} of {self._topic.address} does not hold its first "
                "records any more: restore the topic, or replay a backup into a new one"
            ) from None
        if not found:
            raise LogDown(f"{self._topic.address} brought nothing for {_WAIT_MS // 1000} s")
        return list(found[self._place])


def another_log(address: KafkaAddress) -> DataForeign:
    return DataForeign(
        f"topic {address.topic} was deleted and made anew: it is another log now; start mutua "
        "again to go on with that one"
    )


def record_reader(partition: int, partition_count: int) -> Callable[[Any], Record]:
    """Reads the records of a partition, as kafka-python or aiokafka give them.

    A record whose key belongs elsewhere is nobody's: its programme is `?` and the partition, which
    no programme can be called, so that it is set aside and no two partitions share a programme.
    """
    programmes: dict[bytes | None, str] = {}

    def programme_of(key: bytes | None) -> str:
        if key is None or _partition_of(key, partition_count) != partition:
            return f"?{partition}"
        try:
            return key.decode("ascii")
        except UnicodeDecodeError:
            return f"?{partition}"

    def read(record: Any) -> Record:
        key = record.key
        programme_id = programmes.get(key)
        if programme_id is None:
            programme_id = programmes[key] = programme_of(key)
        return Record(record.offset, record.timestamp * 1_000, programme_id, record.value or b"")

    return read


def _partition_of(key: bytes, partition_count: int) -> int:
    return int((murmur2(key) & 0x7FFFFFFF) % partition_count)
