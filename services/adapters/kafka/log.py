"""The log as a topic of Kafka: what is admitted is sent, and answered when it is durable."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import TopicPartition

from services.adapters.admission_control import AdmissionControl, append_cost_bytes
from services.adapters.failpoint import failpoint
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import MAX_RECORD_BYTES
from services.adapters.kafka.append_deduplicator import AppendDeduplicator, make_content_key
from services.adapters.kafka.managed_producer import ManagedProducer, ReadyProducer
from services.adapters.kafka.topic import find_partition
from services.adapters.telemetry.tracing import make_record_headers
from services.ledger.errors import (
    LogUnavailableError,
    MutuaError,
    OutcomeUnknownError,
    RequestTooLargeError,
)
from services.ledger.position import Position

_ENVELOPE_BYTES: Final = 512
"""What a record takes on the topic beside key and value, generously."""
_CLOSE_SECONDS: Final = 5.0


@dataclass(slots=True, eq=False)
class _Append:
    """One append on its way. Its records may lie in several batches of the producer."""

    key: bytes
    to: ReadyProducer
    partition: int
    cost: int
    outcome: Future[Position] = field(default_factory=lambda: _outcome())
    since: float = field(default_factory=time.monotonic)
    sent: list[Any] = field(default_factory=list)


# decision 0124: acknowledge after durable
class KafkaLog:
    """See `ports.Log`. It opens by itself as soon as broker and topic are there.

    An append that is the same as one under way, or as one of the last two minutes, is that one,
    unless retries are not joined.
    """

    def __init__(
        self,
        address: KafkaAddress,
        *,
        partition_count: int | None = None,
        queue_bytes: int,
        facts_per_second: int,
        deduplicates: bool = True,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_failure` is called once, on another thread, when the topic became another log: the
        process has to end, and to start again if it is to go on with that one.
        """
        self._admission = AdmissionControl(
            budget_bytes=queue_bytes, facts_per_second=facts_per_second
        )
        self._retries = AppendDeduplicator() if deduplicates else None
        self._topic = address.topic
        self._sending = threading.Lock()
        """Keeps the records of one append next to each other. Never taken with the other held."""
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._pending: dict[_Append, None] = {}
        self._ends: dict[int, int] = {}
        self._closed = False
        self._keeper = ManagedProducer(
            address,
            partition_count=partition_count,
            oldest_append_time=self._oldest,
            on_drop=self._abandon,
            on_failure=on_failure,
        )

    @property
    def unready_reason(self) -> str:
        """Why no facts are taken at the moment; "" when they are."""
        return self._keeper.unready_reason

    def last_appended_position(self, programme_id: str) -> Position | None:
        """The end of the programme's partition by what was last appended here; None before that."""
        ready = self._keeper.ready
        if ready is None:
            return None
        partition = find_partition(programme_id, ready.log.partition_count)
        with self._lock:
            end = self._ends.get(partition)
        return None if end is None else Position(ready.log.log_id, partition, end)

    @property
    def queued_bytes(self) -> int:
        return self._admission.waiting_bytes

    @property
    def queue_limit_bytes(self) -> int:
        return self._admission.budget_bytes

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        """See `ports.Log`. Records that other processes append may stand between.

        Raises RequestTooLargeError when a record has no place on the topic.
        """
        key = make_content_key(programme_id, values) if self._retries else b""
        with self._sending:
            with self._lock:
                if self._retries and (known := self._retries.find(key)) is not None:
                    return known
                append = self._admitted(key, programme_id, values)
            failpoint("before_append")
            self._send(append, programme_id.encode(), values)
            failpoint("after_send")
        # Behind it in the batches of its producer: whatever was sent before is done by then.
        append.sent[-1].add_both(lambda _: self._look_at(append))
        return append.outcome

    def abandon_pending(self) -> None:
        """Tells everyone who waits that the outcome is unknown."""
        self._abandon(None, "the server is stopping")

    def close(self) -> None:
        """Waits some seconds for what is under way; what is left has an unknown outcome."""
        with self._lock:
            self._closed = True
            self._settled.wait_for(lambda: not self._pending, _CLOSE_SECONDS)
        self.abandon_pending()
        self._keeper.stop()

    def _admitted(self, key: bytes, programme_id: str, values: Sequence[bytes]) -> _Append:
        """Takes the room for an append; with the lock held."""
        ready = self._keeper.ready
        if self._closed:
            raise LogUnavailableError(
                "the log does not take facts any more; the server is stopping"
            )
        if ready is None:
            raise LogUnavailableError(self._keeper.down_reason)
        room = MAX_RECORD_BYTES - _ENVELOPE_BYTES - len(programme_id.encode())
        if (largest := max(map(len, values))) > room:
            raise RequestTooLargeError(
                f"a fact has {largest:,} bytes; the log takes at most {room:,}"
            )
        partition, cost = (
            find_partition(programme_id, ready.log.partition_count),
            append_cost_bytes(values),
        )
        self._admission.admit(programme_id, partition, fact_count=len(values), cost_bytes=cost)
        append = _Append(key, ready, partition, cost)
        if self._retries:
            self._retries.begin(key, append.outcome)
        self._pending[append] = None
        return append

    def _send(self, append: _Append, key: bytes, values: Sequence[bytes]) -> None:
        """Hands the records to the producer.

        Raises LogUnavailableError when it took none of them.
        """
        producer, sent = append.to.producer, append.sent
        place = TopicPartition(self._topic, append.partition)
        accumulate, wake = producer._accumulator.append, producer._sender.wakeup
        headers = make_record_headers()
        try:
            # What `send` looks at holds for all when it holds for the first; it costs more than
            # the sending.
            sent.append(producer.send(place.topic, values[0], key, headers, place.partition))
            for value in values[1:]:
                future, is_full, is_new, _ = accumulate(place, None, key, value, headers)
                sent.append(future)
                if is_full or is_new:
                    wake()
                    failpoint("in_send")
        except Exception as error:  # some of kafka-python's are no KafkaError
            self._keeper.report_failure(producer)
            refusal = LogUnavailableError if not sent else OutcomeUnknownError
            problem = refusal(f"Kafka takes no facts at the moment: {error}")
            self._finish(append, problem)
            if not sent:
                raise problem from error

    def _look_at(self, append: _Append) -> None:
        """Answers an append when all its records are done; on the sender's thread."""
        for sent in append.sent:
            if not sent.is_done:
                sent.add_both(lambda _: self._look_at(append))
                return
        failpoint("after_append_before_ack")
        failures = [sent.exception for sent in append.sent if sent.exception is not None]
        end = -1 if failures else append.sent[-1].value.offset + 1
        if end > 0:
            self._finish(append, Position(append.to.log.log_id, append.partition, end))
            return
        if failures:
            self._keeper.report_failure(append.to.producer)
        self._finish(
            append,
            OutcomeUnknownError(
                f"Kafka failed to answer ({failures[0]!r}); "
                if failures
                else "send the identical request again, facts count once"
            ),
        )

    def _abandon(self, producer: Any, why: str) -> None:
        """Answers what waits for a producer, or with None for any."""
        with self._lock:
            left = [each for each in self._pending if producer in (None, each.to.producer)]
        for append in left:
            self._finish(
                append,
                OutcomeUnknownError(f"{why}; send the identical request again, facts count once"),
            )

    def _finish(self, append: _Append, end: Position | MutuaError) -> None:
        """Answers once; what a producer that was given up says later is not heard."""
        with self._lock:
            if append not in self._pending:
                return
            del self._pending[append]
            if isinstance(end, Position):
                before = self._ends.get(append.partition, 0)
                self._ends[append.partition] = max(before, end.next_offset)
            if self._retries:
                self._retries.end(append.key, end if isinstance(end, Position) else None)
            self._settled.notify_all()
        self._admission.release(append.partition, append.cost)
        if isinstance(end, Position):
            append.outcome.set_result(end)
        else:
            append.outcome.set_exception(end)

    def _oldest(self) -> float | None:
        with self._lock:
            return next((each.since for each in self._pending), None)


def _outcome() -> Future[Position]:
    outcome: Future[Position] = Future()
    outcome.set_running_or_notify_cancel()  # from here on nobody can cancel it
    return outcome
