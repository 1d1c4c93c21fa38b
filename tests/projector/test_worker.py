"""The Faust worker without Faust: what it does with slabs, and when it ends or holds."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.adapters.sqlite.store import SqliteStore
from services.ledger.records import MAX_PROJECTION_FAILURES, Hold
from services.ledger.times import SECOND
from tests.projector.newer_facts import newer_fact
from tests.projector.running_worker import VALUES, FailingStore, FakeLog, RunningWorker

OTHER_LOG_ID = "1" * 32


Start = Callable[..., RunningWorker]


@pytest.fixture(params=[1, 1_000], ids=["read ahead", "read when it is its turn"])
def start(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Starts a worker that has taken over the partition."""
    monkeypatch.setattr(FailingStore, "poison", None)
    monkeypatch.setattr(FailingStore, "busy", 0)
    monkeypatch.setattr(FailingStore, "away", 0)
    monkeypatch.setattr(FailingStore, "is_superseded", False)
    monkeypatch.setattr(FailingStore, "calls", [])
    started: list[RunningWorker] = []

    def start(log: FakeLog | None = None) -> RunningWorker:
        path = tmp_path / "read.sqlite"
        started.append(RunningWorker(log or FakeLog(VALUES), path, request.param))
        started[-1].take_over(0)
        return started[-1]

    yield start
    for each in started:
        each.worker.close()


def hold(path: Path) -> Hold | None:
    with closing(SqliteStore(path)) as store:
        return store.read_hold(0)


def recorded(folder: Path) -> int:
    """The time of what was projected last."""
    with closing(SqliteStore(folder / "read.sqlite", read_only=True)) as store:
        watermark = store.read_watermark(0)
    assert watermark is not None
    return watermark.record_time


def with_store(folder: Path, work: Callable[[SqliteStore], None]) -> None:
    with closing(SqliteStore(folder / "read.sqlite")) as store:
        work(store)


class TestTakeOver:
    """Takes partitions over at the positions of the read models."""

    def test_take_over_resumes_at_the_projected_offset(self, start: Start) -> None:
        first = start()
        first.project(0, 10)
        first.project(10, 25)
        assert (first.next_offset, start().next_offset, first.reasons) == (25, 25, [])

    def test_take_over_waits_for_unavailable_read_models(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FailingStore, "away", 2)
        running = start()
        running.project(0, 10)
        assert (FailingStore.away, running.next_offset, running.reasons) == (0, 10, [])

    def test_take_over_fences_previous_owner_before_it_reads_positions(self, start: Start) -> None:
        start()
        assert FailingStore.calls == [("fence", 0), ("watermark", 0)]

    def test_second_take_over_drops_stale_caches(self, start: Start) -> None:
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
    def test_take_over_refuses_a_foreign_log(self, start: Start, log: FakeLog, reason: str) -> None:
        start().project(0, 10)
        (found,) = start(log).reasons
        assert reason in found

    def test_take_over_deletes_a_hold_at_another_offset(self, start: Start, tmp_path: Path) -> None:
        with_store(tmp_path, lambda store: store.save_hold(Hold(0, 7, "it failed", 3)))
        assert start().worker.holds == {}
        assert hold(tmp_path / "read.sqlite") is None


class TestProject:
    """Projects the records of a partition in order, each once."""

    def test_project_skips_projected_records(self, start: Start) -> None:
        running = start()
        running.project(0, 10)
        running.project(0, 10)
        running.project(5, 15)
        assert (running.next_offset, running.reasons) == (15, [])

    def test_project_skips_a_revoked_partition(self, start: Start) -> None:
        running = start()
        running.take_over()
        running.project(0, 10)
        assert running.reasons == []
        assert start().next_offset == 0

    def test_project_ends_the_worker_at_a_gap_before_a_slab(self, start: Start) -> None:
        running = start()
        running.project(1, 10)
        assert (
            "partition 0 is at offset 0, but the fetched records are 1 to 9" in running.reasons[0]
        )
        assert running.next_offset == 0

    def test_project_ends_the_worker_at_a_gap_inside_a_slab(self, start: Start) -> None:
        running = start()
        slab = running.log.fetch(0, 10)
        del slab[4]
        asyncio.run(running.worker.project(0, slab))
        assert "the fetched records are 0 to 9, 9 of them" in running.reasons[0]
        assert running.next_offset == 0

    def test_project_ends_a_fenced_worker(self, start: Start) -> None:
        overtaken, other = start(), start()
        other.project(0, 10)
        overtaken.project(0, 20)
        assert overtaken.reasons == ["partition 0 is no longer at offset 0"]
        assert start().next_offset == 10

    def test_project_retries_a_busy_store(self, start: Start) -> None:
        running = start()
        FailingStore.busy = 2
        running.project(0, 10)
        assert (running.next_offset, running.reasons) == (10, [])

    def test_project_does_not_retry_while_stopping(self, start: Start) -> None:
        running = start()
        running.worker.stop()
        FailingStore.busy = 1_000_000
        running.project(0, 10)
        assert (running.next_offset, running.reasons, running.worker.holds) == (0, [], {})

    def test_project_keeps_record_times_monotonic_across_slabs_and_workers(
        self, start: Start, tmp_path: Path
    ) -> None:
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


