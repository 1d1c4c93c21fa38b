"""The metrics of a running mutua. Each is declared here once and recorded through a `Meter`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COUNTS: Final = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000)


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric by its Prometheus name, with its HELP text and the names of its labels."""

    name: str
    description: str
    labels: tuple[str, ...] = ()


class Counter(Metric):
    """A count that starts at 0 with the process and only grows. Its name ends in `_total`."""


class Gauge(Metric):
    """A value at the moment of the scrape."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram(Metric):
    """Observed values, counted by upper bounds in `buckets`, with their count and sum."""

    buckets: tuple[float, ...] = _SECONDS


Reading = float | Mapping[tuple[str, ...], float]
"""One value, or one by the values of the labels."""


class Meter(Protocol):
    """Records metrics on any thread in a few microseconds. `labels` are values in label order."""

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        """Adds to a counter. Adding 0 exports it, because `rate()` misses a series' first value."""

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None: ...

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None:
        """Calls `read` at every scrape, on another thread."""


class _NoOpMeter:
    def add(self, counter: Counter, amount: float, *labels: str) -> None: ...

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None: ...

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None: ...


NO_OP_METER: Final[Meter] = _NoOpMeter()
"""The meter of a process without a metrics address."""

OK: Final = "OK"
"""The outcome of a success. Other outcomes are the contract's error reasons, `INTERNAL` and
`CANCELLED`."""

# Every process.
READY: Final = Gauge("mutua_ready", "1 while the service is ready, else 0.", ("service",))
BUILD_INFO: Final = Gauge(
    "mutua_build_info", "Always 1, labelled with the version.", ("version", "model_version")
)
CALL_SECONDS: Final = Histogram("mutua_call_seconds", "Duration of calls.", ("method", "outcome"))

# Ingest.
INGESTED_FACTS: Final = Counter(
    "mutua_ingest_facts_total", "Received facts by outcome.", ("outcome",)
)
APPEND_SECONDS: Final = Histogram(
    "mutua_ingest_append_seconds", "Time until the facts of one append are durable."
)
QUEUED_BYTES: Final = Gauge(
    "mutua_ingest_queued_bytes", "Bytes queued for the log, 1,000 per fact and its size."
)
QUEUE_LIMIT_BYTES: Final = Gauge(
    "mutua_ingest_queue_limit_bytes", "Limit of the bytes queued for the log."
)

# Projectors.
PROJECTOR_PARTITIONS: Final = Gauge(
    "mutua_projector_partitions", "Partitions assigned to this projector."
)
SLAB_FACTS: Final = Histogram(
    "mutua_projector_slab_facts", "Facts per projection transaction.", buckets=_COUNTS
)
COMMIT_SECONDS: Final = Histogram(
    "mutua_projector_commit_seconds", "Duration of the transaction that writes a slab."
)
VISIBLE_SECONDS: Final = Histogram(
    "mutua_projector_visible_seconds",
    "Time from recording to projection, of the last fact of a slab.",
)
BUSY_SLABS: Final = Counter(
    "mutua_projector_busy_total",
    "Failed attempts to write a slab because the database was locked, away or full; each is "
    "retried.",
)

# Query processes and the embedded server, for all partitions.
LAG_FACTS: Final = Gauge("mutua_lag_facts", "Facts not projected yet.", ("partition",))
# decision 0062: query processes export lag
LAG_SECONDS: Final = Gauge(
    "mutua_lag_seconds",
    "How long the oldest unprojected fact has been waiting at most; without a projected fact in "
    "the partition, time since this process first looked.",
    ("partition",),
)
PARTITION_HELD: Final = Gauge(
    "mutua_partition_held", "1 while the partition is held at a record, else 0.", ("partition",)
)
WAITING_FACTS: Final = Gauge("mutua_waiting_facts", "Facts that wait for another fact.")
QUARANTINED_FACTS: Final = Gauge("mutua_quarantined_facts", "Facts that can never apply.")
CACHE_REQUESTS: Final = Counter(
    "mutua_query_cache_requests_total", "Answer cache lookups by result, hit or miss.", ("result",)
)
CACHE_BYTES: Final = Gauge("mutua_query_cache_bytes", "Memory used by the answer cache.")
COLUMNS_BYTES: Final = Gauge(
    "mutua_query_columns_bytes", "Memory used by the columns of recently queried programmes."
)
WATCH_FEEDS: Final = Gauge("mutua_watch_feeds", "Distinct questions that are watched.")
WATCH_SUBSCRIBERS: Final = Gauge("mutua_watch_subscribers", "Streams of watches, by gRPC and HTTP.")

# A data directory.
DISK_FREE_BYTES: Final = Gauge(
    "mutua_disk_free_bytes", "Free space on the disk of the data directory."
)
