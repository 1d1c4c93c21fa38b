"""A hub over read models that a test advances, replaces and sets back, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from google.protobuf.message_factory import GetMessageClass

from mutua.v1 import watch_service_pb2 as watch_pb
from mutua.v1.event_pb2 import Event
from mutua.watch_state import WatchState
from mutua.watched_rows import WATCHED_ROWS
from services.adapters.sqlite.store import SqliteStore
from services.ledger.errors import ForeignDataError, LogUnavailableError
from services.ledger.ports import ReadableLog, Snapshot
from services.ledger.question import OPEN_SCOPE, Scope
from services.ledger.records import Record
from services.ledger.times import DAY
from services.projector.slab import project_slab
from services.query.position_tracker import PositionTracker
from services.query.service import QueryService
from services.query.watch.feed import WatchTiming
from services.query.watch.messages import WatchMessage
from services.query.watch.register import WATCHES
from tests.ledger.folded_ledger import START_TIME, make_records
from tests.projector.slab_projection import LOG_ID, open_empty_store

PROGRAMME = "gde"
QUICK = WatchTiming(
    progress_seconds=0.05, moved_progress_seconds=0.01, pause_seconds=0.0, poll_seconds=0.02
)
PATIENCE_SECONDS = 60.0


class LogInMemory:
    """The log of one partition, as the query service sees it."""

    def __init__(self, log_id: str) -> None:
        self.log_id = log_id
        self.origins: dict[str, int] = {}
        self.records: list[Record] = []
        self.is_replaced = False

    def find_partition(self, programme_id: str) -> int:
        return 0

    def get_partition(self, number: int) -> LogInMemory:
        return self

    def end(self) -> int:
        if self.is_replaced:
            raise ForeignDataError("the log is another one now")
        return len(self.records)


class Database:
    """The read models that answer; `is_away` is whether they cannot be read."""

    name = "read-1.sqlite"

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.is_away = False

    @contextmanager
    def open_snapshot(self, partition: int) -> Iterator[Snapshot]:
        if self.is_away:
            raise LogUnavailableError("the read models cannot be reached")
        with self.store.open_snapshot(partition) as snapshot:
            yield snapshot


class Subscription:
    """One stream, and what its messages add up to; it continues with its last token."""

    def __init__(self, scenario: WatchScenario, rpc: str, scope: Scope, fields: Any) -> None:
        self._scenario = scenario
        self.rpc = rpc
        self._fields = fields
        self._scope = scope
        self.state: WatchState[Any] = WatchState(rpc)
        self.offsets: list[int] = []
        """The offset of every message received."""
        self._listed: dict[Any, Any] = {}
        self.open()

    async def ask(self) -> dict[Any, Any]:
        """What the rows should be."""
        return await self._scenario.ask(self.rpc, **self._fields)

    @property
    def rows(self) -> dict[Any, Any]:
        """The rows by key; of a list, those received so far."""
        return self._listed if WATCHES[self.rpc].is_list else dict(self.state.rows)

    def open(self) -> None:
        """Begins a stream with the last token."""
        self.state.begin_stream()
        self._stream = self._scenario.subscribe(
            self.rpc, self.state.resume_token, self._scope, **self._fields
        )

    async def read(self) -> WatchMessage:
        """The next message. Raises StopAsyncIteration at the end of the stream."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            message = await anext(self._stream)
        change = self.state.take(message.message)
        if change is not None:
            for row in change.removed:
                self._listed.pop(watched_key(self.rpc, row), None)
            self._listed |= {watched_key(self.rpc, row): row for row in change.rows}
        self.offsets.append(offset_of(message.position))
        return message

    async def read_until(self, is_enough: Callable[[WatchMessage], bool]) -> WatchMessage:
        """The first message for which this holds."""
        while not is_enough(message := await self.read()):
            pass
        return message

    async def catch_up(self) -> None:
        """Reads until the stream has the end of the log."""
        end = self._scenario.log.end()
        await self.read_until(
            lambda each: bool(each.resume_token) and offset_of(each.position) >= end
        )

    async def read_to_end(self) -> None:
        """Reads until the server ends the stream."""
        with suppress(StopAsyncIteration):
            while True:
                await self.read()

    async def close(self) -> None:
        await self._stream.aclose()


