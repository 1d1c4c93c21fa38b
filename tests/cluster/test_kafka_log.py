"""The Kafka log: the contract of the port, and the replacement of producers."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from kafka.errors import CorruptRecordError
from kafka.future import Future as KafkaFuture

from services.adapters.kafka import managed_producer
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.log import KafkaLog
from services.adapters.kafka.topic import KafkaTopic
from services.ledger.errors import LogUnavailableError, OutcomeUnknownError, RequestTooLargeError
from services.ledger.position import Position
from services.ledger.records import Record
from tests.adapters.log_contract import LogContract, LogOpener, append_durably
from tests.cluster.topics import create_topic, delete_topic
from tests.waiting import PATIENCE_SECONDS, wait_until


class OnePartition:
    """A topic with one partition, as a log to append to and to read."""

    number = 0

    def __init__(self, address: KafkaAddress) -> None:
        self._log = KafkaLog(address, queue_bytes=64 << 20, facts_per_second=10**9)
        self._topic = KafkaTopic(address)
        self._partition = self._topic.get_partition(0)
        self._is_open = True
        self.log_id = self._topic.log_id
        wait_until(lambda: not self._log.unready_reason, "the log is open")

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        return self._log.append(programme_id, values)

    @property
    def queued_bytes(self) -> int:
        return self._log.queued_bytes

    @property
    def queue_limit_bytes(self) -> int:
        return self._log.queue_limit_bytes

    def read(self, next_offset: int, limit: int) -> list[Record]:
        return self._partition.read(next_offset, limit)

    def end(self) -> int:
        return self._partition.end()

    def close(self) -> None:
        self._log.close()
        if self._is_open:
            self._topic.close()
            self._is_open = False


@pytest.fixture
def log(broker: str, topic: str) -> Iterator[KafkaLog]:
    address = KafkaAddress(servers=(broker,), topic=topic)
    with closing(KafkaLog(address, queue_bytes=64 << 20, facts_per_second=10**9)) as log:
        wait_until(lambda: not log.unready_reason, "the log is open")
        yield log


def producer_of(log: KafkaLog) -> Any:
    ready = log._producer.ready
    return ready and ready.producer


class TestManagedProducer:
    def test_stuck_producer_is_replaced(
        self, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(managed_producer, "_STUCK_SECONDS", 0.5)
        stuck = producer_of(log)
        stuck.send = lambda *_: KafkaFuture()
        with pytest.raises(OutcomeUnknownError, match="not acknowledged anything"):
            append_durably(log, b"a")
        wait_until(lambda: producer_of(log) not in (None, stuck), "another producer is there")
        assert append_durably(log, b"a").next_offset == 1

    def test_failed_producer_is_replaced_once_despite_late_failures(self, log: KafkaLog) -> None:
        failing, late = producer_of(log), KafkaFuture()
        answers = [KafkaFuture().failure(CorruptRecordError()), late]
        failing.send = lambda *_: answers.pop()
        pending = log.append("slow", [b"a"])
        with pytest.raises(
            OutcomeUnknownError, match=r"CorruptRecord.*; send the identical request again"
        ):
            append_durably(log, b"b")
        with pytest.raises(OutcomeUnknownError, match="a send to Kafka failed"):
            pending.result(PATIENCE_SECONDS)
        wait_until(lambda: producer_of(log) not in (None, failing), "another producer is there")
        replacement = producer_of(log)
        late.failure(CorruptRecordError())
        judged = log._producer.ready
        log._producer.report_failure(failing)
        wait_until(lambda: log._producer.ready is not judged, "the producer was checked again")
        assert append_durably(log, b"c").next_offset == 1
        assert producer_of(log) is replacement

    def test_closed_producer_refuses_append_and_is_replaced(self, log: KafkaLog) -> None:
        closed = producer_of(log)
        closed.close(timeout=5)
        with pytest.raises(LogUnavailableError):
            log.append("default", [b"a"])
        wait_until(lambda: producer_of(log) not in (None, closed), "another producer is there")
        assert append_durably(log, b"a").next_offset == 1


class TestKafkaLogLimits:
    def test_append_refuses_oversized_fact(self, log: KafkaLog) -> None:
        with pytest.raises(RequestTooLargeError, match="the log takes at most"):
            log.append("default", [b"x" * (1 << 20)])
        assert append_durably(log, b"x" * ((1 << 20) - 1_000)).next_offset == 1

    def test_hanging_client_makes_log_unready(
        self, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over = Event()
        monkeypatch.setattr(managed_producer, "_SILENT_SECONDS", 2.5)
        wait_until(lambda: not log.unready_reason, "the log is open")
        monkeypatch.setattr(log._producer._admin, "describe", over.wait)
        wait_until(lambda: "Kafka has not answered for" in log.unready_reason, "the log is unready")
        monkeypatch.undo()
        over.set()
        wait_until(lambda: not log.unready_reason, "it goes on")


class TestKafkaLog(LogContract):
    @pytest.fixture
    def open_log(self, broker: str) -> Iterator[LogOpener]:
        name = f"test-{uuid4().hex}"
        address = KafkaAddress(servers=(broker,), topic=name)
        create_topic(broker, name, partition_count=1)
        with ExitStack() as opened:
            yield lambda: opened.enter_context(closing(OnePartition(address)))
        delete_topic(broker, name)
