"""The Faust agent of a projector: partitions are projected concurrently, each in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from services.adapters.kafka.address import KafkaAddress
from services.projector.faust_app import create_app, take_contiguous
from services.settings import Settings

SLOW, QUICK = TP("facts", 0), TP("facts", 1)


class FakeOwner:
    """Projects the slow partition after `may_finish`, and other partitions at once."""

    def __init__(self) -> None:
        self.next_offsets: dict[int, int] = {}
        self.holds: dict[int, Any] = {}
        self.begun_slabs: list[tuple[int, int, int]] = []
        self.reasons: list[BaseException] = []
        self.may_finish = asyncio.Event()

    async def project(self, partition: int, records: Sequence[Any]) -> None:
        self.begun_slabs.append((partition, records[0].offset, len(records)))
        if partition == SLOW.partition:
            await self.may_finish.wait()

    def report_failure(self, reason: BaseException) -> None:
        self.reasons.append(reason)


def slab(start: int, end: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in range(start, end)]


class FakeStream:
    """A stream of slabs that records acknowledgements."""

    def __init__(self, *slabs: tuple[TP, list[Any]]) -> None:
        self.slabs = slabs
        self.acknowledged: list[tuple[int, int]] = []

    def noack(self) -> "FakeStream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        for place, records in self.slabs:
            yield SimpleNamespace(message=SimpleNamespace(tp=place), value=records)

    async def ack(self, event: Any) -> None:
        self.acknowledged.append((event.message.tp.partition, event.value[0].offset))


async def wait_until_idle() -> None:
    """Until every task waits for something else."""
    for _ in range(10):
        await asyncio.sleep(0)


class TestPartitionQueue:
    """Slabs of a partition are projected in order, and partitions concurrently."""

    def test_queue_waits_for_its_own_partition_only(self) -> None:
        async def main() -> None:
            owner: Any = FakeOwner()
            stream = FakeStream(
                *((SLOW, slab(0, 2)), (SLOW, slab(2, 4)), (QUICK, slab(0, 1))),
                *((SLOW, slab(4, 5)), (SLOW, slab(7, 8))),
            )
            settings = Settings(log_url="kafka://one:1/facts", slab_records=3)
            address = KafkaAddress.parse(settings.log_url)
            app = create_app(settings, owner, address=address, group="group")
            (agent,) = app.agents.values()
            taking: Any = agent
            await taking.fun(stream)
            await wait_until_idle()
            assert owner.begun_slabs == [(0, 0, 5), (1, 0, 1)]  # what follows without a gap is one
            assert stream.acknowledged == [(1, 0)]
            assert app.fetch_window.select_fetchable({SLOW, QUICK}) == {QUICK}
            owner.may_finish.set()
            await wait_until_idle()
            assert owner.begun_slabs[2:] == [(0, 7, 1)]
            assert stream.acknowledged[1:] == [(0, 0), (0, 2), (0, 4), (0, 7)]
            assert app.fetch_window.select_fetchable({SLOW, QUICK}) == {SLOW, QUICK}
            assert owner.reasons == []

        asyncio.run(main())


class TestTakeContiguous:
    @pytest.mark.parametrize(
        ("sizes", "first"), [((3, 2, 1, 1), 3), ((7, 1), 1), ((2, 7), 1), ((6, 1), 1), ((5, 1), 2)]
    )
    def test_take_contiguous_merges_small_slabs(self, sizes: tuple[int, ...], first: int) -> None:
        ends = list(accumulate(sizes))
        waiting = deque(
            SimpleNamespace(value=slab(end - size, end))
            for size, end in zip(sizes, ends, strict=True)
        )
        left = list(waiting)[first:]
        assert len(take_contiguous(waiting, 7)) == first
        assert list(waiting) == left
