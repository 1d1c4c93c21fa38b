"""Faust over slabs: one message is all records of a partition that one fetch brought.

Faust's work is per message, about 70 microseconds; per slab it is next to nothing. What is read
and what is committed to Kafka follows the read models alone: Faust seeks where they stand, and
commits that they have come so far. It uses internals of Faust 0.15.3 and aiokafka, which is why
the version is pinned; `tests/adapters/test_faust_internals.py` names each assumption.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

import faust
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from services.adapters.failpoint import failpoint
from services.adapters.kafka.fetch_window import FetchWindow
from services.adapters.kafka.security import make_tls_context
from services.ledger.errors import ForeignDataError

_FULL_SECONDS: Final = 0.01
"""How soon to ask again for partitions of which enough is under way. What was fetched of them waits
in aiokafka, which fetches no more before: to pause them would have it fetched again."""


class FetchSettings(NamedTuple):
    """When a broker answers a fetch: at so many bytes, or after so long."""

    min_bytes: int
    max_wait_seconds: float


class PartitionOwner(Protocol):
    """Whoever projects the slabs. Everything but `failed` is called on Faust's event loop."""

    @property
    def next_offsets(self) -> Mapping[int, int]:
        """The first offset that is not projected, of each partition that is assigned."""

    @property
    def holds(self) -> Collection[int]:
        """The partitions from which nothing more is wanted."""

    async def take_over(self, partitions: Collection[int]) -> None:
        """These partitions are assigned and no others: brings `durable` and `held` up to date.

        Called after each change of the assignment, often twice. It raises nothing: one of the
        callers in Faust would go on as if nothing had happened.
        """

    def on_poll(self) -> None:
        """The consumer was asked for records, and answered."""

    def on_fetch(self, partition: int, records: Sequence[Any]) -> None:
        """These are on their way to the agent, behind what it has in hand."""

    def on_rebalance_end(self) -> None:
        """A rebalance is over; every partition is read from where it stands."""

    def report_failure(self, reason: BaseException) -> None:
        """Faust cannot go on. May be called on any thread."""


class FetchedSlab(NamedTuple):
    """Contiguous records of a partition, as aiokafka reads them."""

    records: list[Any]


class SlabApp(faust.App):
    """Faust, reading slabs for an owner."""

    def __init__(
        self, name: str, *, owner: PartitionOwner, fetch_settings: FetchSettings, **options: Any
    ) -> None:
        self.owner = owner
        self.fetch_settings = fetch_settings
        self.fetch_window = FetchWindow(options["broker_max_poll_records"])
        """What the agent has taken and not projected yet; it says so."""
        super().__init__(name, **options)

    def _new_transport(self) -> "SlabTransport":
        return SlabTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Without tables there is nothing to keep on the disk."""

    def on_rebalance_end(self) -> None:
        super().on_rebalance_end()
        self.owner.on_rebalance_end()

    def _crash(self, reason: BaseException) -> None:
        super()._crash(reason)
        self.owner.report_failure(reason)


def describe_group_failure(app: SlabApp) -> str:
    """Why the consumer group does not take this worker, or keep it; "" when it does. Any thread.

    aiokafka tells it to whoever asks, and Faust never does: it would wait without a word.
    """
    error, group = _failure(app._consumer), app.conf.id
    if error is None:
        return ""
    if isinstance(error, InvalidSessionTimeoutError):
        return (
            "the broker does not take MUTUA_SESSION_TIMEOUT_SECONDS "
            f"{app.conf.broker_session_timeout:g}; choose one from its "
            "group.min.session.timeout.ms to its group.max.session.timeout.ms"
        )
    if isinstance(error, GroupAuthorizationFailedError):
        return f"this user may not join consumer group {group}; allow it to read there"
    return f"consumer group {group} does not keep this projector: {error!r}"


def _failure(consumer: Any) -> BaseException | None:
    """What made aiokafka's coordinator of a group give up."""
    thread = getattr(consumer, "_thread", None)
    coordinator = getattr(getattr(thread, "_consumer", None), "_coordinator", None)
    if coordinator is None:  # not started yet
        return None
    ended = coordinator._coordination_task
    if ended.done() and not ended.cancelled() and ended.exception() is not None:
        return cast(BaseException, ended.exception())
    return cast("BaseException | None", coordinator._pending_exception)


