"""A Faust transport whose messages are slabs: all records of a partition in one fetch.

Faust spends about 70 microseconds per message, which is negligible per slab. Only the read models
decide what is read and committed: Faust seeks to their positions, and commits these to Kafka.
The transport uses internals of Faust 0.15.3 and aiokafka, so the version is pinned;
`tests/adapters/test_faust_internals.py` names every assumption.
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
from services.adapters.kafka.security import make_aiokafka_options
from services.ledger.errors import ForeignDataError

_FULL_SECONDS: Final = 0.01
"""Poll interval while a partition has enough records in flight. Its fetched records wait in
aiokafka, which fetches no more until then. Pausing the partition would fetch them again."""


class FetchSettings(NamedTuple):
    """A broker answers a fetch at `min_bytes`, or after `max_wait_seconds`."""

    min_bytes: int
    max_wait_seconds: float


class PartitionOwner(Protocol):
    """Projects the slabs of a worker's partitions. Called on Faust's event loop, unless stated."""

    @property
    def next_offsets(self) -> Mapping[int, int]:
        """The first unprojected offset of every assigned partition."""

    @property
    def holds(self) -> Collection[int]:
        """The assigned partitions that are held, and not read."""

    async def take_over(self, partitions: Collection[int]) -> None:
        """Takes the assigned partitions, and updates `next_offsets` and `holds`.

        Called after every change of the assignment, often twice. It must not raise, because one
        of the callers in Faust ignores errors.
        """

    def on_poll(self) -> None:
        """Called after every poll of the consumer."""

    def on_fetch(self, partition: int, records: Sequence[Any]) -> None:
        """Called before these records are handed to the agent, which has earlier ones queued."""

    def on_rebalance_end(self) -> None:
        """Called after a rebalance, when every partition is read from its next offset."""

    def report_failure(self, reason: BaseException) -> None:
        """Called if Faust cannot continue. Thread-safe."""


class FetchedSlab(NamedTuple):
    """Contiguous records of a partition, as messages of aiokafka."""

    records: list[Any]


class SlabApp(faust.App):
    """A Faust application that reads slabs for a partition owner."""

    def __init__(
        self, name: str, *, owner: PartitionOwner, fetch_settings: FetchSettings, **options: Any
    ) -> None:
        self.owner = owner
        self.fetch_settings = fetch_settings
        self.fetch_window = FetchWindow(options["broker_max_poll_records"])
        """Records that the agent has taken and not projected yet; the agent updates it."""
        super().__init__(name, **options)

    def _new_transport(self) -> "SlabTransport":
        return SlabTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Creates none, because an application without tables stores nothing on disk."""

    def on_rebalance_end(self) -> None:
        super().on_rebalance_end()
        self.owner.on_rebalance_end()

    def _crash(self, reason: BaseException) -> None:
        super()._crash(reason)
        self.owner.report_failure(reason)


def describe_group_failure(app: SlabApp) -> str:
    """Why the consumer group refused or expelled this worker; "" if it did not. Thread-safe.

    aiokafka reports this on request, and Faust never asks: it would wait in silence.
    """
    error, group = _find_coordinator_error(app._consumer), app.conf.id
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


def _find_coordinator_error(consumer: Any) -> BaseException | None:
    """The error that stopped aiokafka's group coordinator."""
    thread = getattr(consumer, "_thread", None)
    coordinator = getattr(getattr(thread, "_consumer", None), "_coordinator", None)
    if coordinator is None:  # not started yet
        return None
    task = coordinator._coordination_task
    if task.done() and not task.cancelled() and task.exception() is not None:
        return cast(BaseException, task.exception())
    return cast("BaseException | None", coordinator._pending_exception)


class SlabSchema(faust.Schema[Any, Any]):
    """Passes slabs through undecoded, because Faust skips and commits what it cannot decode."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> Any:  # noqa: ARG002 (Faust's)
        return message.key

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:  # noqa: ARG002 (Faust's)
        return message.value


class SlabThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches records."""

    app: SlabApp

    async def getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 (Faust's)
    ) -> Any:
        fetchable = self.app.fetch_window.select_fetchable(active_partitions or set())
        if fetchable != active_partitions:
            timeout = _FULL_SECONDS
        try:
            if fetchable:
                records = await super().getmany(fetchable, timeout)
            else:
                records = await asyncio.sleep(timeout, {})
        except NoOffsetForPartitionError:
            # On a group's first start nothing is committed, and the seek follows.
            records = {}
        except OffsetOutOfRangeError as error:
            raise ForeignDataError(
                f"the log does not hold the next record to project ({error}): it was truncated, "
                "or its retention is shorter than the projector was down",
                remedy="restore the topic, or replay a backup into a new one; if it lost only its "
                "end, and is right, mutua rebuild makes the read models again from it",
            ) from error
        self.app.owner.on_poll()
        return {place: [FetchedSlab(messages)] for place, messages in records.items()}

    def _create_worker_consumer(self, transport: Any) -> Any:
        """Sets the fetch options, for which Faust has no settings."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_min_bytes = self.app.fetch_settings.min_bytes
        consumer._fetch_max_wait_ms = int(self.app.fetch_settings.max_wait_seconds * 1_000)
        return consumer


class SlabConsumer(driver.Consumer):
    """Seeks to and commits the next offsets of the owner, which are durable."""

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
        """Seeks to the positions of the read models, and ignores the offsets committed to Kafka."""
        owner = self.app.owner
        places = {place.partition: place for place in self.assignment()}
        await owner.take_over(places.keys())
        next_offsets = owner.next_offsets
        failpoint("before_seek")
        await self.seek_wait(
            {place: next_offsets[n] for n, place in places.items() if n in next_offsets}
        )
        for place in places.values():
            # So that the next commit includes the partition even if nothing more is projected.
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
        """Adds none, because the records between two first offsets belong to the first slab."""

    def on_buffer_full(self, tp: TP) -> None:
        """Does nothing: a full buffer stops the fetcher, and pausing halves the throughput."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Does nothing: the owner detects stalls, and Faust's check counts messages."""


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
"""Settings of Faust on which this transport depends."""


def make_credentials(security: Mapping[str, Any]) -> Any:
    """Faust's credentials for TLS and SASL options of kafka-python; None without any."""
    options = make_aiokafka_options(security)
    protocol, context = options["security_protocol"], options.get("ssl_context")
    if protocol == "PLAINTEXT":
        return None
    if protocol == "SSL":
        return faust.SSLCredentials(context)
    mechanism = options.get("sasl_mechanism", "PLAIN")
    if mechanism == "GSSAPI":
        return faust.GSSAPICredentials(
            kerberos_service_name=options.get("sasl_kerberos_service_name", "kafka"),
            kerberos_domain_name=options.get("sasl_kerberos_domain_name"),
            ssl_context=context,
            mechanism=mechanism,
        )
    return faust.SASLCredentials(
        username=options.get("sasl_plain_username"),
        password=options.get("sasl_plain_password"),
        ssl_context=context,
        mechanism=mechanism,
    )
