"""What a running mutua measures of itself. A metric is one line here, and told to a `Meter`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COUNTS: Final = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000)


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A name of Prometheus' conventions, what it says, and the names of its labels."""

    name: str
    description: str
    labels: tuple[str, ...] = ()


class Counter(Metric):
    """Only grows, from 0 at the start of a process. Its name ends in `_total`."""


class Gauge(Metric):
    """How something is at the moment it is asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram(Metric):
    """How many values were at most each of `buckets`, how many there were, and their sum."""

    buckets: tuple[float, ...] = _SECONDS


Reading = float | Mapping[tuple[str, ...], float]
"""A value, or one for each of the labels' values."""


class Meter(Protocol):
    """Takes figures, on any thread, in a few microseconds. `labels` are values in order."""

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        """Counts; 0 is worth telling, as a counter that is not there cannot be seen to grow."""

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None: ...

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None:
        """Has `read` called, on another thread, whenever somebody wants to know."""


class _NoOpMeter:
    def add(self, counter: Counter, amount: float, *labels: str) -> None: ...

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None: ...

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None: ...


NO_OP_METER: Final[Meter] = _NoOpMeter()
"""Where nobody wants to know."""

OK: Final = "OK"
"""The outcome of what was not refused and did not fail; others are reasons of the contract, and
`INTERNAL` and `CANCELLED`."""

# Every process.
READY: Final = Gauge("mutua_ready", "1 where a service does its work, else 0.", ("service",))
BUILD_INFO: Final = Gauge("mutua_build_info", "1, of this version.", ("version", "model_version"))
CALL_SECONDS: Final = Histogram(
    "mutua_call_seconds", "Calls, from request to answer.", ("method", "outcome")
)

# Ingest.
INGESTED_FACTS: Final = Counter(
    "mutua_ingest_facts_total", "Facts that were sent, by what became of them.", ("outcome",)
)
APPEND_SECONDS: Final = Histogram(
    "mutua_ingest_append_seconds", "Until what one call or group recorded was durable."
)
QUEUED_BYTES: Final = Gauge(
    "mutua_ingest_queued_bytes", "What waits for the log, 1,000 a fact and its size."
)
QUEUE_LIMIT_BYTES: Final = Gauge("mutua_ingest_queue_limit_bytes", "What may wait for the log.")

# Projectors.
PROJECTOR_PARTITIONS: Final = Gauge(
    "mutua_projector_partitions", "Partitions that this projector has."
)
SLAB_FACTS: Final = Histogram(
    "mutua_projector_slab_facts", "Facts projected in one transaction.", buckets=_COUNTS
)
COMMIT_SECONDS: Final = Histogram(
    "mutua_projector_commit_seconds", "Writing a slab and its position, in one transaction."
)
VISIBLE_SECONDS: Final = Histogram(
    "mutua_projector_visible_seconds", "From recorded to projected, of the last fact of a slab."
)
BUSY_SLABS: Final = Counter(
    "mutua_projector_busy_total", "Slabs that could not be written at once and are tried again."
)

# Whoever answers, of all partitions.
LAG_FACTS: Final = Gauge("mutua_lag_facts", "Facts that are not projected yet.", ("partition",))
# decision 0062: query processes export lag
LAG_SECONDS: Final = Gauge(
    "mutua_lag_seconds",
    "At most so long waits the first fact not projected.",
    ("partition",),
)
PARTITION_HELD: Final = Gauge(
    "mutua_partition_held", "1 where a partition is held at a fact, else 0.", ("partition",)
)
WAITING_FACTS: Final = Gauge("mutua_waiting_facts", "Facts that wait for another.")
QUARANTINED_FACTS: Final = Gauge("mutua_quarantined_facts", "Facts that can never apply.")
CACHE_REQUESTS: Final = Counter(
    "mutua_query_cache_requests_total", "Answers looked up in the cache: hit or miss.", ("result",)
)
CACHE_BYTES: Final = Gauge("mutua_query_cache_bytes", "What the cache of answers takes.")
COLUMNS_BYTES: Final = Gauge(
    "mutua_query_columns_bytes", "What the programmes asked about last take in memory."
)

# A data directory.
DISK_FREE_BYTES: Final = Gauge(
    "mutua_disk_free_bytes", "Room that is left where the data directory is."
)
