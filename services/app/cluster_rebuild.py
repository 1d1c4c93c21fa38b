"""Rebuilds the read models of a cluster next to live traffic, and switches back.

This process brings the new or the previous read models up to the log and makes them active, while
the active ones stop for a moment. It then keeps projecting into them until a projector takes over.
So facts are projected and questions answered all the time. An interrupted rebuild leaves nothing to
repair.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from multiprocessing import active_children, get_context, parent_process
from operator import itemgetter
from typing import Final

from services.adapters.failpoint import failpoint
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.admin import TopicIdentity
from services.adapters.kafka.partition_scan import KafkaPartitionScan
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.rebuild import PostgresRebuild, PostgresRebuildStore
from services.adapters.postgres.schema import Build
from services.adapters.postgres.store import PostgresStore
from services.ledger.errors import (
    DataInUseError,
    FailedPreconditionError,
    FencedWriterError,
    LogUnavailableError,
    NewerSchemaError,
    StoreBusyError,
    SupersededReadModelsError,
    UnknownFactKindError,
)
from services.projector.rebuild import build
from services.projector.slab import project_slab
from services.projector.watermarks import check_log_holds_watermark
from services.settings import Settings

RebuildProgress = Callable[[int, int], None]
"""Called with the number of facts done and the total."""
SwitchOverCallback = Callable[[list[str]], None]
"""Called once the new read models are active, with the names of the superseded ones."""

_REPORT_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.05
"""Polling interval for the ends of the log."""
_SWITCH_OVER_LAG: Final = 2_000
"""Lag, in facts, from which the switch-over starts."""
_SLAB: Final = 5_000
_SET_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


# decision 0089: a rebuild switches over by itself
def rebuild(
    settings: Settings, *, on_progress: RebuildProgress, on_switch_over: SwitchOverCallback
) -> None:
    """Builds read models from the whole log and makes them active.

    Returns when a projector has taken them over. Raises DataInUseError when another rebuild runs,
    NewerSchemaError for read models of a newer mutua, LogUnavailableError when Kafka or PostgreSQL
    do not answer; the active read models then stay active.
    """
    with _open_rebuild(settings) as (log, succession):
        new = succession.create_build()
        _build(log, settings.store_url, new, succession, on_progress)
        succession.finish_build(new)
        failpoint("after_building")
        _switch_over(log, settings.store_url, new, succession, on_progress, on_switch_over)


def switch_back(
    settings: Settings, *, on_progress: RebuildProgress, on_switch_over: SwitchOverCallback
) -> None:
    """Makes the previous read models active again, once they are up to date.

    Raises as `rebuild` does, NotFoundError when there are none, and ForeignDataError when they were
    made from another log.
    """
    with _open_rebuild(settings) as (log, succession):
        before = succession.find_previous()
        with closing(PostgresStore(settings.store_url, build=before)) as store:
            for number in range(log.partition_count):
                check_log_holds_watermark(log.get_partition(number), store.read_watermark(number))
        _switch_over(log, settings.store_url, before, succession, on_progress, on_switch_over)


def drop_superseded(settings: Settings) -> list[str]:
    """Drops superseded read models and returns their names."""
    with closing(PostgresRebuild(settings.require_store_url())) as succession:
        return succession.drop_superseded()


@contextmanager
def _open_rebuild(settings: Settings) -> Iterator[tuple[KafkaTopic, PostgresRebuild]]:
    address = KafkaAddress.parse(settings.log_url, settings.kafka_options())
    with (
        closing(KafkaTopic(address, partition_count=settings.partitions)) as log,
        closing(PostgresRebuild(settings.require_store_url())) as succession,
    ):
        try:
            yield log, succession
        except StoreBusyError as busy:
            raise LogUnavailableError(f"{busy}, and the active read models stay") from busy
        except SupersededReadModelsError as superseded:
            raise DataInUseError(
                superseded.message, remedy="start mutua rebuild again"
            ) from superseded


def _build(
    log: KafkaTopic,
    store_url: str,
    new: Build,
    succession: PostgresRebuild,
    on_progress: RebuildProgress,
) -> None:
    """Builds the partitions up to the current ends of the log in parallel, the longest first."""
    ends = {number: end for number, end in log.ends().items() if end}
    if not ends:
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(min(len(ends), os.cpu_count() or 1), context, _begin_child) as pool:
        under_way = {
            pool.submit(_build_partition, log.address, log.identity, store_url, new, number, end)
            for number, end in sorted(ends.items(), key=itemgetter(1), reverse=True)
        }
        try:
            while under_way:
                done, under_way = wait(under_way, _REPORT_SECONDS, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if built := sum(succession.read_positions(new.schema, log.log_id).values()):
                    on_progress(built, sum(ends.values()))
        except BrokenProcessPool as error:
            raise FailedPreconditionError(
                "a building process was killed, by hand or for lack of memory, and the active "
                "read models stay",
                remedy="start mutua rebuild again",
            ) from error
        except BaseException:
            for child in active_children():
                child.terminate()
            raise


def _begin_child() -> None:
    """Ignores Ctrl-C, which the parent handles, and dies with the parent (on Linux)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    parent = parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)  # it was killed before


