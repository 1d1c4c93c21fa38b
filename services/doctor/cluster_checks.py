"""Checks of a cluster from this machine: settings, topic, read models, clocks and disks."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from typing import Final

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin, TopicDescription
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.database_info import describe_database
from services.doctor import program_checks
from services.doctor.finding import (
    Check,
    Finding,
    format_size,
    from_error,
    memoize,
    note,
    ok,
    problem,
)
from services.ledger.errors import ForeignDataError
from services.ledger.times import SECOND
from services.ledger.wording import format_count
from services.projector.watermarks import check_log_holds_watermark
from services.settings import read_settings

_CLOCK_TOLERANCE_SECONDS: Final = 1.0
_MIN_FREE_CONNECTIONS: Final = 20
_SCARCE_BYTES: Final = 1 << 30


def build_checks(settings: Collection[str], options: Mapping[str, str]) -> Mapping[str, Check]:
    """The checks by name. `options` are settings that override those of the environment."""
    cluster = _ClusterProbe(options)

    def check_settings() -> Iterator[Finding]:
        cluster.settings().require_store_url()
        yield from program_checks.check_settings(settings)

    return {
        "settings": check_settings,
        "versions": program_checks.check_versions,
        "topic": lambda: _check_topic(cluster),
        "read models": lambda: _check_read_models(cluster),
        "clock": lambda: _check_clocks(cluster),
        "disk": lambda: _check_disks(cluster),
    }


class _ClusterProbe:
    """State that several checks read, once. Every read raises MutuaError if it fails."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.settings = memoize(lambda: read_settings(**options))
        self.address = memoize(self._read_address)
        self.topic = memoize(self._read_topic)
        self.postgres = memoize(lambda: describe_database(self.settings().require_store_url()))

    def _read_address(self) -> KafkaAddress:
        settings = self.settings()
        return KafkaAddress.parse(settings.log_url, settings.kafka_options())

    def _read_topic(self) -> TopicDescription:
        with closing(KafkaAdmin(self.address())) as admin:
            return admin.describe()


def _check_topic(cluster: _ClusterProbe) -> Iterator[Finding]:
    topic = cluster.topic()
    problems = topic.find_problems(partition_count=cluster.settings().partitions)
    yield from map(from_error, problems)
    leaderless_count = topic.identity.partition_count - topic.leader_count
    if leaderless_count:
        partitions = format_count(leaderless_count, "partition", "has")
        yield problem(f"{partitions} no leader", "start the brokers that hold them")
    if topic.replica_count == 1:
        yield note(
            f"every fact of {topic.name} is on a single broker",
            "in production, use three brokers and make the topic with --replicas 3",
        )
    if problems or leaderless_count:
        return
    with closing(KafkaTopic(cluster.address())) as log:
        for number in range(log.partition_count):
            log.get_partition(number).read(0, 1)  # raises if the first record was deleted
    partitions = format_count(topic.identity.partition_count, "partition")
    yield ok(f"{topic.name} has {partitions} and can be a log")


def _check_read_models(cluster: _ClusterProbe) -> Iterator[Finding]:
    postgres = cluster.postgres()
    if {watermark.log_id for watermark in postgres.watermarks} - {cluster.topic().identity.log_id}:
        yield problem(
            f"the read models in {postgres.schema} were made from another log",
            "check MUTUA_LOG_URL and MUTUA_STORE_URL, or build them again: mutua rebuild",
        )
    else:
        yield from _check_watermarks(cluster)
    for hold in postgres.holds:
        if hold.stops_partition:
            yield problem(
                f"partition {hold.partition} is held: {hold.reason}",
                f"upgrade mutua, or release it: mutua topic release {hold.partition}",
            )
    if postgres.free_connection_count < _MIN_FREE_CONNECTIONS:
        yield problem(
            f"PostgreSQL has {format_count(postgres.free_connection_count, 'connection')} left",
            "raise max_connections: a projector uses up to 10, a query process 9",
        )
    yield ok(
        f"{postgres.schema} in PostgreSQL {postgres.version}, {format_size(postgres.size_bytes)}"
    )


def _check_watermarks(cluster: _ClusterProbe) -> Iterator[Finding]:
    """Checks that the log holds what the read models were built from."""
    with closing(KafkaTopic(cluster.address())) as log:
        for watermark in cluster.postgres().watermarks:
            try:
                check_log_holds_watermark(log.get_partition(watermark.partition), watermark)
            except ForeignDataError as error:
                yield problem(f"partition {watermark.partition}: {error.problem}", error.remedy)


def _check_clocks(cluster: _ClusterProbe) -> Iterator[Finding]:
    """Compares the clocks of PostgreSQL and, by the last facts, of the brokers with this one."""
    skew_seconds = cluster.postgres().clock_skew_seconds
    if abs(skew_seconds) > _CLOCK_TOLERANCE_SECONDS:
        yield problem(
            f"PostgreSQL's clock is {skew_seconds:+,.0f} s off this machine's",
            "set both by NTP",
        )
    cluster.topic()  # raises if the broker is down
    with closing(KafkaTopic(cluster.address())) as log:
        ahead_seconds = max(
            (_seconds_ahead(log, number, end) for number, end in log.ends().items()), default=0.0
        )
    if ahead_seconds > _CLOCK_TOLERANCE_SECONDS:
        yield problem(
            f"the last fact was recorded {ahead_seconds:,.0f} s from now",
            "set the clocks of the brokers and of this machine by NTP",
        )
    if max(abs(skew_seconds), ahead_seconds) <= _CLOCK_TOLERANCE_SECONDS:
        yield ok("PostgreSQL and this machine agree, and no fact is from the future")


def _seconds_ahead(log: KafkaTopic, partition: int, end: int) -> float:
    """How far the time of the last record lies in the future."""
    last = log.get_partition(partition).read(end - 1, 1) if end else []
    return last[0].record_time / SECOND - time.time() if last else 0.0


def _check_disks(cluster: _ClusterProbe) -> Iterator[Finding]:
    cluster.topic()
    with closing(KafkaAdmin(cluster.address())) as admin:
        folders = admin.describe_log_directories()
    for folder in folders:
        if folder.free_bytes is not None and folder.free_bytes < _SCARCE_BYTES:
            yield problem(
                f"broker {folder.broker_id} has {format_size(folder.free_bytes)} left in "
                f"{folder.path}",
                "add disk space: the log only grows",
            )
    sizes = [folder.free_bytes for folder in folders if folder.free_bytes is not None]
    if not sizes:
        yield note("the brokers do not report their free space", "watch their disks")
    elif min(sizes) >= _SCARCE_BYTES:
        yield ok(
            f"{format_size(min(sizes))} are free on the brokers; PostgreSQL does not report its own"
        )