class WatchScenario:
    """A log, read models and a hub. The clock stands still until a test moves it."""

    def __init__(
        self, store: SqliteStore, *, timing: WatchTiming, token_key: bytes, log_id: str
    ) -> None:
        self.database = Database(store)
        self.log = LogInMemory(log_id)
        self.positions = PositionTracker()
        self.now = START_TIME
        self.service = QueryService(
            cast("Any", self.database),
            self.positions,
            log=cast("ReadableLog", self.log),
            model_version=1,
            clock=lambda: self.now,
            token_key=token_key,
            watch_timing=timing,
        )
        self.hub = self.service.watch_hub

    def record(self, *events: Event, programme: str = PROGRAMME) -> None:
        """Appends events and projects them into the read models that answer."""
        for event in events:
            event.programme_id = programme
        start = self.log.end()
        self.log.records += [
            record._replace(offset=start + record.offset, record_time=START_TIME + start)
            for record in make_records(events)
        ]
        self.project(self.database.store)

    def project(self, store: SqliteStore) -> None:
        """Projects the rest of the log into read models, and announces the position."""
        watermark = store.read_watermark(0)
        start = 0 if watermark is None else watermark.next_offset
        if start < self.log.end():
            project_slab(store, self.log.log_id, self.log.records[start:])
        self.positions.advance(0, self.log.end())

    def set_back(self, store: SqliteStore) -> None:
        """Answers from older read models, as after the restore of a database."""
        self.database.store = store
        watermark = store.read_watermark(0)
        self.service.switch_store(cast("Any", self.database))
        self.positions.advance(0, 0 if watermark is None else watermark.next_offset)

    def pass_midnight(self) -> None:
        self.now += DAY

    def subscribe(
        self, rpc: str, resume_token: str = "", scope: Scope = OPEN_SCOPE, **fields: Any
    ) -> AsyncGenerator[WatchMessage, None]:
        return self.hub.subscribe(rpc, make_request(rpc, resume_token, **fields), scope)

    def watch(
        self, rpc: str = "WatchBalances", scope: Scope = OPEN_SCOPE, **fields: Any
    ) -> Subscription:
        return Subscription(self, rpc, scope, fields)

    async def ask(self, rpc: str, **fields: Any) -> dict[Any, Any]:
        """The rows, by key, of the question of a watch."""
        watch = WATCHES[rpc]
        rows: dict[Any, Any] = {}
        request = watch.make_request(make_request(rpc, **fields))
        content = await self.service.answer(watch.question.name, request, cast("Any", _Call()))
        page: Any = GetMessageClass(watch.question.output_type).FromString(content)
        for watched in WATCHED_ROWS[rpc]:
            found = getattr(page, watched.field) if watched.key_fields else [page]
            rows |= {watched_key(rpc, row): row for row in found}
        return rows


class _Call:
    """A call without a deadline."""

    def time_remaining(self) -> None:
        return None

    def invocation_metadata(self) -> tuple[()]:
        return ()


def make_request(rpc: str, resume_token: str = "", **fields: Any) -> Any:
    request: Any = getattr(watch_pb, f"{rpc}Request")(resume_token=resume_token, **fields)
    if "question" in request.DESCRIPTOR.fields_by_name:
        request.question.programme_id = PROGRAMME
    else:
        request.programme_id = PROGRAMME
    return request


def watched_key(rpc: str, row: Any) -> Any:
    [watched] = [each for each in WATCHED_ROWS[rpc] if isinstance(row, each.row_type)]
    return watched.key_of(row)


def offset_of(position: str) -> int:
    return int(position.rpartition(".")[2])


def run_scenario(
    play: Callable[[WatchScenario], Awaitable[None]],
    *,
    timing: WatchTiming = QUICK,
    token_key: bytes = b"key",
    log_id: str = LOG_ID,
) -> None:
    """Plays a scenario on empty read models."""

    async def main() -> None:
        with open_empty_store() as store:
            scenario = WatchScenario(store, timing=timing, token_key=token_key, log_id=log_id)
            try:
                await play(scenario)
            finally:
                scenario.positions.stop_waiting()

    asyncio.run(main())
