"""The writing side of a log on Kafka: sends admitted records and confirms durable ones."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import TopicPartition

from services.adapters.admission_control import LOG_IS_CLOSED, AdmissionControl, append_cost_bytes
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
"""Upper bound on the size of a record on the topic without its key and value."""
_CLOSE_SECONDS: Final = 5.0


@dataclass(slots=True, eq=False)
class _Append:
    """An append in flight. Its records may be spread over several batches of the producer."""

    key: bytes
    target: ReadyProducer
    partition: int
    cost_bytes: int
    outcome: Future[Position] = field(default_factory=lambda: _create_outcome())
    start_time: float = field(default_factory=time.monotonic)
    send_futures: list[Any] = field(default_factory=list)


# decision 0124: acknowledge after durable
class KafkaLog:
    """Implements `ports.Log` on a topic. It connects in the background when the broker is up.

    With `deduplicates`, an append that equals a pending one, or one that finished in the last two
    minutes, gets the outcome of that one, and nothing is sent again.
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
        """`on_failure` is called once, on another thread, if the topic is replaced by another log.

        The process must then exit; a restart continues with the new log.
        """
        self._admission = AdmissionControl(
            budget_bytes=queue_bytes, facts_per_second=facts_per_second
        )
        self._deduplicator = AppendDeduplicator() if deduplicates else None
        self._topic = address.topic
        self._sending = threading.Lock()
        """Keeps the records of an append contiguous. Acquired before `_lock`, never inside it."""
        self._lock = threading.Lock()
        self._append_finished = threading.Condition(self._lock)
        self._pending: dict[_Append, None] = {}
        self._ends: dict[int, int] = {}
        self._is_closed = False
        self._producer = ManagedProducer(
            address,
            partition_count=partition_count,
            oldest_append_time=self._find_oldest_start,
            on_drop=self._fail_appends,
            on_failure=on_failure,
        )

    @property
    def unready_reason(self) -> str:
        """Why the log accepts no facts at the moment; "" if it does."""
        return self._producer.unready_reason

    def last_appended_position(self, programme_id: str) -> Position | None:
        """The end of the programme's partition after the last append here; None before it."""
        ready = self._producer.ready
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
        """See `ports.Log`. Records of other processes may lie between the values.

        Raises RequestTooLargeError if a record does not fit on the topic.
        """
        key = make_content_key(programme_id, values) if self._deduplicator else b""
        with self._sending:
            with self._lock:
                if self._deduplicator and (pending := self._deduplicator.find(key)) is not None:
                    return pending
                append = self._admit(key, programme_id, values)
            failpoint("before_append")
            self._send(append, programme_id.encode(), values)
            failpoint("after_send")
        # Batches complete in order, so every record of the append is done after its last one.
        append.send_futures[-1].add_both(lambda _: self._complete(append))
        return append.outcome

    def abandon_pending(self) -> None:
        """Fails every pending append with OutcomeUnknownError."""
        self._fail_appends(None, "the server is stopping")

    def close(self) -> None:
        """Waits some seconds for pending appends, then fails the rest with OutcomeUnknownError."""
        with self._lock:
            self._is_closed = True
            self._append_finished.wait_for(lambda: not self._pending, _CLOSE_SECONDS)
        self.abandon_pending()
        self._producer.stop()

    def _admit(self, key: bytes, programme_id: str, values: Sequence[bytes]) -> _Append:
        """Reserves queue space for an append. The caller holds `_lock`."""
        ready = self._producer.ready
        if self._is_closed:
            raise LogUnavailableError(LOG_IS_CLOSED)
        if ready is None:
            raise LogUnavailableError(self._producer.down_reason)
        max_bytes = MAX_RECORD_BYTES - _ENVELOPE_BYTES - len(programme_id.encode())
        if (largest := max(map(len, values))) > max_bytes:
            raise RequestTooLargeError(
                f"a fact has {largest:,} bytes", remedy=f"the log takes at most {max_bytes:,}"
            )
        partition = find_partition(programme_id, ready.log.partition_count)
        cost_bytes = append_cost_bytes(values)
        self._admission.admit(
            programme_id, partition, fact_count=len(values), cost_bytes=cost_bytes
        )
        append = _Append(key, ready, partition, cost_bytes)
        if self._deduplicator:
            self._deduplicator.begin(key, append.outcome)
        self._pending[append] = None
        return append

    def _send(self, append: _Append, key: bytes, values: Sequence[bytes]) -> None:
        """Hands the records to the producer.

        Raises LogUnavailableError if the producer accepted none of them.
        """
        producer, sent = append.target.producer, append.send_futures
        place = TopicPartition(self._topic, append.partition)
        accumulate, wake = producer._accumulator.append, producer._sender.wakeup
        headers = make_record_headers()
        try:
            # The checks of `send` cost more than the append, and hold for all values if they hold
            # for the first.
            sent.append(producer.send(place.topic, values[0], key, headers, place.partition))
            for value in values[1:]:
                future, is_full, is_new, _ = accumulate(place, None, key, value, headers)
                sent.append(future)
                if is_full or is_new:
                    wake()
                    failpoint("in_send")
        except Exception as error:  # kafka-python also raises errors that are no KafkaError
            self._producer.report_failure(producer)
            error_class = OutcomeUnknownError if sent else LogUnavailableError
            failure = error_class(f"Kafka takes no facts at the moment: {error}")
            self._finish(append, failure)
            if not sent:
                raise failure from error

    def _complete(self, append: _Append) -> None:
        """Resolves an append once all its records are done. Runs on the producer's thread."""
        for future in append.send_futures:
            if not future.is_done:
                future.add_both(lambda _: self._complete(append))
                return
        failpoint("after_append_before_ack")
        failures = [future.exception for future in append.send_futures if future.exception]
        end = -1 if failures else append.send_futures[-1].value.offset + 1
        if end > 0:
            self._finish(append, Position(append.target.log.log_id, append.partition, end))
            return
        if failures:
            self._producer.report_failure(append.target.producer)
        self._finish(
            append,
            _outcome_unknown(
                f"Kafka failed to confirm the append ({failures[0]!r})"
                if failures
                else "Kafka confirmed the append without an offset"
            ),
        )

    def _fail_appends(self, producer: Any, reason: str) -> None:
        """Fails the pending appends of a producer; of all producers if it is None."""
        with self._lock:
            appends = [
                append for append in self._pending if producer in (None, append.target.producer)
            ]
        for append in appends:
            self._finish(append, _outcome_unknown(reason))

    def _finish(self, append: _Append, result: Position | MutuaError) -> None:
        """Resolves an append once; later results, of a dropped producer, are ignored."""
        with self._lock:
            if append not in self._pending:
                return
            del self._pending[append]
            if isinstance(result, Position):
                previous_end = self._ends.get(append.partition, 0)
                self._ends[append.partition] = max(previous_end, result.next_offset)
            if self._deduplicator:
                self._deduplicator.end(append.key, result if isinstance(result, Position) else None)
            self._append_finished.notify_all()
        self._admission.release(append.partition, append.cost_bytes)
        if isinstance(result, Position):
            append.outcome.set_result(result)
        else:
            append.outcome.set_exception(result)

    def _find_oldest_start(self) -> float | None:
        with self._lock:
            return next((append.start_time for append in self._pending), None)


def _create_outcome() -> Future[Position]:
    outcome: Future[Position] = Future()
    outcome.set_running_or_notify_cancel()  # a caller can no longer cancel it
    return outcome


def _outcome_unknown(reason: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(reason, remedy="send the identical request again, facts count once")
