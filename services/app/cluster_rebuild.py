"""Read models of a cluster made again beside live traffic, and the way back.

What was made, or was kept, is brought level by whoever runs this and switched to, while those that
answer stand still for a moment; it is kept level from here until a projector goes on with it. So
facts are projected and questions answered all the while, and there is nothing half done that
somebody would have to know of.
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
from services.projector.slab import check_same_log, project_slab
from services.settings import Settings

RebuildProgress = Callable[[int, int], None]
"""Is called with the facts done and the facts there are."""
SwitchOverCallback = Callable[[list[str]], None]
"""Is called once the new read models answer, with the names of those that are kept."""

_LOOK_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 0.05
"""Between looks at the ends of the log: Kafka tells nobody that something was recorded."""
_FEW: Final = 2_000
"""Facts that are projected in a moment."""
_SLAB: Final = 5_000
_SET_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


# decision 0089: a rebuild switches over by itself
def rebuild(
    settings: Settings, *, on_progress: RebuildProgress, on_switch_over: SwitchOverCallback
) -> None:
    """Makes new read models from the whole log and has them answer; returns when a projector has
    gone on with them.

    Raises DataInUseError when somebody else does, NewerSchemaError when a newer mutua is at work,
    LogUnavailableError when Kafka or PostgreSQL do not answer; then those that answered go on.
    """
    with _at_work(settings) as (log, succession):
        new = succession.create_build()
        _build(log, settings.store_url, new, succession, on_progress)
        succession.finish_build(new)
        failpoint("after_building")
        _replace(log, settings.store_url, new, succession, on_progress, on_switch_over)


def switch_back(
    settings: Settings, *, on_progress: RebuildProgress, on_switch_over: SwitchOverCallback
) -> None:
    """Has those that answered last before answer again, once they are level.

    Raises as `rebuild` does, NotFoundError when none are kept, and ForeignDataError when these were
    made from another log.
    """
    with _at_work(settings) as (log, succession):
        before = succession.find_previous()
        with closing(PostgresStore(settings.store_url, build=before)) as store:
            for number in range(log.partition_count):
                check_same_log(log.get_partition(number), store.read_watermark(number))
        _replace(log, settings.store_url, before, succession, on_progress, on_switch_over)


def drop_superseded(settings: Settings) -> list[str]:
    """Drops the read models that do not answer any more, and returns their names."""
    with closing(PostgresRebuild(settings.require_store_url())) as succession:
        return succession.drop_superseded()


@contextmanager
def _at_work(settings: Settings) -> Iterator[tuple[KafkaTopic, PostgresRebuild]]:
    address = KafkaAddress.parse(settings.log_url, settings.kafka_options())
    with (
        closing(KafkaTopic(address, partition_count=settings.partitions)) as log,
        closing(PostgresRebuild(settings.require_store_url())) as succession,
    ):
        try:
            yield log, succession
        except StoreBusyError as busy:
            raise LogUnavailableError(f"{busy}; those that answer go on") from busy
        except SupersededReadModelsError as superseded:
            raise DataInUseError(f"{superseded}; start mutua rebuild again") from superseded


def _build(
    log: KafkaTopic,
    store_url: str,
    new: Build,
    succession: PostgresRebuild,
    on_progress: RebuildProgress,
) -> None:
    """Builds partitions side by side, the longest first, up to where the log ends now."""
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
                done, under_way = wait(under_way, _LOOK_SECONDS, FIRST_EXCEPTION)
                for each in done:
                    each.result()
                if built := sum(succession.read_positions(new.schema, log.log_id).values()):
                    on_progress(built, sum(ends.values()))
        except BrokenProcessPool as error:
            raise FailedPreconditionError(
                "a process that builds was ended, by whoever ends those that take too much memory "
                "or by hand; those that answered go on; start mutua rebuild again"
            ) from error
        except BaseException:
            for child in active_children():
                child.terminate()
            raise


def _begin_child() -> None:
    """Ctrl-C is for who started us; when that is killed, this ends too (Linux)."""
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


def _replace(
    log: KafkaTopic,
    store_url: str,
    new: Build,
    succession: PostgresRebuild,
    on_progress: RebuildProgress,
    on_answering: SwitchOverCallback,
) -> None:
    """Brings a build level, has it answer, and keeps it level until somebody projects into it."""
    with closing(_Follower(log, store_url, new, succession, on_progress)) as follower:
        while follower.advance() > _FEW:
            pass
        new = succession.switch_over(new, log.log_id, follower.reach)
    on_answering(succession.list_superseded())
    with closing(_Follower(log, store_url, new, succession)) as follower:
        try:
            while not succession.is_projected(new):
                if not follower.advance():
                    time.sleep(_PAUSE_SECONDS)
        except FencedWriterError:
            pass  # somebody projects


class _Follower:
    """Keeps read models level that nobody else projects into."""

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
        """Projects what is new on the log; how many facts that were."""
        before, ends = sum(self._positions.values()), self._log.ends()
        for number, end in ends.items():
            with suppress(UnknownFactKindError):  # what needs a later version is waited for
                while self._project(number, end):
                    self._on_progress(sum(self._positions.values()), sum(ends.values()))
        return sum(self._positions.values()) - before

    def reach(self, wanted: Mapping[int, int]) -> None:
        """Brings them to these positions.

        Raises NewerSchemaError when that needs a later version.
        """
        for number, end in wanted.items():
            try:
                while self._project(number, end):
                    pass
            except UnknownFactKindError as held:
                raise NewerSchemaError(
                    f"those that answer went on where this cannot: {held}"
                ) from held

    def _project(self, number: int, end: int) -> bool:
        """Projects a slab of a partition, unless that is at `end`; whether there was one.

        There is none either where the log was cut before it.
        """
        position = self._positions.get(number, 0)
        records = self._log.get_partition(number).read(position, _SLAB) if position < end else []
        if records:
            reached = project_slab(self._store, self._log.log_id, records, partition=number)
            self._positions[number] = reached.next_offset
        return bool(records)
