"""A worker without Faust, on a log in memory and a store that fails as often as asked."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from services.adapters.kafka.topic import make_record_reader
from services.adapters.sqlite.store import SqliteStore
from services.ledger.changes import ProgrammeChanges
from services.ledger.errors import StoreBusyError, SupersededReadModelsError
from services.ledger.ports import Partition
from services.ledger.records import Record, Watermark
from services.ledger.times import SECOND
from services.projector.partition_projector import PartitionProjector
from services.projector.projection_thread import ProjectionThread
from services.projector.worker import Worker
from tests.faults.server_process import facts

LOG_ID = "0" * 32
PROGRAMME = "default"
VALUES = [event.SerializeToString() for event in facts(0, 40)]


class FakeLog:
    """One partition, as `Worker` looks things up in it."""

    partition_count, epoch = 1, 0
    origins: Mapping[str, int] = {}

    def __init__(
        self,
        values: Sequence[bytes],
        log_id: str = LOG_ID,
        times: Sequence[int] = (),
        number: int = 0,
    ) -> None:
        """`times` are in microseconds; without them all is recorded at once."""
        self.log_id = log_id
        self.number = number
        self.values = list(values)
        self.times = list(times) or [5 * SECOND] * len(values)

    def find_partition(self, programme_id: str) -> int:
        return 0

    def get_partition(self, number: int) -> Partition:
        return self

    def read(self, next_offset: int, limit: int) -> list[Record]:
        chosen = self.values[next_offset : next_offset + limit]
        return [
            Record(next_offset + index, self.times[next_offset + index], PROGRAMME, value)
            for index, value in enumerate(chosen)
        ]

    def end(self) -> int:
        return len(self.values)

    def check_identity(self) -> None:
        pass

    def leader_epochs(self) -> Mapping[int, int]:
        return {0: self.epoch}

    def fetch(self, start: int, end: int) -> list[Any]:
        """Records as aiokafka reads them."""
        return [
            SimpleNamespace(
                offset=start + index,
                timestamp=self.times[start + index] // 1_000,
                key=PROGRAMME.encode(),
                value=value,
            )
            for index, value in enumerate(self.values[start:end])
        ]


class FailingStore(SqliteStore):
    """Fails as often as asked at a slab that has the record at `poison`."""

    poison: int | None = None
    busy = 0
    away = 0
    is_superseded = False
    calls: ClassVar[list[tuple[Any, ...]]] = []

    def read_watermark(self, partition: int) -> Watermark | None:
        FailingStore.calls.append(("watermark", partition))
        if self.away:
            FailingStore.away -= 1
            raise StoreBusyError("it does not answer")
        return super().read_watermark(partition)

    def fence(self, partitions: Collection[int]) -> None:
        FailingStore.calls.append(("fence", *partitions))

    def require_current(self) -> None:
        if self.is_superseded:
            raise SupersededReadModelsError("others are to be written")

    def commit(self, changes: Sequence[ProgrammeChanges], start: int, end: Watermark) -> None:
        if self.busy:
            FailingStore.busy -= 1
            raise StoreBusyError("somebody else has it")
        if self.poison is not None and start <= self.poison < end.next_offset:
            raise ZeroDivisionError("a rule divides by nothing")
        super().commit(changes, start, end)


class RunningWorker:
    """A worker, and why it ended."""

    def __init__(self, log: FakeLog, path: Path, min_prefetch_records: int = 1) -> None:
        self.log = log
        self.reasons: list[str] = []
        self.worker = Worker(
            log=log,
            open_store=lambda: FailingStore(path),
            on_ready=lambda: None,
            on_superseded=self.reasons.append,
            on_failure=self.reasons.append,
            min_prefetch_records=min_prefetch_records,
        )

    def take_over(self, *partitions: int) -> None:
        asyncio.run(self.worker.take_over(partitions))

    def project(self, start: int, end: int) -> None:
        found = self.log.fetch(start, end)
        self.worker.on_fetch(0, found)
        asyncio.run(self.worker.project(0, found))

    @property
    def next_offset(self) -> int:
        return self.worker.next_offsets[0]


def make_partition(log: FakeLog) -> PartitionProjector:
    """A partition of which nothing is projected, with read models that only say so."""
    store: Any = SimpleNamespace(read_watermark=lambda _: None, read_hold=lambda _: None)
    thread = ProjectionThread(0)
    thread.reopen(lambda: store)
    return PartitionProjector(
        log,
        thread,
        leader_epoch=log.epoch,
        read_record=make_record_reader(log.number, log.partition_count),
        retry=lambda write: write(),
    )
