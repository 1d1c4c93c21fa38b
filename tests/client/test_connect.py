import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import pytest
from grpc import StatusCode

from mutua import AsyncClient, Client, MutuaError, Recorded
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import GetStatusResponse
from tests.client.scripted_server import FakeClock, ScriptedServer, serve
from tests.cluster.chaos.proxy import LinkFault, ProxyNetwork
from tests.ports import allocate_port
from tests.waiting import PATIENCE_SECONDS


def unused_address() -> str:
    """Where a server was until just now."""
    gone = ScriptedServer()
    with serve(gone):
        pass
    return gone.address


def test_a_server_that_was_never_reached_is_given_up_soon(
    make_client: Any, clock: FakeClock
) -> None:
    address = unused_address()

    with make_client(address, clock=clock) as client, pytest.raises(MutuaError) as raised:
        client.record([Event()])

    assert raised.value.code is StatusCode.UNAVAILABLE
    assert address in raised.value.message
    assert "`mutua up`" in raised.value.message
    assert sum(clock.delays_seconds) < 2.0


class RestartingClock:
    """Real time, since gRPC connects again in it; the first sleep brings the server back."""

    def __init__(self, restart: Callable[[], object]) -> None:
        self.restart = restart
        self.restarted = False
        self.never = threading.Event()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        if not self.restarted:
            self.restarted = True
            self.restart()
        self.never.wait(seconds)


def test_a_server_that_comes_back_is_found_again() -> None:
    first, second = ScriptedServer(), ScriptedServer()
    with ExitStack() as after:
        clock = RestartingClock(lambda: after.enter_context(serve(second, first.address)))
        with serve(first):
            client = after.enter_context(Client(first.address, clock=clock))
            client.record([Event(event_id="before")])

        client.record([Event(event_id="after")])

    assert [request.events[0].event_id for request in second.requests] == ["after"]


@pytest.mark.parametrize("server", ["", "localhost", "localhost:", ":7420", "a:1,b:2,c:3", "a:1,"])
def test_an_address_without_host_or_port_is_refused(make_client: Any, server: str) -> None:
    with pytest.raises(MutuaError, match="ingest_host:port,query_host:port") as raised:
        make_client(server)

    assert raised.value.code is StatusCode.INVALID_ARGUMENT


def test_an_ipv6_address_will_do() -> None:
    Client("[::1]:7420").close()


def test_proxies_are_not_asked(
    make_client: Any, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{unused_address()}")
    server.answers = [GetStatusResponse(position="p")]

    with make_client(server.address) as client:
        assert client.get_status().position == "p"


def test_threads_share_a_client(blocking_client: Client, server: ScriptedServer) -> None:
    threads = [
        threading.Thread(target=blocking_client.record, args=[[Event(event_id=str(number))]])
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = {request.events[0].event_id for request in server.requests}
    assert ids == {str(number) for number in range(8)}


class SilentServer(ScriptedServer):
    """Holds requests until the client has gone."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.gone = threading.Event(), threading.Event()

    def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        context.add_callback(self.gone.set)
        self.asked.set()
        self.gone.wait(PATIENCE_SECONDS)

    RecordEvents = GetStatus

    def RecordStream(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        yield self.GetStatus(next(request_iterator), context)


ASKED = {
    "a read": lambda client: client.get_status(),
    "a write": lambda client: client.record([Event()]),
    "a stream": lambda client: list(client.record_stream([Event()])),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_closing_ends_requests_under_way(ask: Callable[[Client], object]) -> None:
    server = SilentServer()
    with serve(server), ThreadPoolExecutor() as threads:
        client = Client(server.address)
        answer = threads.submit(ask, client)
        assert server.asked.wait(PATIENCE_SECONDS)
        client.close()
        with pytest.raises(MutuaError) as raised:
            answer.result(PATIENCE_SECONDS)

    assert raised.value.code is StatusCode.CANCELLED
    with pytest.raises(ValueError, match="closed"):
        ask(client)


async def _asyncio_asked(ask: Any, server: SilentServer) -> None:
    client = AsyncClient(server.address)
    answer = asyncio.create_task(ask(client))
    await asyncio.to_thread(server.asked.wait, PATIENCE_SECONDS)
    await client.close()
    with pytest.raises(MutuaError) as raised:
        await answer
    assert raised.value.code is StatusCode.CANCELLED
    with pytest.raises(ValueError, match="closed"):
        await ask(client)


async def _listed(client: AsyncClient) -> list[Recorded]:
    return [each async for each in client.record_stream([Event()])]


ASYNC_ASKED: dict[str, Callable[[AsyncClient], Any]] = {
    "a read": lambda client: client.get_status(),
    "a write": lambda client: client.record([Event()]),
    "a stream": _listed,
}


@pytest.mark.parametrize("ask", ASYNC_ASKED.values(), ids=ASYNC_ASKED)
def test_closing_ends_requests_of_other_tasks(ask: Callable[[AsyncClient], Any]) -> None:
    server = SilentServer()
    with serve(server):
        asyncio.run(_asyncio_asked(ask, server))


@pytest.mark.parametrize("ask", ASYNC_ASKED.values(), ids=ASYNC_ASKED)
def test_a_task_that_is_cancelled_is_cancelled(ask: Callable[[AsyncClient], Any]) -> None:
    async def main() -> None:
        async with AsyncClient(server.address) as client:
            answer = asyncio.create_task(ask(client))
            await asyncio.to_thread(server.asked.wait, PATIENCE_SECONDS)
            answer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answer
            assert await asyncio.to_thread(server.gone.wait, 30), "the call goes on"

    server = SilentServer()
    with serve(server):
        asyncio.run(main())


def test_an_async_client_is_made_in_its_event_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient("localhost:7420")


def test_importing_the_client_brings_in_nothing_heavy() -> None:
    program = "import mutua, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "proto"},
    ).stdout.split()

    assert not {"services", "numpy", "scipy", "pydantic", "sqlalchemy", "sqlmodel"} & set(loaded)


def test_a_connection_over_which_no_answer_comes_any_more_is_replaced(
    make_client: Any, server: ScriptedServer
) -> None:
    """Neither end notices: what lies between them has dropped the connection."""
    with closing(ProxyNetwork()) as network:
        between = network.add_proxy(allocate_port(), server.address)
        with make_client(between.address, "gde") as client:
            client.record([Event()])
            between.fail(LinkFault.HALF_OPEN)
            between.heal()
            client.record([Event()])
    first, lost, *again = server.requests
    assert first != lost
    assert {each == lost for each in again} == {True}
