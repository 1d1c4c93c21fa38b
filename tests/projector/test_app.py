"""The agent of a projector: whose slab is projected while another one takes its time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from services.adapters.kafka_address import KafkaAddress
from services.projector.app import create_app
from services.settings import Settings

SLOW, QUICK = TP("facts", 0), TP("facts", 1)


class Owner:
    """Projects the slow partition when it is told to, and others at once."""

    def __init__(self) -> None:
        self.durable: dict[int, int] = {}
        self.held: dict[int, Any] = {}
        self.begun: list[tuple[int, int]] = []
        self.reasons: list[BaseException] = []
        self.go_on = asyncio.Event()

    async def project(self, partition: int, records: Sequence[Any]) -> None:
        self.begun.append((partition, records[0]))
        if partition == SLOW.partition:
            await self.go_on.wait()

    def failed(self, reason: BaseException) -> None:
        self.reasons.append(reason)


class Stream:
    """Slabs, one after the other, and which of them were acknowledged."""

    def __init__(self, *slabs: tuple[TP, list[int]]) -> None:
        self.slabs = slabs
        self.acknowledged: list[tuple[int, int]] = []

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        for place, records in self.slabs:
            yield SimpleNamespace(message=SimpleNamespace(tp=place), value=records)

    async def ack(self, event: Any) -> None:
        self.acknowledged.append((event.message.tp.partition, event.value[0]))


async def settled() -> None:
    """Until every task waits for something else."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_slabs_of_a_partition_wait_for_each_other_and_nobody_else_does() -> None:
    async def main() -> None:
        owner: Any = Owner()
        stream = Stream((SLOW, [0, 1]), (SLOW, [2, 3]), (QUICK, [0]), (SLOW, [4]), (QUICK, [1]))
        settings = Settings(log_url="kafka://one:1/facts", slab_records=3)
        address = KafkaAddress.parse(settings.log_url)
        app = create_app(settings, owner, address=address, group="group")
        (agent,) = app.agents.values()
        taking: Any = agent
        await taking.fun(stream)
        await settled()
        assert owner.begun == [(0, 0), (1, 0), (1, 1)]
        assert stream.acknowledged == [(1, 0), (1, 1)]
        assert app.ahead.wanted({SLOW, QUICK}) == {QUICK}
        owner.go_on.set()
        await settled()
        assert owner.begun[3:] == stream.acknowledged[3:] == [(0, 2), (0, 4)]
        assert app.ahead.wanted({SLOW, QUICK}) == {SLOW, QUICK}
        assert owner.reasons == []

    asyncio.run(main())