class SlabSchema(faust.Schema[Any, Any]):
    """Passes slabs through: what fails to decode here, Faust would skip and commit."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> Any:  # noqa: ARG002 (Faust's)
        return message.key

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:  # noqa: ARG002 (Faust's)
        return message.value


class SlabThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches."""

    app: SlabApp

    async def getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 (Faust's)
    ) -> Any:
        wanted = self.app.fetch_window.select_fetchable(active_partitions or set())
        if wanted != active_partitions:
            timeout = _FULL_SECONDS
        try:
            if wanted:
                records = await super().getmany(wanted, timeout)
            else:
                records = await asyncio.sleep(timeout, {})
        except NoOffsetForPartitionError:
            # A group's first start: nothing is committed, and the seek is still to come.
            records = {}
        except OffsetOutOfRangeError as error:
            raise ForeignDataError(
                f"the log does not have what is to be projected next ({error}): it was cut, or its "
                "retention is shorter than the projector was away; restore the topic, or replay a "
                "backup into a new one"
            ) from error
        self.app.owner.on_poll()
        return {place: [FetchedSlab(found)] for place, found in records.items()}

    def _create_worker_consumer(self, transport: Any) -> Any:
        """Faust has no settings for how long the broker collects before it answers."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_min_bytes = self.app.fetch_settings.min_bytes
        consumer._fetch_max_wait_ms = int(self.app.fetch_settings.max_wait_seconds * 1_000)
        return consumer


class SlabConsumer(driver.Consumer):
    """Seeks and commits by what the owner says is durable."""

    app: SlabApp

    def _new_consumer_thread(self) -> SlabThread:
        return SlabThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        first = record.records[0]
        self.app.owner.on_fetch(tp.partition, record.records)
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=first.offset,
            timestamp=first.timestamp / 1_000,
            timestamp_type=first.timestamp_type,
            headers=[],
            key=None,
            value=record.records,
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def perform_seek(self) -> None:
        """Goes on where the read models stand. What Kafka has as committed is not asked."""
        owner = self.app.owner
        places = {place.partition: place for place in self.assignment()}
        await owner.take_over(places.keys())
        durable = owner.next_offsets
        failpoint("before_seek")
        await self.seek_wait({place: durable[n] for n, place in places.items() if n in durable})
        for place in places.values():
            # So that the next commit says it even where nothing more is projected.
            self._acked[place] = []
            self._acked_index[place] = set()
            self._committed_offset[place] = None
        self.pause_partitions({place for number, place in places.items() if number in owner.holds})

    def _new_offset(self, tp: TP) -> int | None:
        failpoint("before_committed_offset")
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.app.owner.next_offsets.get(tp.partition)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Between the first records of two slabs there is no gap, whatever it looks like."""

    def on_buffer_full(self, tp: TP) -> None:
        """A full buffer stops the fetcher by itself; pausing costs half of the throughput."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """The owner watches; what is looked at here counts messages, and says nothing of slabs."""


class SlabTransport(driver.Transport):
    Consumer = SlabConsumer


REQUIRED_SETTINGS: Final = {
    "stream_wait_empty": True,
    "table_standby_replicas": 0,
    "topic_disable_leader": True,
    "topic_allow_declare": False,
    "consumer_auto_offset_reset": "none",
    "web_enabled": False,
    "stream_buffer_maxsize": 2,  # slabs
}
"""Settings of Faust without which the above does not hold."""


def make_credentials(security: Mapping[str, Any]) -> Any:
    """What Faust calls the TLS and SASL options of kafka-python; None where there are none."""
    protocol = security.get("security_protocol", "PLAINTEXT")
    if protocol == "PLAINTEXT":
        return None
    context = make_tls_context(security) if protocol.endswith("SSL") else None
    if protocol == "SSL":
        return faust.SSLCredentials(context)
    mechanism = security.get("sasl_mechanism", "PLAIN")
    if mechanism == "GSSAPI":
        return faust.GSSAPICredentials(
            kerberos_service_name=security.get("sasl_kerberos_service_name", "kafka"),
            kerberos_domain_name=security.get("sasl_kerberos_domain_name"),
            ssl_context=context,
            mechanism=mechanism,
        )
    return faust.SASLCredentials(
        username=security.get("sasl_plain_username"),
        password=security.get("sasl_plain_password"),
        ssl_context=context,
        mechanism=mechanism,
    )
