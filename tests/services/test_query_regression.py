"""Questions while the database is behind its announced position, after a crash or a restore."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

from mutua.v1 import query_service_pb2 as pb
from services.adapters.grpc.server import Context
from services.adapters.sqlite.store import SqliteStore
from services.adapters.telemetry.metrics import NO_OP_METER
from services.ledger.ports import ReadableLog
from services.ledger.position import Position
from services.query.executor import QueryExecutor
from services.query.flows import list_balances
from services.query.position_tracker import PositionTracker
from services.query.query_context import QueryContext
from services.query.questions import RegisteredQuestion
from tests.ledger.folded_ledger import START_TIME, make_records
from tests.projector.slab_projection import LOG_ID, open_empty_store, project
from tests.services.facts import exchange

EVENTS = [exchange(f"giver {number}", "B", programme="gde") for number in range(5)]
"""Every event has a new giver."""


class RevertibleDatabase:
    """Read models with a backup; `now` is the active one of both."""

    def __init__(self, now: SqliteStore) -> None:
        self.now = now

    name = "read-1.sqlite"

    def open_snapshot(self, partition: int) -> AbstractContextManager[Any]:
        return self.now.open_snapshot(partition)


class SinglePartitionLog:
    log_id = LOG_ID
    origins: Mapping[str, int] = {}

    def find_partition(self, programme_id: str) -> int:
        return 0


class WatchedPositions(PositionTracker):
    """Signals when a visible position is found to be lower than the announced one."""

    def __init__(self) -> None:
        super().__init__()
        self.went_back = asyncio.Event()

    def advance(self, partition: int, next_offset: int) -> None:
        is_less = next_offset < self.get(partition).next_offset
        super().advance(partition, next_offset)
        if is_less:
            self._loop.call_soon_threadsafe(self.went_back.set)


class StubCall:
    """The part of a call that the service uses, with ten seconds left."""

    def time_remaining(self) -> float:
        return 10.0

    def invocation_metadata(self) -> tuple[()]:
        return ()


Ask = Callable[[str], Awaitable[pb.ListBalancesResponse]]


def run_scenario(
    scenario: Callable[[RevertibleDatabase, SqliteStore, WatchedPositions, Ask], Awaitable[None]],
) -> None:
    """A database with all events projected, and its backup with two of them."""

    async def main() -> None:
        with open_empty_store() as full, open_empty_store() as backup:
            project(full, make_records(EVENTS))
            project(backup, make_records(EVENTS[:2]))
            database, progress = RevertibleDatabase(full), WatchedPositions()
            progress.advance(0, len(EVENTS))
            executor = QueryExecutor(
                cast("Any", database),
                progress,
                log=cast("ReadableLog", SinglePartitionLog()),
                clock=lambda: START_TIME,
                meter=NO_OP_METER,
            )

            async def ask(min_position: str) -> pb.ListBalancesResponse:
                message = pb.ListBalancesRequest(
                    question=pb.Question(programme_id="gde"), min_position=min_position
                )
                content: Any = await executor.execute(
                    message, cast("Context", StubCall()), RegisteredQuestion(respond)
                )
                return pb.ListBalancesResponse.FromString(content)

            await scenario(database, backup, progress, ask)

    asyncio.run(main())


def respond(query: QueryContext) -> pb.ListBalancesResponse:
    """Checks as analyses do whether anybody still waits."""
    query.check_cancelled()
    return list_balances(query)


def givers(answer: pb.ListBalancesResponse) -> list[str]:
    return [row.organization_id for row in answer.balances if row.given]


def test_restored_database_answers_and_then_catches_up() -> None:
    async def scenario(
        database: RevertibleDatabase, backup: SqliteStore, progress: WatchedPositions, ask: Ask
    ) -> None:
        assert len(givers(await ask(""))) == len(EVENTS)
        database.now = backup
        answer = await ask("")
        assert givers(answer) == ["giver 0", "giver 1"]
        assert answer.position == str(Position(LOG_ID, 0, 2))
        project(backup, make_records(EVENTS)[2:])
        assert givers(await ask("")) == [f"giver {number}" for number in range(len(EVENTS))]

    run_scenario(scenario)


def test_min_position_waits_again_after_restore() -> None:
    async def scenario(
        database: RevertibleDatabase, backup: SqliteStore, progress: WatchedPositions, ask: Ask
    ) -> None:
        database.now = backup
        call = asyncio.ensure_future(ask(str(Position(LOG_ID, 0, 4))))
        await progress.went_back.wait()
        assert progress.get(0).next_offset == 2
        assert not call.done()
        project(backup, make_records(EVENTS)[2:])
        progress.advance(0, len(EVENTS))
        answer = await call
        assert answer.position == str(Position(LOG_ID, 0, len(EVENTS)))
        assert len(givers(answer)) == len(EVENTS)

    run_scenario(scenario)
