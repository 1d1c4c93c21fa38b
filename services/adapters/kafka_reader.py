"""A Kafka topic as those see it who read a record here and there, by kafka-python."""

from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from services.adapters.kafka_topic import partition_of, record_reader
from services.ledger.errors import LogDown
from services.ledger.ports import Record

_BOOTSTRAP_MILLISECONDS: Final = 5_000
_LEAVE_MILLISECONDS: Final = 1_000
_READ_MILLISECONDS: Final = 5_000
_UNKNOWN_TOPIC: Final = 3


class Topic(NamedTuple):
    """Where a log is: brokers, and the name of the topic."""

    servers: tuple[str, ...]
    name: str


def parse_topic(url: str) -> Topic:
    """The topic that `kafka://host:port,host:port/topic` names. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    servers, _, name = rest.partition("/")
    if scheme != "kafka" or not servers or not name:
        raise ValueError(f"{url}: a log is named kafka://HOST:PORT,HOST:PORT/TOPIC")
    return Topic(tuple(servers.split(",")), name)


class KafkaReader:
    """See `ports.ReadableLog`. For one thread; to be closed."""

    def __init__(self, topic: Topic) -> None:
        """Raises LogDown when no broker answers or there is no such topic."""
        self.topic = topic
        self._options = {
            "bootstrap_servers": list(topic.servers),
            "bootstrap_timeout_ms": _BOOTSTRAP_MILLISECONDS,
        }
        self._consumer: Any = None
        servers = ",".join(topic.servers)
        try:
            self._admin = KafkaAdminClient(**self._options)
        except KafkaError as error:
            raise LogDown(f"no broker answers at {servers}: {error!r}") from error
        try:
            self.log_id, self.partition_count = self._describe()
        except BaseException:
            self._admin.close()
            raise

    def partition_of(self, programme_id: str) -> int:
        return partition_of(programme_id, self.partition_count)

    def partition(self, number: int) -> "KafkaPartition":
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                **self._options, enable_auto_commit=False, auto_offset_reset="none"
            )
        return KafkaPartition(self, number, self._consumer)

    def close(self) -> None:
        self._admin.close()
        if self._consumer is not None:
            self._consumer.close(autocommit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _describe(self) -> tuple[str, int]:
        name = self.topic.name
        try:
            (found,) = self._admin.describe_topics([name])
        except KafkaError as error:
            raise LogDown(f"the brokers do not describe topic {name}: {error!r}") from error
        if found["error_code"] == _UNKNOWN_TOPIC:
            raise LogDown(f"there is no topic {name}; mutua topic create makes it")
        if found["error_code"]:
            raise LogDown(f"topic {name} cannot be read now: error {found['error_code']} of Kafka")
        return str(found["topic_id"]).replace("-", ""), len(found["partitions"])


class KafkaPartition:
    """See `ports.Partition`."""

    def __init__(self, log: KafkaReader, number: int, consumer: Any) -> None:
        self.log_id = log.log_id
        self.number = number
        self._consumer = consumer
        self._place = TopicPartition(log.topic.name, number)
        self._read = record_reader(number, log.partition_count)

    def read(self, next_offset: int, limit: int) -> list[Record]:
        begin, end = self._bounds()
        if not begin <= next_offset < end:
            return []
        self._consumer.assign([self._place])
        self._consumer.seek(self._place, next_offset)
        found = self._consumer.poll(timeout_ms=_READ_MILLISECONDS, max_records=limit)
        if not found:
            raise LogDown(f"partition {self.number} gives no records at the moment")
        return [self._read(record) for record in found[self._place]]

    def end(self) -> int:
        return self._bounds()[1]

    def _bounds(self) -> tuple[int, int]:
        try:
            return (
                self._consumer.beginning_offsets([self._place])[self._place],
                self._consumer.end_offsets([self._place])[self._place],
            )
        except KafkaError as error:
            raise LogDown(f"partition {self.number} does not say its end: {error!r}") from error


def leave_group(topic: Topic, group: str, instance: str) -> None:
    """Tells a consumer group that a static member is gone, which aiokafka does not.

    When nobody listens its partitions are taken over after the session timeout.
    """
    with suppress(KafkaError):
        admin = KafkaAdminClient(
            bootstrap_servers=list(topic.servers), bootstrap_timeout_ms=_LEAVE_MILLISECONDS
        )
        try:
            admin.remove_group_members(group, [MemberToRemove(group_instance_id=instance)])
        finally:
            admin.close()