def _build_partition(
    address: KafkaAddress,
    identity: TopicIdentity,
    store_url: str,
    new: Build,
    number: int,
    end: int,
) -> int:
    with (
        closing(KafkaPartitionScan(address, identity, number, end)) as partition,
        closing(PostgresRebuildStore(store_url, build=new)) as store,
    ):
        return build(partition, store, on_progress=lambda _: None)


def _switch_over(
    log: KafkaTopic,
    store_url: str,
    new: Build,
    succession: PostgresRebuild,
    on_progress: RebuildProgress,
    on_answering: SwitchOverCallback,
) -> None:
    """Catches a build up, makes it active, and projects into it until a projector takes over."""
    with closing(_Follower(log, store_url, new, succession, on_progress)) as follower:
        while follower.advance() > _SWITCH_OVER_LAG:
            pass
        new = succession.switch_over(new, log.log_id, follower.advance_to)
    on_answering(succession.list_superseded())
    with closing(_Follower(log, store_url, new, succession)) as follower:
        try:
            while not succession.is_projected(new):
                if not follower.advance():
                    time.sleep(_POLL_SECONDS)
        except FencedWriterError:
            pass  # a projector took over


class _Follower:
    """Projects into read models that no projector writes."""

    def __init__(
        self,
        log: KafkaTopic,
        store_url: str,
        models: Build,
        succession: PostgresRebuild,
        on_progress: RebuildProgress = lambda *_: None,
    ) -> None:
        self._log = log
        self._on_progress = on_progress
        self._store = PostgresStore(store_url, build=models)
        self._positions = succession.read_positions(models.schema, log.log_id)

    def close(self) -> None:
        self._store.close()

    def advance(self) -> int:
        """Projects all new records and returns their number."""
        before, ends = sum(self._positions.values()), self._log.ends()
        for number, end in ends.items():
            with suppress(UnknownFactKindError):  # the partition waits for a later version
                while self._project(number, end):
                    self._on_progress(sum(self._positions.values()), sum(ends.values()))
        return sum(self._positions.values()) - before

    def advance_to(self, positions: Mapping[int, int]) -> None:
        """Projects up to these positions.

        Raises NewerSchemaError when a record before them needs a later version.
        """
        for number, end in positions.items():
            try:
                while self._project(number, end):
                    pass
            except UnknownFactKindError as error:
                raise NewerSchemaError(
                    f"the active read models are past a record unknown to this version: {error}"
                ) from error

    def _project(self, number: int, end: int) -> bool:
        """Projects one slab before `end`; returns False where there is none."""
        position = self._positions.get(number, 0)
        records = self._log.get_partition(number).read(position, _SLAB) if position < end else []
        if records:
            reached = project_slab(self._store, self._log.log_id, records, partition=number)
            self._positions[number] = reached.next_offset
        return bool(records)
