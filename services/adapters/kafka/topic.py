"""A topic of Kafka as a log that is read: its identity, its partitions and their records."""

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
"""A broker that brings nothing for so long is away."""
_END_MS: Final = 3_000
_FETCH_MS: Final = 10
"""What the broker waits for more: it is asked when something is there, and a client that looked
ahead would stand in the way of the next question."""
_OPTIONS: Final[dict[str, Any]] = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # what is not there any more is an error, not a jump
    "allow_auto_create_topics": False,
    "max_partition_fetch_bytes": _READ_BYTES,
    "fetch_max_wait_ms": _FETCH_MS,
}


# decision 0045: a programme lies in one partition
@lru_cache(maxsize=10_000)
def find_partition(programme_id: str, partition_count: int) -> int:
    """Where every client of Kafka puts a record with this key."""
    return _partition_of(programme_id.encode(), partition_count)


class KafkaTopic:
    """See `ports.ReadableLog`. It is the log that was found when it was opened, and no other.

    Any number of threads may ask; they take turns, and one client reads all partitions.
    """

    def __init__(self, address: KafkaAddress, *, partition_count: int | None = None) -> None:
        """Raises LogUnavailableError when the broker is away, UnusableTopicError when the topic is
        not there, or has not as many partitions as are insisted on.
        """
        self.address = address
        self._lock = threading.Lock()
        self._failed: tuple[float, str] = (-inf, "")
        """When the broker was last asked in vain, and why."""
        self._consumer: Any = None
        self._assigned: TopicPartition | None = None
        self._admin = KafkaAdmin(address)
        try:
            self.identity = self._admin.read_identity()
            if unfit := self.identity.describe_mismatch(partition_count):
                raise UnusableTopicError(f"topic {address.topic} cannot be read: {unfit}")
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
        """The offset that the next record of each partition will have."""
        places = [
            TopicPartition(self.address.topic, number) for number in range(self.partition_count)
        ]
        with self.borrow_consumer(places[0]) as consumer:
            found = consumer.end_offsets(places, timeout_ms=_WAIT_MS)
        self.check_identity()
        return {place.partition: int(end) for place, end in found.items()}

    def check_identity(self) -> None:
        """Raises ForeignDataError when the topic of this name is not this log any more.

        Clients follow the name: they go on in a topic made anew without a word.
        """
        with self._turn():
            found = self._admin.read_identity()
        if found != self.identity:
            raise make_log_changed_error(self.address, self.identity, found)

    def leader_epochs(self) -> Mapping[int, int]:
        """A number for each partition, which grows with each change of its leader."""
        with self._turn():
            return self._admin.leader_epochs()

    @contextmanager
    def borrow_consumer(self, place: TopicPartition) -> Iterator[Any]:
        """The client for the time of the block, reading this partition and no other."""
        with self._turn():
            if self._consumer is None:
                self._consumer = open_client(KafkaConsumer, self.address, **_OPTIONS)
            if place != self._assigned:
                self._consumer.assign([place])
                self._assigned = place
            yield self._consumer

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Waits for a turn; those who waited while the broker was asked in vain ask no more."""
        since = time.monotonic()
        with self._lock:
            failed, why = self._failed
            if since < failed:
                raise LogUnavailableError(why)
            try:
                with translate_errors(self.address):
                    yield
            except LogUnavailableError as down:
                self._failed = (time.monotonic(), down.message)
                raise

    def close(self) -> None:
        with self._lock:
            if self._consumer is not None:
                self._consumer.close(autocommit=False, timeout_ms=1_000)
            self._admin.close()


class KafkaPartition:
    """See `ports.Partition`.

    Every call raises LogUnavailableError when the broker does not answer, and ForeignDataError when
    the topic was made anew or its beginning was deleted.
    """

    def __init__(self, topic: KafkaTopic, number: int) -> None:
        self.log_id = topic.log_id
        self.number = number
        self._topic = topic
        self._record = make_record_reader(number, topic.partition_count)
        self._place = TopicPartition(topic.address.topic, number)
        self._end = 0

    def read(self, next_offset: int, limit: int) -> list[Record]:
        with self._topic.borrow_consumer(self._place) as consumer:
            found = self._find(consumer, next_offset, limit)
        self._topic.check_identity()
        if found is None:
            raise ForeignDataError(
                f"partition {self.number} of {self._topic.address} does not hold its first "
                "records any more; restore the topic, or replay a backup into a new one"
            )
        return [self._record(each) for each in found]

    def end(self) -> int:
        with self._topic.borrow_consumer(self._place) as consumer:
            end = self._ask_end(consumer)
        self._topic.check_identity()
        return end

    def _find(self, consumer: Any, next_offset: int, limit: int) -> list[Any] | None:
        """As Kafka gives them; None where the partition begins later."""
        if next_offset >= self._end and next_offset >= self._ask_end(consumer):
            return []
        consumer.seek(self._place, next_offset)
        try:
            found = consumer.poll(_WAIT_MS, max_records=limit)
        except OffsetOutOfRangeError:
            return None
        if not found:
            raise LogUnavailableError(
                f"{self._topic.address} brought nothing for {_WAIT_MS // 1000} s"
            )
        return list(found[self._place])

    def _ask_end(self, consumer: Any) -> int:
        ends = consumer.end_offsets([self._place], timeout_ms=_END_MS)
        self._end = int(ends[self._place])
        return self._end


def make_log_changed_error(
    address: KafkaAddress, before: TopicIdentity, now: TopicIdentity
) -> ForeignDataError:
    if before.log_id != now.log_id:
        return ForeignDataError(
            f"topic {address.topic} was deleted and made anew: it is another log now; start mutua "
            "again to go on with that one"
        )
    return ForeignDataError(
        f"topic {address.topic} has {format_count(now.partition_count, 'partition')} and had "
        f"{before.partition_count}: programmes would lie in others than before; replay the log "
        "into a new topic"
    )


def make_record_reader(partition: int, partition_count: int) -> Callable[[Any], Record]:
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
