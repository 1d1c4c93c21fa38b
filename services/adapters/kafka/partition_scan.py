"""Reads a whole partition with aiokafka, which decodes six times as fast as kafka-python."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import TopicIdentity
from services.adapters.kafka.security import make_aiokafka_options
from services.adapters.kafka.topic import make_record_reader, make_records_deleted_error
from services.ledger.errors import LogUnavailableError
from services.ledger.records import Record

_T = TypeVar("_T")

_FETCH_BYTES: Final = 8 << 20
_WAIT_MS: Final = 5_000
"""A broker that returns no records for this long counts as down."""


class KafkaPartitionScan:
    """Implements `ports.Partition` up to a fixed end. For one thread at a time.

    It does not notice if the topic is created anew: the caller checks that after the scan.
    """

    def __init__(
        self, address: KafkaAddress, identity: TopicIdentity, number: int, end: int
    ) -> None:
        """Raises LogUnavailableError if the broker is down."""
        self.log_id = identity.log_id
        self.number = number
        self._end = end
        self._address = address
        self._place = TopicPartition(address.topic, number)
        self._to_record = make_record_reader(number, identity.partition_count)
        self._loop = asyncio.new_event_loop()
        self._next_offset = -1
        try:
            self._consumer = self._run(self._open())
        except BaseException:
            self._loop.close()
            raise

    def read(self, next_offset: int, limit: int) -> list[Record]:
        limit = min(limit, self._end - next_offset)
        if limit <= 0:
            return []
        if next_offset != self._next_offset:
            self._consumer.seek(self._place, next_offset)
        messages = self._run(
            self._consumer.getmany(self._place, timeout_ms=_WAIT_MS, max_records=limit)
        )
        if not messages:
            raise LogUnavailableError(f"{self._address} returned nothing for {_WAIT_MS // 1000} s")
        records = [self._to_record(message) for message in messages[self._place]]
        self._next_offset = records[-1].offset + 1
        return records

    def end(self) -> int:
        return self._end

    def close(self) -> None:
        self._loop.run_until_complete(self._consumer.stop())
        self._loop.close()

    async def _open(self) -> Any:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=list(self._address.servers),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a deleted record is an error, never a jump
            max_partition_fetch_bytes=_FETCH_BYTES,
            **make_aiokafka_options(self._address.security),
        )
        await consumer.start()
        consumer.assign([self._place])
        return consumer

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            return self._loop.run_until_complete(work)
        except OffsetOutOfRangeError as error:
            raise make_records_deleted_error(self._address, self.number) from error
        except KafkaError as error:
            raise LogUnavailableError(f"Kafka does not answer: {error!r}") from error