class TestHold:
    """Stops a partition at a record that cannot be projected."""

    def test_hold_follows_the_third_failure_at_a_record(self, start: Start, tmp_path: Path) -> None:
        FailingStore.poison = 23
        for failure_count in range(1, MAX_PROJECTION_FAILURES):
            running = start()
            running.project(running.next_offset, 40)
            reason = (
                "projecting failed at offset 23 of partition 0: "
                "ZeroDivisionError('a rule divides by nothing')"
            )
            assert (running.next_offset, running.reasons) == (23, [reason])
            assert hold(tmp_path / "read.sqlite") == Hold(0, 23, reason, failure_count)
            assert not running.worker.holds
        running = start()
        running.project(23, 40)
        assert (running.next_offset, running.reasons, list(running.worker.holds)) == (23, [], [0])
        again = start()
        again.project(23, 40)
        assert (again.next_offset, again.reasons, list(again.worker.holds)) == (23, [], [0])
        assert hold(tmp_path / "read.sqlite") == Hold(0, 23, reason, MAX_PROJECTION_FAILURES + 1)

    def test_hold_is_retried_once_by_a_new_worker(self, start: Start, tmp_path: Path) -> None:
        with_store(tmp_path, lambda store: store.save_hold(Hold(0, 0, "it failed", 3)))
        running = start()
        assert running.worker.holds == {}
        FailingStore.busy = 1  # which is no failure
        running.project(0, 10)
        assert (running.next_offset, running.reasons, running.worker.holds) == (10, [], {})
        assert hold(tmp_path / "read.sqlite") is None

    def test_hold_ends_when_it_is_released(self, start: Start, tmp_path: Path) -> None:
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

    def test_hold_at_an_unknown_fact_kind_ends_with_an_upgrade(
        self, start: Start, tmp_path: Path
    ) -> None:
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


class TestIdleWorker:
    """Notices what happens to log and read models while nothing is recorded."""

    def test_idle_worker_ends_when_read_models_are_rewound(
        self, start: Start, tmp_path: Path
    ) -> None:
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

    def test_idle_worker_stops_when_read_models_are_superseded(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running = start()
        running.project(0, 10)
        assert asyncio.run(running.worker.resume_released()) == {}
        assert running.reasons == []
        monkeypatch.setattr(FailingStore, "is_superseded", True)
        assert asyncio.run(running.worker.resume_released()) == {}
        assert (running.reasons, running.next_offset) == (["others are to be written"], 10)

    def test_check_truncation_invalidates_the_watermark(self, start: Start) -> None:
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


class TestDescribeStall:
    """Says why a worker makes no progress."""

    def test_stall_when_fetched_records_are_not_projected(self, start: Start) -> None:
        running = start()
        worker = running.worker
        worker.on_poll()
        assert worker.describe_stall(60, rebalancing=False) == ""
        worker.on_fetch(0, running.log.fetch(0, 10))
        assert (
            worker.describe_stall(0, rebalancing=True) == "partition 0 has been at offset 0 for 0 s"
        )
        running.project(0, 10)
        worker.on_poll()
        assert worker.describe_stall(60, rebalancing=False) == ""

    def test_stall_when_the_consumer_is_not_polled(self, start: Start) -> None:
        worker = start().worker
        assert (
            worker.describe_stall(0, rebalancing=False) == "the consumer has not answered for 0 s"
        )
        asyncio.run(worker.take_over([]))
        assert worker.describe_stall(0, rebalancing=False) == ""

    def test_no_stall_when_every_partition_is_held(self, start: Start, tmp_path: Path) -> None:
        with_store(tmp_path, lambda store: store.save_hold(Hold(0, 0, "it failed", 3)))
        FailingStore.poison = 0
        running = start()
        running.project(0, 10)
        worker = running.worker
        worker.on_fetch(0, running.log.fetch(0, 10))
        assert worker.describe_stall(0, rebalancing=False) == ""
