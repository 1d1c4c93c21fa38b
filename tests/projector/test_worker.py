"""The Faust worker without Faust: what it does with slabs, and when it ends or holds."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from services.adapters.sqlite.store import SqliteStore
from services.ledger.changes import ProgrammeChanges
from services.ledger.errors import StoreBusyError, SupersededReadModelsError
from services.ledger.ports import Partition
from services.ledger.records import MAX_PROJECTION_CRASHES, Hold, Record, Watermark
from services.ledger.times import SECOND
from services.projector.worker import Worker
from tests.faults.server_process import facts
from tests.projector.newer_facts import newer_fact

LOG_ID, OTHER_LOG_ID = "0" * 32, "1" * 32
PROGRAMME = "default"
VALUES = [event.SerializeToString() for event in facts(0, 40)]


class FakeLog:
    """One partition, as `Worker` looks things up in it."""

    partition_count, number, epoch = 1, 0, 0
    origins: Mapping[str, int] = {}

    def __init__(
        self, values: Sequence[bytes], log_id: str = LOG_ID, times: Sequence[int] = ()
    ) -> None:
        """`times` are in microseconds; without them all is recorded at once."""
        self.log_id = log_id
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

    def __init__(self, log: FakeLog, path: Path) -> None:
        self.log = log
        self.reasons: list[str] = []
        self.worker = Worker(
            log=log,
            open_store=lambda: FailingStore(path),
            on_ready=lambda: None,
            on_superseded=self.reasons.append,
            on_failure=self.reasons.append,
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


Start = Callable[..., RunningWorker]


@pytest.fixture(params=[1, 1_000], ids=["read ahead", "read when it is its turn"])
def start(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Starts a worker that has taken over the partition."""
    monkeypatch.setattr("services.projector.worker.MIN_PREFETCH_RECORDS", request.param)
    monkeypatch.setattr(FailingStore, "poison", None)
    monkeypatch.setattr(FailingStore, "busy", 0)
    monkeypatch.setattr(FailingStore, "away", 0)
    monkeypatch.setattr(FailingStore, "is_superseded", False)
    monkeypatch.setattr(FailingStore, "calls", [])
    started: list[RunningWorker] = []

    def start(log: FakeLog | None = None) -> RunningWorker:
        started.append(RunningWorker(log or FakeLog(VALUES), tmp_path / "read.sqlite"))
        started[-1].take_over(0)
        return started[-1]

    yield start
    for each in started:
        each.worker.close()


def hold(path: Path) -> Hold | None:
    with closing(SqliteStore(path)) as store:
        return store.read_hold(0)


def test_next_worker_resumes_at_the_projected_offset(start: Start) -> None:
    first = start()
    first.project(0, 10)
    first.project(10, 25)
    assert (first.next_offset, start().next_offset, first.reasons) == (25, 25, [])


def test_takeover_waits_for_unavailable_read_models(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FailingStore, "away", 2)
    running = start()
    running.project(0, 10)
    assert (FailingStore.away, running.next_offset, running.reasons) == (0, 10, [])


def test_takeover_fences_previous_owner_before_it_reads_positions(start: Start) -> None:
    start()
    assert FailingStore.calls == [("fence", 0), ("watermark", 0)]


def test_projected_records_are_skipped(start: Start) -> None:
    running = start()
    running.project(0, 10)
    running.project(0, 10)
    running.project(5, 15)
    assert (running.next_offset, running.reasons) == (15, [])


def test_slab_of_a_revoked_partition_is_skipped(start: Start) -> None:
    running = start()
    running.take_over()
    running.project(0, 10)
    assert running.reasons == []
    assert start().next_offset == 0


def test_gap_before_a_slab_ends_the_worker(start: Start) -> None:
    running = start()
    running.project(1, 10)
    assert "partition 0 is at offset 0, but the fetched records are 1 to 9" in running.reasons[0]
    assert running.next_offset == 0


def test_gap_inside_a_slab_ends_the_worker(start: Start) -> None:
    running = start()
    slab = running.log.fetch(0, 10)
    del slab[4]
    asyncio.run(running.worker.project(0, slab))
    assert "the fetched records are 0 to 9, 9 of them" in running.reasons[0]
    assert running.next_offset == 0


