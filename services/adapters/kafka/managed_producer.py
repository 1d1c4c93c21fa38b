"""A producer of Kafka that is opened, judged and replaced on a thread of its own."""

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

_LOOK_SECONDS: Final = 1.0
"""How often the broker is asked whether it, the topic and its leaders are there."""
_SILENT_SECONDS: Final = 15.0
"""A look that takes longer than all its time limits together hangs in the client."""
_METADATA_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.02
_STUCK_SECONDS: Final = 30.0
"""Appends that wait so long, with a broker that answers, will not be answered any more."""
_CLOSE_SECONDS: Final = 1.0

_OPTIONS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,
    "linger_ms": 10,
    "batch_size": 262_144,
    "max_request_size": MAX_RECORD_BYTES,
    # Sending never blocks: what is known of the topic is asked for beforehand, here.
    "max_block_ms": 0,
    "request_timeout_ms": 5_000,
    # A batch that is tried again and runs into this one wedges kafka-python 3.0.12 for ever.
    "delivery_timeout_ms": 10**9,
    "metrics_enabled": False,
}


_Producer: Final[Any] = type("Producer", (KafkaProducer,), {"send": unwrap(KafkaProducer.send)})
"""KafkaProducer without what instrumentation wraps around `send`, before or after this is imported:
OpenTelemetry's appends `traceparent` and the caller's baggage to the headers that it is given."""


class ReadyProducer(NamedTuple):
    """A producer that can be sent to, and the log it sends to."""

    producer: Any
    log: TopicIdentity


class ManagedProducer:
    """Keeps a producer ready while the broker and the topic are.

    `ready` is None while they are not, and `reason` says why.
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
        """`oldest_append_time` tells since when the oldest append waits, by the monotonic clock.
        `on_drop` gets a producer that nothing more is expected of; `on_failure` is called once when
        the topic became another log. Both are called on the keeper's thread.
        """
        self.ready: ReadyProducer | None = None
        self.down_reason = f"Kafka at {','.join(address.servers)} was not asked yet"
        self._address = address
        self._partition_count = partition_count
        self._oldest = oldest_append_time
        self._on_drop = on_drop
        self._on_failure = on_failure
        self._log: TopicIdentity | None = None
        self._producer: Any = None
        self._broken: Any = None
        self._well_since = 0.0
        self._looked = time.monotonic()
        self._admin = KafkaAdmin(address)
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="kafka-keeper", daemon=True)
        self._thread.start()

    @property
    def unready_reason(self) -> str:
        """Why nothing is taken, or nobody can say whether it is; "" when all is well."""
        if self.ready is None:
            return self.down_reason
        silent = time.monotonic() - self._looked
        return f"Kafka has not answered for {silent:.0f} s" if silent > _SILENT_SECONDS else ""

    def report_failure(self, producer: Any) -> None:
        """A send of this producer failed; it is replaced unless it was already. Any thread."""
        self._broken = producer
        self._wake.set()

    def stop(self) -> None:
        """Ends without waiting for a broker that may never answer."""
        self._stopping = True
        self.ready = None
        self._wake.set()
        self._thread.join(_CLOSE_SECONDS)
        if self._producer is not None:
            _close(self._producer)

    def _run(self) -> None:
        while not self._stopping:
            self._looked = time.monotonic()
            try:
                self._look()
            except LogUnavailableError as error:
                self._down(error)
            except ForeignDataError as error:
                self.down_reason = error.message
                self._drop(error.message)
                self._on_failure(error.message)
                break
            except Exception as error:
                logger.debug("the log on Kafka cannot be looked after", exc_info=True)
                self._down(LogUnavailableError(f"Kafka cannot be spoken to: {error!r}"))
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()
        self._admin.close()

    def _look(self) -> None:
        """Makes sure that all is well. Raises LogUnavailableError when not, ForeignDataError when
        never again.
        """
        if self._producer is not None and self._broken is self._producer:
            self._drop("a send to Kafka failed")
        facts = self._admin.describe()
        if self._log not in (None, facts.identity):
            raise make_log_changed_error(self._address, self._log, facts.identity)
        if unfit := facts.find_problems(partition_count=self._partition_count):
            raise UnusableTopicError(f"topic {facts.name} cannot be a log: {'; '.join(unfit)}")
        if facts.leader_count == 0:
            raise LogUnavailableError(
                f"no partition of topic {facts.name} has a leader at the moment"
            )
        self._log = facts.identity
        self._judge()
        if self._producer is None:
            self._producer = self._opened(facts.identity.partition_count)
        if self.ready is None:
            logger.info("the log on %s takes facts", self._address)
        self.ready = ReadyProducer(self._producer, facts.identity)
        self.down_reason = ""

    def _judge(self) -> None:
        """Drops a producer that does not bring anything to its end although all is well."""
        now = time.monotonic()
        self._well_since = self._well_since or now
        oldest = self._oldest()
        if oldest is not None and max(oldest, self._well_since) < now - _STUCK_SECONDS:
            self._drop(f"Kafka has not acknowledged anything for {_STUCK_SECONDS:.0f} s")

    def _opened(self, partition_count: int) -> Any:
        with translate_errors(self._address):
            producer = open_client(_Producer, self._address, **_OPTIONS)
            deadline = time.monotonic() + _METADATA_SECONDS
            while time.monotonic() < deadline and not self._stopping:
                with suppress(KafkaTimeoutError):
                    if len(producer.partitions_for(self._address.topic) or ()) == partition_count:
                        return producer
                time.sleep(_PAUSE_SECONDS)
        _close(producer)
        raise LogUnavailableError(
            f"the partitions of topic {self._address.topic} are not known yet"
        )

    def _down(self, error: LogUnavailableError) -> None:
        """What is under way may still come to its end; nothing new is sent."""
        if self.down_reason != error.message:
            logger.warning("%s", error.message)
        self.ready = None
        self.down_reason = error.message
        self._well_since = 0.0
        if isinstance(error, UnusableTopicError) or (
            self._producer is not None and self._broken is self._producer
        ):
            # In a topic that is made anew these facts would stand on another log.
            self._drop(error.message)

    def _drop(self, why: str) -> None:
        producer, self._producer, self.ready = self._producer, None, None
        if producer is not None:
            logger.info("the producer is given up: %s", why)
            self._on_drop(producer, why)
            threading.Thread(target=_close, args=(producer,), daemon=True).start()


def _close(producer: Any) -> None:
    try:
        producer.close(timeout=_CLOSE_SECONDS)
    except KafkaError:
        # With records in flight it raises and goes on; only its sender can be told to give up.
        producer._sender.force_close()
