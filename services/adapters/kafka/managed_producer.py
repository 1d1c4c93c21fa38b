"""A Kafka producer that a background thread opens, monitors and replaces."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from inspect import unwrap
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import (
    MAX_RECORD_BYTES,
    KafkaAdmin,
    TopicIdentity,
    translate_errors,
)
from services.adapters.kafka.client import open_client
from services.adapters.kafka.topic import make_log_changed_error
from services.ledger.errors import ForeignDataError, LogUnavailableError, UnusableTopicError

logger = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 1.0
"""Interval at which the thread checks the broker, the topic and its leaders."""
_SILENT_SECONDS: Final = 15.0
"""A check that takes longer than the sum of its timeouts hangs in the client."""
_METADATA_SECONDS: Final = 5.0
_METADATA_POLL_SECONDS: Final = 0.02
_STUCK_SECONDS: Final = 30.0
"""An append that waits this long while the broker answers will never be confirmed."""
_CLOSE_SECONDS: Final = 1.0

_OPTIONS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,
    "linger_ms": 10,
    "batch_size": 262_144,
    "max_request_size": MAX_RECORD_BYTES,
    # Sending never blocks: `_open_producer` waits for the metadata of the topic.
    "max_block_ms": 0,
    "request_timeout_ms": 5_000,
    # kafka-python 3.0.12 blocks for ever if a retried batch reaches this timeout.
    "delivery_timeout_ms": 10**9,
    "metrics_enabled": False,
}


_Producer: Final[Any] = type("Producer", (KafkaProducer,), {"send": unwrap(KafkaProducer.send)})
"""KafkaProducer with the original `send`: OpenTelemetry's instrumentation wraps it, and would add
`traceparent` and the caller's baggage to the record headers."""


class ReadyProducer(NamedTuple):
    """A producer that accepts records, and the log it writes to."""

    producer: Any
    log: TopicIdentity


class ManagedProducer:
    """Keeps a producer open while the broker and the topic are available.

    While they are not, `ready` is None and `down_reason` is the cause.
    """

    def __init__(
        self,
        address: KafkaAddress,
        *,
        partition_count: int | None,
        oldest_append_time: Callable[[], float | None],
        on_drop: Callable[[Any, str], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """`oldest_append_time` returns the monotonic start time of the oldest pending append.

        `on_drop` gets every producer that is discarded, and the reason. `on_failure` is called once
        if the topic is replaced by another log. Both run on the background thread.
        """
        self.ready: ReadyProducer | None = None
        self.down_reason = f"Kafka at {','.join(address.servers)} has not answered yet"
        self._address = address
        self._partition_count = partition_count
        self._oldest_append_time = oldest_append_time
        self._on_drop = on_drop
        self._on_failure = on_failure
        self._log: TopicIdentity | None = None
        self._producer: Any = None
        self._failed_producer: Any = None
        self._well_since = 0.0
        self._check_time = time.monotonic()
        self._admin = KafkaAdmin(address)
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="kafka-producer-check", daemon=True)
        self._thread.start()

    @property
    def unready_reason(self) -> str:
        """Why appends fail, or may fail as Kafka has been silent too long; "" if they succeed."""
        if self.ready is None:
            return self.down_reason
        silent_seconds = time.monotonic() - self._check_time
        return (
            f"Kafka has not answered for {silent_seconds:.0f} s"
            if silent_seconds > _SILENT_SECONDS
            else ""
        )

    def report_failure(self, producer: Any) -> None:
        """Reports a failed send. The producer is replaced, unless it already was. Thread-safe."""
        self._failed_producer = producer
        self._wake.set()

    def stop(self) -> None:
        """Stops without waiting for a broker that may never answer."""
        self._is_stopping = True
        self.ready = None
        self._wake.set()
        self._thread.join(_CLOSE_SECONDS)
        if self._producer is not None:
            _close(self._producer)

    def _run(self) -> None:
        while not self._is_stopping:
            self._check_time = time.monotonic()
            try:
                self._check()
            except LogUnavailableError as error:
                self._mark_down(error)
            except ForeignDataError as error:
                self.down_reason = error.message
                self._drop(error.message)
                self._on_failure(error.message)
                break
            except Exception as error:
                logger.debug("checking the log on Kafka failed", exc_info=True)
                self._mark_down(LogUnavailableError(f"Kafka cannot be checked: {error!r}"))
            self._wake.wait(_CHECK_SECONDS)
            self._wake.clear()
        self._admin.close()

    def _check(self) -> None:
        """Checks the topic and opens a producer if there is none.

        Raises LogUnavailableError if the log is down, ForeignDataError if it was replaced.
        """
        if self._producer is not None and self._failed_producer is self._producer:
            self._drop("a send to Kafka failed")
        topic = self._admin.describe()
        if self._log not in (None, topic.identity):
            raise make_log_changed_error(self._address, self._log, topic.identity)
        if problems := topic.find_problems(partition_count=self._partition_count):
            listed = "; ".join(map(str, problems))
            raise UnusableTopicError(f"topic {topic.name} cannot be a log: {listed}")
        if topic.leader_count == 0:
            raise LogUnavailableError(
                f"no partition of topic {topic.name} has a leader at the moment"
            )
        self._log = topic.identity
        self._drop_if_stuck()
        if self._producer is None:
            self._producer = self._open_producer(topic.identity.partition_count)
        if self.ready is None:
            logger.info("the log on %s takes facts", self._address)
        self.ready = ReadyProducer(self._producer, topic.identity)
        self.down_reason = ""

    def _drop_if_stuck(self) -> None:
        """Drops a producer that confirms nothing although the broker is up."""
        now = time.monotonic()
        self._well_since = self._well_since or now
        oldest_time = self._oldest_append_time()
        if oldest_time is not None and max(oldest_time, self._well_since) < now - _STUCK_SECONDS:
            self._drop(f"Kafka has not acknowledged anything for {_STUCK_SECONDS:.0f} s")

    def _open_producer(self, partition_count: int) -> Any:
        with translate_errors(self._address):
            producer = open_client(_Producer, self._address, **_OPTIONS)
            deadline = time.monotonic() + _METADATA_SECONDS
            while time.monotonic() < deadline and not self._is_stopping:
                with suppress(KafkaTimeoutError):
                    if len(producer.partitions_for(self._address.topic) or ()) == partition_count:
                        return producer
                time.sleep(_METADATA_POLL_SECONDS)
        _close(producer)
        raise LogUnavailableError(
            f"the partitions of topic {self._address.topic} are not known yet"
        )

    def _mark_down(self, error: LogUnavailableError) -> None:
        """Refuses new appends; pending ones may still be confirmed."""
        if self.down_reason != error.message:
            logger.warning("%s", error.message)
        self.ready = None
        self.down_reason = error.message
        self._well_since = 0.0
        if isinstance(error, UnusableTopicError) or (
            self._producer is not None and self._failed_producer is self._producer
        ):
            # A topic that is created again is another log, where these facts do not belong.
            self._drop(error.message)

    def _drop(self, reason: str) -> None:
        producer, self._producer, self.ready = self._producer, None, None
        if producer is not None:
            logger.info("the producer is dropped: %s", reason)
            self._on_drop(producer, reason)
            threading.Thread(target=_close, args=(producer,), daemon=True).start()


def _close(producer: Any) -> None:
    try:
        producer.close(timeout=_CLOSE_SECONDS)
    except KafkaError:
        # `close` raises while records are in flight; only `force_close` stops the sender.
        producer._sender.force_close()