def test_fenced_worker_ends(start: Start) -> None:
    overtaken, other = start(), start()
    other.project(0, 10)
    overtaken.project(0, 20)
    assert overtaken.reasons == ["partition 0 is no longer at offset 0"]
    assert start().next_offset == 10


def test_rewound_read_models_end_an_idle_worker(start: Start, tmp_path: Path) -> None:
    running = start()
    running.project(0, 10)
    with closing(sqlite3.connect(tmp_path / "read.sqlite")) as backup, backup:
        running.project(10, 20)
        asyncio.run(running.worker.resume_released())
        assert running.reasons == []
        backup.execute("UPDATE position SET next_offset = 10")
    asyncio.run(running.worker.resume_released())
    [reason] = running.reasons
    assert "partition 0 is at offset 10 in the read models and was at 20" in reason


def test_truncated_log_invalidates_the_watermark(start: Start) -> None:
    """It read on where the log was cut, and grew again under another leader."""
    running = start(FakeLog(VALUES))
    running.project(0, 10)
    running.worker.check_truncation()
    assert running.reasons == []
    running.log.epoch, running.log.values = 1, VALUES[:5] + VALUES[20:]
    running.project(10, 15)
    running.worker.check_truncation()
    assert "partition 0: the log does not hold the fact" in running.reasons[0]
    [reason] = start(running.log).reasons
    assert "does not hold the fact that was projected last" in reason


def test_record_times_are_monotonic_across_slabs_and_workers(start: Start, tmp_path: Path) -> None:
    """Within a slab, from one to the next, and after another worker has taken over."""
    seconds = [5, 9, 7, 6, 10, 8, 8, 3]
    log = FakeLog(VALUES[:8], times=[each * SECOND for each in seconds])
    running = start(log)
    for at, end, expected in ((0, 1, 5), (1, 3, 9), (3, 4, 9), (4, 6, 10)):
        running.project(at, end)
        assert recorded(tmp_path) == expected * SECOND
    again = start(log)
    again.project(6, 8)
    assert (again.reasons, recorded(tmp_path)) == ([], 10 * SECOND)


def recorded(folder: Path) -> int:
    """The time of what was projected last."""
    with closing(SqliteStore(folder / "read.sqlite", read_only=True)) as store:
        watermark = store.read_watermark(0)
    assert watermark is not None
    return watermark.record_time


def test_second_takeover_drops_stale_caches(start: Start) -> None:
    first, other = start(), start()
    first.project(0, 1)  # it knows one giver and one receiver now
    other.take_over(0)
    other.project(1, 6)
    first.take_over(0)
    first.project(6, 40)
    assert (first.next_offset, first.reasons) == (40, [])


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (FakeLog(VALUES, OTHER_LOG_ID), "from another log; mutua rebuild makes them again"),
        (FakeLog(VALUES[:5]), "the log ends at 5, before the 10 facts"),
        (FakeLog(VALUES[:9] + VALUES[20:]), "does not hold the fact that was projected last"),
    ],
    ids=["another log", "a log that was cut", "a log that was changed"],
)
def test_takeover_refuses_a_foreign_log(start: Start, log: FakeLog, reason: str) -> None:
    start().project(0, 10)
    (found,) = start(log).reasons
    assert reason in found


def test_busy_store_is_retried(start: Start) -> None:
    running = start()
    FailingStore.busy = 2
    running.project(0, 10)
    assert (running.next_offset, running.reasons) == (10, [])


def test_stopping_worker_does_not_retry(start: Start) -> None:
    running = start()
    running.worker.stop()
    FailingStore.busy = 1_000_000
    running.project(0, 10)
    assert (running.next_offset, running.reasons, running.worker.holds) == (0, [], {})


def test_failing_record_is_held_at_the_third_crash(start: Start, tmp_path: Path) -> None:
    FailingStore.poison = 23
    for crash in range(1, MAX_PROJECTION_CRASHES):
        running = start()
        running.project(running.next_offset, 40)
        reason = (
            "projecting failed at offset 23 of partition 0: "
            "ZeroDivisionError('a rule divides by nothing')"
        )
        assert (running.next_offset, running.reasons) == (23, [reason])
        assert hold(tmp_path / "read.sqlite") == Hold(0, 23, reason, crash)
        assert not running.worker.holds
    running = start()
    running.project(23, 40)
    assert (running.next_offset, running.reasons, list(running.worker.holds)) == (23, [], [0])
    again = start()
    again.project(23, 40)
    assert (again.next_offset, again.reasons, list(again.worker.holds)) == (23, [], [0])
    assert hold(tmp_path / "read.sqlite") == Hold(0, 23, reason, MAX_PROJECTION_CRASHES + 1)


