"""Commands on a topic: create, describe, replay, export and release."""

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import KafkaAdmin, TopicDescription
from services.adapters.kafka.log import KafkaLog
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres import store
from services.exports import log_export as exports
from services.exports.export_file import open_atomic
from services.exports.log_replay import ExportedLog
from services.exports.partition_replay import replay_partitions
from services.ledger.errors import LogUnavailableError
from services.ledger.records import Hold
from services.ledger.times import Instant
from services.settings import Settings

_OPEN_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02
_NO_LIMIT: Final = 10**9


def create(
    settings: Settings, *, partition_count: int, replica_count: int | None
) -> TopicDescription:
    """Creates the topic unless it exists, and describes it. See `KafkaAdmin.create`."""
    with closing(KafkaAdmin(_address(settings))) as admin:
        admin.create(partition_count=partition_count, replica_count=replica_count)
        return admin.describe()


def describe(settings: Settings) -> TopicDescription:
    """What the topic is. Raises UnusableTopicError when it is not there, LogUnavailableError when
    no broker answers.
    """
    with closing(KafkaAdmin(_address(settings))) as admin:
        return admin.describe()


def replay(
    path: Path, settings: Settings, *, now: Instant, progress: Callable[[str, int, int], None]
) -> int:
    """Replays an exported log into the topic, or resumes that; returns the number of records.

    Nothing is recorded unless every line is valid; see `exports.replay_partitions`. `progress` is
    called with a verb ("replayed"), the number of records done, and the total.
    """
    file = ExportedLog(path, now=now)
    file.check(partial(progress, "checked"))
    address = _address(settings)
    with ExitStack() as resources:
        topic = resources.enter_context(closing(KafkaTopic(address)))
        log = KafkaLog(
            address,
            partition_count=settings.partitions,
            queue_bytes=settings.queue_bytes,
            facts_per_second=_NO_LIMIT,
            deduplicates=False,  # duplicates in the file stay duplicates on the log
        )
        resources.enter_context(closing(log))
        _wait_until_ready(log)
        replay_partitions(file, log, topic, partial(progress, "replayed"))
    return file.header.record_count


def export(
    path: Path,
    settings: Settings,
    *,
    programme_id: str,
    force: bool,
    progress: exports.RecordProgress,
) -> exports.ExportResult:
    """Exports the current records of the topic into a file; see `exports.log.export_log`.

    Raises ForeignDataError when the topic no longer holds its first records.
    """
    with closing(KafkaTopic(_address(settings))) as log, open_atomic(path, force=force) as file:
        return exports.export_log(log, file, programme_id=programme_id, progress=progress)


def release(settings: Settings, partitions: Collection[int]) -> list[Hold]:
    """Releases held partitions, so that projectors retry them; see `postgres_store.release`."""
    return store.release_holds(settings.require_store_url(), partitions)


def _address(settings: Settings) -> KafkaAddress:
    return KafkaAddress.parse(settings.log_url, settings.kafka_options())


def _wait_until_ready(log: KafkaLog) -> None:
    deadline = time.monotonic() + _OPEN_SECONDS
    while log.unready_reason:
        if time.monotonic() > deadline:
            raise LogUnavailableError(log.unready_reason)
        time.sleep(_POLL_SECONDS)
