"""Which watched answers are computed at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from services.query.watch.computing_limit import QUICK_SECONDS, ComputingLimit

QUICK, SLOW, NEW = 0.01, 2 * QUICK_SECONDS, None


async def enter_all(last_seconds: Sequence[float | None]) -> list[float | None]:
    """Which of them have their turn while nobody is done."""
    limit, entered = ComputingLimit(), []

    async def compute(seconds: float | None) -> None:
        async with limit.wait_for_turn(seconds):
            entered.append(seconds)
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(compute(each)) for each in last_seconds]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    return entered


@pytest.mark.parametrize(
    ("waiting", "entered"),
    [
        ([QUICK, QUICK], [QUICK]),
        ([SLOW, NEW, SLOW, NEW], [SLOW, NEW, SLOW]),
        ([SLOW, SLOW, SLOW, SLOW, QUICK], [SLOW, SLOW, SLOW, QUICK]),
    ],
)
def test_quick_answer_waits_for_quick_ones_only(
    waiting: list[float | None], entered: list[float | None]
) -> None:
    assert asyncio.run(enter_all(waiting)) == entered