def test_held_record_is_retried_once_by_a_new_worker(start: Start, tmp_path: Path) -> None:
    with_store(tmp_path, lambda store: store.save_hold(Hold(0, 0, "it failed", 3)))
    running = start()
    assert running.worker.holds == {}
    FailingStore.busy = 1  # which is no failure
    running.project(0, 10)
    assert (running.next_offset, running.reasons, running.worker.holds) == (10, [], {})
    assert hold(tmp_path / "read.sqlite") is None


def test_released_partition_resumes(start: Start, tmp_path: Path) -> None:
    FailingStore.poison = 0
    with_store(tmp_path, lambda store: store.save_hold(Hold(0, 0, "it failed", 2)))
    running = start()
    running.project(0, 10)
    assert list(running.worker.holds) == [0]
    FailingStore.poison = None
    assert asyncio.run(running.worker.resume_released()) == {}
    with_store(tmp_path, lambda store: store.delete_hold(0))
    assert asyncio.run(running.worker.resume_released()) == {0: 0}
    running.project(0, 10)
    assert running.next_offset == 10


def with_store(folder: Path, work: Callable[[SqliteStore], None]) -> None:
    with closing(SqliteStore(folder / "read.sqlite")) as store:
        work(store)


def test_unknown_fact_kind_holds_until_an_upgrade(start: Start, tmp_path: Path) -> None:
    log = FakeLog([*VALUES[:10], newer_fact(29), *VALUES[10:]])
    running = start(log)
    running.project(0, 41)
    assert (running.next_offset, list(running.worker.holds), running.reasons) == (10, [0], [])
    assert list(start(log).worker.holds) == [0]
    log.values[10] = VALUES[39]  # as if this version knew it
    upgraded = start(log)
    assert upgraded.worker.holds == {}
    assert hold(tmp_path / "read.sqlite") is None
    upgraded.project(10, 41)
    assert upgraded.next_offset == 41


def test_takeover_deletes_a_hold_at_another_offset(start: Start, tmp_path: Path) -> None:
    with_store(tmp_path, lambda store: store.save_hold(Hold(0, 7, "it failed", 3)))
    assert start().worker.holds == {}
    assert hold(tmp_path / "read.sqlite") is None


def test_stall_when_fetched_records_are_not_projected(start: Start) -> None:
    running = start()
    worker = running.worker
    worker.on_poll()
    assert worker.describe_stall(60, rebalancing=False) == ""
    worker.on_fetch(0, running.log.fetch(0, 10))
    assert worker.describe_stall(0, rebalancing=True) == "partition 0 has been at offset 0 for 0 s"
    running.project(0, 10)
    worker.on_poll()
    assert worker.describe_stall(60, rebalancing=False) == ""


def test_stall_when_the_consumer_is_not_polled(start: Start) -> None:
    worker = start().worker
    assert worker.describe_stall(0, rebalancing=False) == "the consumer has not answered for 0 s"
    asyncio.run(worker.take_over([]))
    assert worker.describe_stall(0, rebalancing=False) == ""


def test_no_stall_when_every_partition_is_held(start: Start, tmp_path: Path) -> None:
    with_store(tmp_path, lambda store: store.save_hold(Hold(0, 0, "it failed", 3)))
    FailingStore.poison = 0
    running = start()
    running.project(0, 10)
    worker = running.worker
    worker.on_fetch(0, running.log.fetch(0, 10))
    assert worker.describe_stall(0, rebalancing=False) == ""


def test_superseded_read_models_stop_the_worker(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start()
    running.project(0, 10)
    assert asyncio.run(running.worker.resume_released()) == {}
    assert running.reasons == []
    monkeypatch.setattr(FailingStore, "is_superseded", True)
    assert asyncio.run(running.worker.resume_released()) == {}
    assert (running.reasons, running.next_offset) == (["others are to be written"], 10)
