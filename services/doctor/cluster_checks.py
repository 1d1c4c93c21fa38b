"""A cluster, seen from where one of its processes is to run: settings, topic, database, clocks."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from typing import Final

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin, TopicDescription
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.database_info import describe_database
from services.doctor import program_checks
from services.doctor.finding import Check, Finding, format_size, memoize, note, ok, parse_problem
from services.ledger.errors import ForeignDataError
from services.ledger.times import SECOND
from services.ledger.wording import format_count
from services.projector.slab import check_same_log
from services.settings import read_settings

_AHEAD_SECONDS: Final = 1.0
_FEW_CONNECTIONS: Final = 20
_SCARCE_BYTES: Final = 1 << 30


def build_checks(known: Collection[str], given: Mapping[str, str]) -> Mapping[str, Check]:
    """By name, for the settings that are given and those of the environment."""
    looked = _Looked(given)

    def settings() -> Iterator[Finding]:
        looked.settings().require_store_url()
        yield from program_checks.check_settings(known)

    return {
        "settings": settings,
        "versions": program_checks.check_versions,
        "topic": lambda: _topic(looked),
        "read models": lambda: _read_models(looked),
        "clock": lambda: _clock(looked),
        "disk": lambda: _disk(looked),
    }


class _Looked:
    """What more than one check looks at. Each raises MutuaError where it cannot be seen."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.settings = memoize(lambda: read_settings(**given))
        self.address = memoize(self._address)
        self.topic = memoize(self._topic)
        self.postgres = memoize(lambda: describe_database(self.settings().require_store_url()))

    def _address(self) -> KafkaAddress:
        settings = self.settings()
        return KafkaAddress.parse(settings.log_url, settings.kafka_options())

    def _topic(self) -> TopicDescription:
        with closing(KafkaAdmin(self.address())) as admin:
            return admin.describe()


def _topic(looked: _Looked) -> Iterator[Finding]:
    topic = looked.topic()
    unfit = topic.find_problems(partition_count=looked.settings().partitions)
    yield from map(parse_problem, unfit)
    leaderless = topic.identity.partition_count - topic.leader_count
    if leaderless:
        partitions = format_count(leaderless, "partition", "has")
        yield parse_problem(f"{partitions} no leader; start the brokers that hold them")
    if topic.replica_count == 1:
        yield note(
            f"each fact of {topic.name} is on one broker",
            "in production, have three and make the topic with --replicas 3",
        )
    if unfit or leaderless:
        return
    with closing(KafkaTopic(looked.address())) as log:
        for number in range(log.partition_count):
            log.get_partition(number).read(0, 1)  # raises where that was deleted
    partitions = format_count(topic.identity.partition_count, "partition")
    yield ok(f"{topic.name} has {partitions} and can be a log")


def _read_models(looked: _Looked) -> Iterator[Finding]:
    postgres = looked.postgres()
    if {mark.log_id for mark in postgres.watermarks} - {looked.topic().identity.log_id}:
        yield parse_problem(
            f"the read models in {postgres.schema} were made from another log; see MUTUA_LOG_URL "
            "and MUTUA_STORE_URL, or have them made again: mutua rebuild"
        )
    else:
        yield from _lost(looked)
    for hold in postgres.holds:
        if hold.is_permanent:
            yield parse_problem(
                f"partition {hold.partition} is held: {hold.reason}; upgrade mutua, or have it "
                f"tried again: mutua topic release {hold.partition}"
            )
    if postgres.free_connection_count < _FEW_CONNECTIONS:
        yield parse_problem(
            f"PostgreSQL has {format_count(postgres.free_connection_count, 'connection')} "
            "left; raise "
            "max_connections: "
            "a projector takes up to 10, a query process 9"
        )
    yield ok(
        f"{postgres.schema} in PostgreSQL {postgres.version}, {format_size(postgres.size_bytes)}"
    )


def _lost(looked: _Looked) -> Iterator[Finding]:
    """What the read models have seen and the log does not hold."""
    with closing(KafkaTopic(looked.address())) as log:
        for mark in looked.postgres().watermarks:
            try:
                check_same_log(log.get_partition(mark.partition), mark)
            except ForeignDataError as foreign:
                yield parse_problem(f"partition {mark.partition}: {foreign.message}")


def _clock(looked: _Looked) -> Iterator[Finding]:
    """Times of facts are the brokers', which tell theirs by the facts they took."""
    seconds = looked.postgres().clock_skew_seconds
    if abs(seconds) > _AHEAD_SECONDS:
        yield parse_problem(
            f"PostgreSQL's clock is {seconds:+,.0f} s off this machine's; have both set by NTP"
        )
    looked.topic()  # a broker that is away was told of
    with closing(KafkaTopic(looked.address())) as log:
        ahead = max((_ahead(log, *each) for each in log.ends().items()), default=0.0)
    if ahead > _AHEAD_SECONDS:
        yield parse_problem(
            f"the last fact was recorded {ahead:,.0f} s from now; have the clocks of the brokers "
            "and of this machine set by NTP"
        )
    if max(abs(seconds), ahead) <= _AHEAD_SECONDS:
        yield ok("PostgreSQL's and this machine's agree, and no fact is from the future")


def _ahead(log: KafkaTopic, partition: int, end: int) -> float:
    """How far the last record of a partition is from the future."""
    last = log.get_partition(partition).read(end - 1, 1) if end else []
    return last[0].record_time / SECOND - time.time() if last else 0.0


def _disk(looked: _Looked) -> Iterator[Finding]:
    looked.topic()
    with closing(KafkaAdmin(looked.address())) as admin:
        rooms = admin.describe_log_directories()
    for room in rooms:
        if room.free_bytes is not None and room.free_bytes < _SCARCE_BYTES:
            yield parse_problem(
                f"broker {room.broker_id} has {format_size(room.free_bytes)} left in "
                f"{room.path}; give it "
                "more: the log only grows"
            )
    told = [room.free_bytes for room in rooms if room.free_bytes is not None]
    if not told:
        yield note("the brokers do not tell how much room they have", "watch their disks")
    elif min(told) >= _SCARCE_BYTES:
        yield ok(
            f"{format_size(min(told))} are free on the brokers; PostgreSQL does not tell its room"
        )
