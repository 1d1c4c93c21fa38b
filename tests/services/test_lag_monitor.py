"""LagMonitor measures lag, and omits what it cannot read."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from services.adapters.telemetry.metrics import (
    LAG_FACTS,
    LAG_SECONDS,
    QUARANTINED_FACTS,
    WAITING_FACTS,
    Counter,
    Gauge,
    Histogram,
    Reading,
)
from services.ledger.errors import LogUnavailableError
from services.ledger.records import ReadModelStatus
from services.ledger.times import SECOND, Instant
from services.query.lag_monitor import LagMonitor
from services.query.position_tracker import PositionTracker
from tests.waiting import wait_until

HOUR = 3_600


class LagScene:
    """A log, read models, and what the monitor reports."""

    def __init__(self) -> None:
        self.log_ends: dict[int, int] = {}
        self.standing = ReadModelStatus({}, 0, 0)
        self.trouble: Exception | None = None
        self.open_count = self.close_count = 0
        self._watched: dict[Counter | Gauge, Callable[[], Reading]] = {}

    @contextmanager
    def open_log(self) -> Iterator["LagScene"]:
        self.open_count += 1
        try:
            yield self
        finally:
            self.close_count += 1

    def ends(self) -> Mapping[int, int]:
        if self.trouble is not None:
            raise self.trouble
        return dict(self.log_ends)

    def add(self, counter: Counter, amount: float, *labels: str) -> None: ...

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None: ...

    def watch(self, metric: Counter | Gauge, read: Callable[[], Reading]) -> None:
        self._watched[metric] = read

    def reading(self, metric: Gauge) -> Reading:
        return self._watched[metric]()

    def seconds(self, partition: str) -> float:
        reading = self.reading(LAG_SECONDS)
        assert isinstance(reading, Mapping)
        return reading[partition,]

    def wait_until_reported(self, facts: dict[str, int]) -> None:
        expected = {(partition,): count for partition, count in facts.items()}
        wait_until(lambda: self.reading(LAG_FACTS) == expected, f"{expected} are behind")


def ago(seconds: int) -> Instant:
    return int((time.time() - seconds) * SECOND)


@pytest.fixture
def world() -> Iterator[LagScene]:
    world, loop = LagScene(), asyncio.new_event_loop()

    async def positions() -> PositionTracker:
        return PositionTracker()

    looking = LagMonitor(
        open_log=world.open_log,
        read_status=lambda: world.standing,
        positions=loop.run_until_complete(positions()),
        meter=world,
        interval_seconds=0.01,
    )
    yield world
    looking.stop()
    loop.close()
    assert world.open_count == world.close_count


def test_initial_backlog_waits_since_its_predecessor(world: LagScene) -> None:
    world.standing = ReadModelStatus({0: (10, ago(HOUR))}, 0, 0)
    world.log_ends = {0: 25}
    world.wait_until_reported({"0": 15})
    assert HOUR <= world.seconds("0") < 2 * HOUR


def test_fact_after_silence_waits_since_partition_was_level(world: LagScene) -> None:
    world.standing = ReadModelStatus({0: (10, ago(HOUR)), 1: (4, ago(HOUR))}, 0, 0)
    world.log_ends = {0: 10, 1: 4}
    world.wait_until_reported({"0": 0, "1": 0})
    assert world.seconds("0") == 0
    world.log_ends = {0: 11, 1: 4}
    world.wait_until_reported({"0": 1, "1": 0})
    first = world.seconds("0")
    assert first < HOUR
    wait_until(lambda: world.seconds("0") > first, "it waits longer")
    world.standing = ReadModelStatus({0: (11, ago(0)), 1: (4, ago(HOUR))}, 0, 0)
    world.wait_until_reported({"0": 0, "1": 0})


def test_unprojected_partition_waits_since_first_look(world: LagScene) -> None:
    world.log_ends = {3: 7}
    world.wait_until_reported({"3": 7})
    first = world.seconds("3")
    assert first < HOUR
    wait_until(lambda: world.seconds("3") > first, "it waits longer")


@pytest.mark.parametrize(
    "trouble", [LogUnavailableError("the broker is away"), ZeroDivisionError("oh")]
)
def test_unreadable_log_omits_lag_and_is_opened_again(
    world: LagScene, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world.standing = ReadModelStatus({0: (10, ago(0))}, 2, 3)
    world.log_ends = {0: 12}
    world.wait_until_reported({"0": 2})
    world.trouble = trouble
    world.wait_until_reported({})
    assert world.reading(LAG_SECONDS) == {}
    assert (world.reading(WAITING_FACTS), world.reading(QUARANTINED_FACTS)) == (2, 3)
    assert ("cannot be measured" in caplog.text) == isinstance(trouble, ZeroDivisionError)
    world.trouble = None
    world.wait_until_reported({"0": 2})
    assert world.open_count > 1
