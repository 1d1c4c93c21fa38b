"""RecordStream answers groups in order, pauses while lag is large, and ends with a reason."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest

from mutua import Client
from mutua.v1 import event_pb2 as pb
from mutua.v1.ingest_service_pb2 import RecordStreamRequest
from mutua.v1.ingest_service_pb2_grpc import (
    IngestServiceStub,
    add_IngestServiceServicer_to_server,
)
from services.adapters.grpc.server import GrpcServer
from services.app.bootstrap import serve_embedded
from services.ingest import record_stream, service
from services.ingest.log_appender import LogAppender
from services.ledger.errors import LogFullError
from services.ledger.position import Position
from services.ledger.records import Record
from tests.error_details import parse_error_details
from tests.services.facts import exchange
from tests.waiting import PATIENCE_SECONDS, wait_until_async

LOG_ID = "0" * 32


def group(*events: pb.Event) -> RecordStreamRequest:
    """A group of events, of the programme p unless they have another."""
    for event in events:
        event.programme_id = event.programme_id or "p"
    return RecordStreamRequest(events=events)


def decode_refusal(error: Any) -> tuple[str, list[str]]:
    """The reason and the fields of a refusal."""
    details = parse_error_details(error)
    return details.info.reason, [each.field for each in details.bad_request.field_violations]


def count_facts(client: Client) -> int:
    status = client.get_status(min_position=client.get_status().log_position)
    return status.fact_count


def test_groups_are_answered_in_order_once_durable(client: Client, channel: grpc.Channel) -> None:
    sizes = [1, 30, 2, 1_000, 1]
    groups = [group(*(exchange(programme=client.programme) for _ in range(size))) for size in sizes]
    answers = list(IngestServiceStub(channel).RecordStream(iter(groups)))
    assert [(each.group_count, each.event_count) for each in answers] == [
        (number + 1, sum(sizes[: number + 1])) for number in range(5)
    ]
    status = client.get_status(min_position=answers[-1].position)
    assert (status.exchange_count, status.quarantine_count) == (sum(sizes), 0)
    listed = [each.exchange_id for each in client.list_exchanges(page_size=10_000)]
    assert listed == [event.event_id for each in groups for event in each.events]


def test_empty_stream_has_no_answers(channel: grpc.Channel) -> None:
    assert list(IngestServiceStub(channel).RecordStream(iter([]))) == []


BAD: dict[str, tuple[Callable[[str], RecordStreamRequest | bytes], str, list[str]]] = {
    # case: (the third group, reason, fields)
    "another programme": (
        lambda p: group(exchange(programme=f"{p[:9]}-2")),
        "MIXED_PROGRAMMES",
        [],
    ),
    "two programmes": (
        lambda p: group(exchange(programme=p), exchange(programme="x")),
        "MIXED_PROGRAMMES",
        [],
    ),
    "a bad fact": (
        lambda p: group(exchange(programme=p), exchange(kind=0, programme=p)),
        "INVALID_FACT",
        ["events[1].exchange_recorded.exchange.kind"],
    ),
    "no facts": (lambda p: group(), "INVALID_FACT", ["events"]),
    "1,001 facts": (
        lambda p: group(*(exchange(programme=p) for _ in range(1_001))),
        "REQUEST_TOO_LARGE",
        [],
    ),
    "over 4 MiB": (lambda p: b"\x0a" * (5 << 20), "REQUEST_TOO_LARGE", []),
    "no protobuf": (lambda p: b"\xff\xff\xff", "INVALID_FACT", []),
}


@pytest.mark.parametrize(("bad", "reason", "fields"), BAD.values(), ids=BAD)
def test_refused_group_ends_the_stream(
    client: Client,
    channel: grpc.Channel,
    bad: Callable[[str], RecordStreamRequest | bytes],
    reason: str,
    fields: list[str],
) -> None:
    """Earlier groups are durable; no event of the refused group or a later one is appended."""
    good = [group(exchange(programme=client.programme)) for _ in range(4)]
    record: Any = channel.stream_stream("/mutua.v1.IngestService/RecordStream")
    sent = [*good[:2], bad(client.programme), *good[2:]]
    answers = record(
        iter(each if isinstance(each, bytes) else each.SerializeToString() for each in sent)
    )
    received = [next(answers), next(answers)]
    with pytest.raises(grpc.RpcError) as raised:
        received.append(next(answers))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert decode_refusal(raised.value) == (reason, fields)
    assert count_facts(client) == 2


def test_answers_precede_the_refusal(client: Client, channel: grpc.Channel) -> None:
    groups = [group(exchange(programme=client.programme)) for _ in range(200)]
    answers = IngestServiceStub(channel).RecordStream(iter([*groups, group()]))
    assert [next(answers).group_count for _ in groups] == list(range(1, 201))
    with pytest.raises(grpc.RpcError):
        next(answers)


def test_invalid_caller_is_refused(client: Client, channel: grpc.Channel) -> None:
    groups = iter([group(exchange(programme=client.programme))])
    metadata = (("mutua-organization", "x" * 129),)
    with pytest.raises(grpc.RpcError) as raised:
        next(IngestServiceStub(channel).RecordStream(groups, metadata=metadata))
    assert decode_refusal(raised.value) == ("INVALID_FACT", ["metadata.mutua-organization"])


def test_stopping_server_answers_appended_groups_then_log_down(tmp_path: Path) -> None:
    is_over = Event()

    def groups() -> Iterator[RecordStreamRequest]:
        yield group(exchange())
        is_over.wait(PATIENCE_SECONDS)  # the sender keeps the stream open

    with serve_embedded(tmp_path / "data", purpose="a test", write=True) as running:
        channel = grpc.insecure_channel(running.address)
        answers = IngestServiceStub(channel).RecordStream(groups())
        assert next(answers).event_count == 1
    with pytest.raises(grpc.RpcError) as raised:
        next(answers)
    assert decode_refusal(raised.value)[0] == "LOG_DOWN"
    is_over.set()
    channel.close()


class SlowLog:
    """A log whose appends become durable when a test calls `settle`."""

    log_id = LOG_ID
    queue_limit_bytes = 1 << 30

    def __init__(self) -> None:
        self.appended: list[tuple[Sequence[bytes], Future[Position]]] = []

    def append(self, programme_id: str, values: Sequence[bytes]) -> Future[Position]:
        done: Future[Position] = Future()
        done.set_running_or_notify_cancel()
        self.appended.append((values, done))
        return done

    @property
    def queued_bytes(self) -> int:
        return sum(
            len(value) for values, done in self.appended if not done.done() for value in values
        )

    def settle(self, number: int) -> None:
        self.appended[number][1].set_result(Position(LOG_ID, 0, number + 1))

    def read(self, next_offset: int, limit: int) -> list[Record]:
        return []

    def end(self) -> int:
        return len(self.appended)

    def on_append(self, wake: Callable[[], None]) -> None: ...


class IngestServer:
    """An ingest service on a slow log. A test sets the lag and reads how often it was read."""

    channel: grpc.aio.Channel

    def __init__(self, max_pause_seconds: float) -> None:
        self.log = SlowLog()
        self.lag = 0
        self.lag_read_count = 0
        self.server = GrpcServer([service.SERVICE_NAME])
        ingest = service.IngestService(
            self.log,
            lag=self._lag,
            stop_event=self.server.stopping,
            max_pause_seconds=max_pause_seconds,
        )
        add_IngestServiceServicer_to_server(ingest, self.server.aio_server)

    def _lag(self, programme_id: str) -> int:
        self.lag_read_count += 1
        return self.lag

    def record(self, groups: Iterable[RecordStreamRequest], **options: Any) -> Any:
        return IngestServiceStub(self.channel).RecordStream(iter(groups), **options)

    async def wait_for_appends(self, count: int) -> None:
        await wait_until_async(lambda: len(self.log.appended) >= count, f"{count} appends")


@asynccontextmanager
async def run_server(
    max_pause_seconds: float = record_stream.MAX_PAUSE_SECONDS,
) -> AsyncIterator[IngestServer]:
    it = IngestServer(max_pause_seconds)
    address = await it.server.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(address) as it.channel:
        try:
            yield it
        finally:
            await it.server.stop(0)


async def read(call: Any, count: int) -> list[str]:
    return [(await call.read()).position for _ in range(count)]


async def refusal(awaited: Awaitable[Any]) -> str:
    with pytest.raises(grpc.RpcError) as raised:
        await awaited
    return decode_refusal(raised.value)[0]


def positions(count: int) -> list[str]:
    return [str(Position(LOG_ID, 0, number + 1)) for number in range(count)]


def test_groups_are_appended_before_earlier_answers() -> None:
    async def main() -> None:
        async with run_server() as it:
            call = it.record(group(exchange()) for _ in range(3))
            await it.wait_for_appends(3)
            it.log.settle(2)
            it.log.settle(1)
            answer = asyncio.create_task(call.read())
            it.log.settle(0)
            assert (await answer).group_count == 1
            assert await read(call, 2) == positions(3)[1:]
            assert await call.read() is grpc.aio.EOF

    asyncio.run(main())


LARGE = b"x" * 19_000

AHEAD = {
    # case: (events in a group, sealed note of an event, groups ahead)
    "small groups": (1, b"", 64),
    "a mebibyte each": (50, LARGE, 5),
}


@pytest.mark.parametrize(("size", "sealed", "ahead"), AHEAD.values(), ids=AHEAD)
def test_unanswered_groups_are_bounded(size: int, sealed: bytes, ahead: int) -> None:
    async def main() -> None:
        async with run_server() as it:
            events = [exchange() for _ in range(size)]
            for event in events:
                event.exchange_recorded.exchange.note.sealed = sealed
            call = it.record([group(*events)] * (ahead + 10))
            await it.wait_for_appends(ahead)
            for number in range(10):
                assert len(it.log.appended) == ahead + number
                it.log.settle(number)
                await call.read()
                await it.wait_for_appends(ahead + number + 1)

    asyncio.run(main())


def test_stream_pauses_while_lag_is_large() -> None:
    async def main() -> None:
        async with run_server() as it:
            it.lag = record_stream.MAX_LAG_FACTS + 1
            call = it.record(group(exchange()) for _ in range(2))
            await wait_until_async(lambda: it.lag_read_count > 3, "the lag is read")
            assert it.log.appended == []
            it.lag = record_stream.MAX_LAG_FACTS
            await it.wait_for_appends(2)
            it.log.settle(0)
            it.log.settle(1)
            assert await read(call, 2) == positions(2)

    asyncio.run(main())


def test_persistent_lag_ends_the_stream() -> None:
    async def main() -> None:
        async with run_server(max_pause_seconds=0.05) as it:
            call = it.record(group(exchange()) for _ in range(65))
            await it.wait_for_appends(64)  # the limit of unanswered groups
            it.lag = record_stream.MAX_LAG_FACTS + 1
            for number in range(64):
                it.log.settle(number)
            assert await read(call, 64) == positions(64)
            assert await refusal(call.read()) == "OVERLOADED"
            assert len(it.log.appended) == 64

    asyncio.run(main())


def test_unresponsive_log_leaves_outcome_unknown() -> None:
    """The caller gets the error before its deadline, and the append continues."""

    async def main() -> None:
        async with run_server() as it:
            call = it.record([group(exchange())], timeout=0.6)
            assert await refusal(call.read()) == "OUTCOME_UNKNOWN"
            it.log.settle(0)
            again = it.record([group(exchange())])
            await it.wait_for_appends(2)
            it.log.settle(1)
            assert await read(again, 1) == positions(2)[1:]

    asyncio.run(main())


def test_log_error_ends_the_stream_after_earlier_answers() -> None:
    async def main() -> None:
        async with run_server() as it:
            call = it.record(group(exchange()) for _ in range(3))
            await it.wait_for_appends(3)
            it.log.appended[1][1].set_exception(LogFullError("no room"))
            it.log.settle(2)
            it.log.settle(0)
            assert await read(call, 1) == positions(1)
            assert await refusal(call.read()) == "LOG_FULL"

    asyncio.run(main())


def test_cancelled_call_does_not_cancel_appends() -> None:
    async def main() -> None:
        async with run_server() as it:
            call = it.record(group(exchange()) for _ in range(3))
            await it.wait_for_appends(3)
            call.cancel()
            single = it.record([group(exchange())])
            await it.wait_for_appends(4)
            for number in range(4):
                it.log.settle(number)
            assert await read(single, 1) == positions(4)[3:]

    asyncio.run(main())


def test_stopping_server_reads_no_further_groups() -> None:
    async def main() -> None:
        async with run_server() as it:
            # A group that is not read. With more groups an asyncio client may fail to send.
            call = it.record(group(exchange()) for _ in range(65))
            await it.wait_for_appends(64)
            stopping = asyncio.create_task(it.server.stop(PATIENCE_SECONDS))
            await it.server.stopping.wait()
            for number in range(64):
                it.log.settle(number)
            assert await read(call, 64) == positions(64)
            assert await refusal(call.read()) == "LOG_DOWN"
            await stopping
            assert len(it.log.appended) == 64

    asyncio.run(main())


def test_ready_outcomes_share_one_wake_up() -> None:
    async def main() -> None:
        log = SlowLog()
        appends = LogAppender(log)
        outcomes = [appends.append("p", [b"x"]) for _ in range(5)]
        loop, wakes = asyncio.get_running_loop(), []
        call_soon = loop.call_soon_threadsafe

        def counted(wake: Callable[[], None]) -> asyncio.Handle:
            wakes.append(wake)
            return call_soon(wake)

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign,assignment]
        outcomes[3].cancel()
        for number in range(4):
            log.settle(number)
        assert [await outcomes[0], await outcomes[2]] == [
            Position(LOG_ID, 0, 1),
            Position(LOG_ID, 0, 3),
        ]
        assert len(wakes) == 1
        log.settle(4)
        await outcomes[4]
        assert len(wakes) == 2

    asyncio.run(main())
