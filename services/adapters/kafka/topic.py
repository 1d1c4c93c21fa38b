"""The reading side of a log on Kafka: its identity, partitions and records."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from math import inf
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError
from kafka.partitioner.default import murmur2

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin, TopicIdentity, translate_errors
from services.adapters.kafka.client import open_client
from services.ledger.errors import ForeignDataError, LogUnavailableError, UnusableTopicError
from services.ledger.records import Record
from services.ledger.wording import format_count

_READ_BYTES: Final = 4 << 20
_WAIT_MS: Final = 5_000
"""A broker that returns no records for this long counts as down."""
_END_MS: Final = 3_000
_FETCH_MS: Final = 10
"""How long a broker may delay a fetch to fill it. Short, because records are there whenever one is
sent, and because a pending fetch would delay the next request of the client."""
_OPTIONS: Final[dict[str, Any]] = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # a deleted record is an error, never a jump
    "allow_auto_create_topics": False,
    "max_partition_fetch_bytes": _READ_BYTES,
    "fetch_max_wait_ms": _FETCH_MS,
}


# decision 0045: a programme lies in one partition
@lru_cache(maxsize=10_000)
def find_partition(programme_id: str, partition_count: int) -> int:
    """The partition in which every Kafka client puts a record with this key."""
    return _hash_partition(programme_id.encode(), partition_count)


class KafkaTopic:
    """Implements `ports.ReadableLog` for the topic that existed when it was opened.

    Thread-safe: threads take turns with one client, which reads all partitions.
    """

    def __init__(self, address: KafkaAddress, *, partition_count: int | None = None) -> None:
        """Raises LogUnavailableError if the broker is down.

        Raises UnusableTopicError if the topic does not exist, or has another number of partitions
        than `partition_count`.
        """
        self.address = address
        self._lock = threading.Lock()
        self._last_failure: tuple[float, str] = (-inf, "")
        """When the last request to the broker failed, and why."""
        self._consumer: Any = None
        self._assigned: TopicPartition | None = None
        self._admin = KafkaAdmin(address)
        try:
            self.identity = self._admin.read_identity()
            if mismatch := self.identity.find_mismatch(partition_count):
                raise UnusableTopicError(
                    f"topic {address.topic} cannot be read: {mismatch.problem}",
                    remedy=mismatch.remedy,
                )
        except BaseException:
            self._admin.close()
            raise

    @property
    def log_id(self) -> str:
        return self.identity.log_id

    @property
    def origins(self) -> Mapping[str, int]:
        return {}

    @property
    def partition_count(self) -> int:
        return self.identity.partition_count

    def find_partition(self, programme_id: str) -> int:
        return find_partition(programme_id, self.partition_count)

    def get_partition(self, number: int) -> "KafkaPartition":
        assert 0 <= number < self.partition_count, f"{self.address} has no partition {number}"
        return KafkaPartition(self, number)

    def ends(self) -> dict[int, int]:
        """The end of every partition: the offset that its next record will have."""
        places = [
            TopicPartition(self.address.topic, number) for number in range(self.partition_count)
        ]
        with self.borrow_consumer(places[0]) as consumer:
            ends = consumer.end_offsets(places, timeout_ms=_WAIT_MS)
        self.check_identity()
        return {place.partition: int(end) for place, end in ends.items()}

    def check_identity(self) -> None:
        """Raises ForeignDataError if the topic of this name is no longer this log.

        Clients of Kafka address a topic by name, and silently continue in one created anew.
        """
        with self._take_turn():
            identity = self._admin.read_identity()
        if identity != self.identity:
            raise make_log_changed_error(self.address, self.identity, identity)

    def leader_epochs(self) -> Mapping[int, int]:
        """The leader epoch of every partition; it grows whenever the leader changes."""
        with self._take_turn():
            return self._admin.leader_epochs()

    @contextmanager
    def borrow_consumer(self, place: TopicPartition) -> Iterator[Any]:
        """Yields the consumer, assigned to this partition alone."""
        with self._take_turn():
            if self._consumer is None:
                self._consumer = open_client(KafkaConsumer, self.address, **_OPTIONS)
            if place != self._assigned:
                self._consumer.assign([place])
                self._assigned = place
            yield self._consumer

    @contextmanager
    def _take_turn(self) -> Iterator[None]:
        """Waits for the client. Fails at once if a request failed during the wait."""
        start_time = time.monotonic()
        with self._lock:
            failure_time, reason = self._last_failure
            if start_time < failure_time:
                raise LogUnavailableError(reason)
            try:
                with translate_errors(self.address):
                    yield
            except LogUnavailableError as error:
                self._last_failure = (time.monotonic(), error.message)
                raise

    def close(self) -> None:
        with self._lock:
            if self._consumer is not None:
                self._consumer.close(autocommit=False, timeout_ms=1_000)
            self._admin.close()


class KafkaPartition:
    """Implements `ports.Partition`.

    Every call raises LogUnavailableError if the broker does not answer, and ForeignDataError if
    the topic was created anew or its first records were deleted.
    """

    def __init__(self, topic: KafkaTopic, number: int) -> None:
        self.log_id = topic.log_id
        self.number = number
        self._topic = topic
        self._to_record = make_record_reader(number, topic.partition_count)
        self._place = TopicPartition(topic.address.topic, number)
        self._end = 0

    def read(self, next_offset: int, limit: int) -> list[Record]:
        with self._topic.borrow_consumer(self._place) as consumer:
            messages = self._poll(consumer, next_offset, limit)
        self._topic.check_identity()
        if messages is None:
            raise make_records_deleted_error(self._topic.address, self.number)
        return [self._to_record(message) for message in messages]

    def end(self) -> int:
        with self._topic.borrow_consumer(self._place) as consumer:
            end = self._read_end(consumer)
        self._topic.check_identity()
        return end

    def _poll(self, consumer: Any, next_offset: int, limit: int) -> list[Any] | None:
        """Reads messages of kafka-python; None if the partition begins after `next_offset`."""
        if next_offset >= self._end and next_offset >= self._read_end(consumer):
            return []
        consumer.seek(self._place, next_offset)
        try:
            messages = consumer.poll(_WAIT_MS, max_records=limit)
        except OffsetOutOfRangeError:
            return None
        if not messages:
            raise LogUnavailableError(
                f"{self._topic.address} returned nothing for {_WAIT_MS // 1000} s"
            )
        return list(messages[self._place])

    def _read_end(self, consumer: Any) -> int:
        ends = consumer.end_offsets([self._place], timeout_ms=_END_MS)
        self._end = int(ends[self._place])
        return self._end


def make_log_changed_error(
    address: KafkaAddress, before: TopicIdentity, now: TopicIdentity
) -> ForeignDataError:
    """An error that says how the topic differs from the log it was before."""
    if before.log_id != now.log_id:
        return ForeignDataError(
            f"topic {address.topic} was deleted and made anew: it is another log now",
            remedy="start mutua again to go on with that one",
        )
    return ForeignDataError(
        f"topic {address.topic} has {format_count(now.partition_count, 'partition')} and had "
        f"{before.partition_count}: programmes would lie in others than before",
        remedy="replay the log into a new topic",
    )


def make_records_deleted_error(address: KafkaAddress, partition: int) -> ForeignDataError:
    """An error for a partition whose first records Kafka has deleted."""
    return ForeignDataError(
        f"partition {partition} of {address} does not hold its first records any more",
        remedy="restore the topic, or replay a backup into a new one",
    )


def make_record_reader(partition: int, partition_count: int) -> Callable[[Any], Record]:
    """Returns a function that converts a message of kafka-python or aiokafka to a Record.

    A message whose key belongs in another partition gets the programme `?` with the partition's
    number. No programme can have that id, so the record is quarantined, and no two partitions
    share a programme.
    """
    programmes: dict[bytes | None, str] = {}

    def decode_key(key: bytes | None) -> str:
        if key is None or _hash_partition(key, partition_count) != partition:
            return f"?{partition}"
        try:
            return key.decode("ascii")
        except UnicodeDecodeError:
            return f"?{partition}"

    def read(record: Any) -> Record:
        key = record.key
        programme_id = programmes.get(key)
        if programme_id is None:
            programme_id = programmes[key] = decode_key(key)
        return Record(record.offset, record.timestamp * 1_000, programme_id, record.value or b"")

    return read


def _hash_partition(key: bytes, partition_count: int) -> int:
    return int((murmur2(key) & 0x7FFFFFFF) % partition_count)
