"""A Kafka topic as those see it who read a record here and there, by kafka-python."""

from contextlib import closing, suppress
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_admin import KafkaAdmin, in_words
from services.adapters.kafka_client import opened
from services.adapters.kafka_topic import partition_of, record_reader
from services.ledger.errors import LogDown
from services.ledger.ports import Record

_LEAVE_MILLISECONDS: Final = 1_000
_READ_MILLISECONDS: Final = 5_000


class KafkaReader:
    """See `ports.ReadableLog`. For one thread, with one client for all partitions; to be closed."""

    def __init__(self, address: KafkaAddress) -> None:
        """Raises LogDown when no broker answers, TopicUnfit when there is no such topic."""
        with closing(KafkaAdmin(address)) as admin:
            facts = admin.describe()
        self.address = address
        self.log_id = facts.log_id
        self.partition_count = facts.partition_count
        self._consumer: Any = None

    def partition_of(self, programme_id: str) -> int:
        return partition_of(programme_id, self.partition_count)

    def partition(self, number: int) -> "KafkaPartition":
        return KafkaPartition(self, number, self._opened())

    def ends(self) -> dict[int, int]:
        """The offset that the next record of each partition will have. Raises LogDown."""
        numbers = range(self.partition_count)
        places = [TopicPartition(self.address.topic, number) for number in numbers]
        with in_words(self.address):
            found = self._opened().end_offsets(places, timeout_ms=_READ_MILLISECONDS)
        return {place.partition: end for place, end in found.items()}

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close(autocommit=False)

    def _opened(self) -> Any:
        if self._consumer is None:
            with in_words(self.address):
                self._consumer = opened(
                    KafkaConsumer, self.address, enable_auto_commit=False, auto_offset_reset="none"
                )
        return self._consumer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class KafkaPartition:
    """See `ports.Partition`."""

    def __init__(self, log: KafkaReader, number: int, consumer: Any) -> None:
        self.log_id = log.log_id
        self.number = number
        self._consumer = consumer
        self._place = TopicPartition(log.address.topic, number)
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


def leave_group(address: KafkaAddress, group: str, instance: str) -> None:
    """Tells a consumer group that a static member is gone, which aiokafka does not.

    When nobody listens its partitions are taken over after the session timeout.
    """
    with (
        suppress(KafkaError),
        closing(
            opened(KafkaAdminClient, address, bootstrap_timeout_ms=_LEAVE_MILLISECONDS)
        ) as admin,
    ):
        admin.remove_group_members(group, [MemberToRemove(group_instance_id=instance)])
