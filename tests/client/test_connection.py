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
from tests.client.scripted_server import BlockingAsyncClient, FakeClock, ScriptedServer, serve
from tests.cluster.chaos.proxy import LinkFault, ProxyNetwork
from tests.ports import allocate_port
from tests.waiting import PATIENCE_SECONDS


def allocate_unused_address() -> str:
    """The address of a server that has just ended."""
    server = ScriptedServer()
    with serve(server):
        pass
    return server.address


class RestartingClock:
    """Real time, because gRPC reconnects in real time. The first sleep restarts the server."""

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


class SilentServer(ScriptedServer):
    """Holds requests until the client cancels them."""

    def __init__(self) -> None:
        super().__init__()
        self.is_called, self.is_cancelled = threading.Event(), threading.Event()

    def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        context.add_callback(self.is_cancelled.set)
        self.is_called.set()
        self.is_cancelled.wait(PATIENCE_SECONDS)

    RecordEvents = GetStatus

    def RecordStream(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        yield self.GetStatus(next(request_iterator), context)


REQUESTS = {
    "a read": lambda client: client.get_status(),
    "a write": lambda client: client.record([Event()]),
    "a stream": lambda client: list(client.record_stream([Event()])),
}


async def _close_during_request(ask: Any, server: SilentServer) -> None:
    client = AsyncClient(server.address)
    answer = asyncio.create_task(ask(client))
    await asyncio.to_thread(server.is_called.wait, PATIENCE_SECONDS)
    await client.close()
    with pytest.raises(MutuaError) as raised:
        await answer
    assert raised.value.code is StatusCode.CANCELLED
    with pytest.raises(ValueError, match="closed"):
        await ask(client)


async def _record_stream(client: AsyncClient) -> list[Recorded]:
    return [each async for each in client.record_stream([Event()])]


ASYNC_REQUESTS: dict[str, Callable[[AsyncClient], Any]] = {
    "a read": lambda client: client.get_status(),
    "a write": lambda client: client.record([Event()]),
    "a stream": _record_stream,
}


class TestClose:
    @pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
    def test_cancels_running_requests(self, ask: Callable[[Client], object]) -> None:
        server = SilentServer()
        with serve(server), ThreadPoolExecutor() as threads:
            client = Client(server.address)
            answer = threads.submit(ask, client)
            assert server.is_called.wait(PATIENCE_SECONDS)
            client.close()
            with pytest.raises(MutuaError) as raised:
                answer.result(PATIENCE_SECONDS)

        assert raised.value.code is StatusCode.CANCELLED
        with pytest.raises(ValueError, match="closed"):
            ask(client)

    @pytest.mark.parametrize("ask", ASYNC_REQUESTS.values(), ids=ASYNC_REQUESTS)
    def test_cancels_requests_of_other_tasks(self, ask: Callable[[AsyncClient], Any]) -> None:
        server = SilentServer()
        with serve(server):
            asyncio.run(_close_during_request(ask, server))


@pytest.mark.parametrize("ask", ASYNC_REQUESTS.values(), ids=ASYNC_REQUESTS)
def test_cancelled_task_cancels_its_call(ask: Callable[[AsyncClient], Any]) -> None:
    async def main() -> None:
        async with AsyncClient(server.address) as client:
            answer = asyncio.create_task(ask(client))
            await asyncio.to_thread(server.is_called.wait, PATIENCE_SECONDS)
            answer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answer
            assert await asyncio.to_thread(server.is_cancelled.wait, PATIENCE_SECONDS)

    server = SilentServer()
    with serve(server):
        asyncio.run(main())


def test_async_client_requires_an_event_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient("localhost:7420")


def test_import_loads_no_server_module() -> None:
    program = "import mutua, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    modules = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "proto"},
    ).stdout.split()

    assert not {"services", "numpy", "scipy", "pydantic", "sqlalchemy", "sqlmodel"} & set(modules)


class TestConnect:
    def test_gives_up_soon_if_server_was_never_reached(
        self, make_client: Any, clock: FakeClock
    ) -> None:
        address = allocate_unused_address()

        with make_client(address, clock=clock) as client, pytest.raises(MutuaError) as raised:
            client.record([Event()])

        assert raised.value.code is StatusCode.UNAVAILABLE
        assert address in raised.value.message
        assert "`mutua up`" in raised.value.message
        assert sum(clock.delays_seconds) < 2.0

    def test_reconnects_to_a_restarted_server(self) -> None:
        first, second = ScriptedServer(), ScriptedServer()
        with ExitStack() as after:
            clock = RestartingClock(lambda: after.enter_context(serve(second, first.address)))
            with serve(first):
                client = after.enter_context(Client(first.address, clock=clock))
                client.record([Event(event_id="before")])

            client.record([Event(event_id="after")])

        assert [request.events[0].event_id for request in second.requests] == ["after"]

    @pytest.mark.parametrize(
        "server", ["", "localhost", "localhost:", ":7420", "a:1,b:2,c:3", "a:1,"]
    )
    def test_refuses_address_without_host_or_port(self, make_client: Any, server: str) -> None:
        with pytest.raises(MutuaError, match="ingest_host:port,query_host:port") as raised:
            make_client(server)

        assert raised.value.code is StatusCode.INVALID_ARGUMENT

    def test_accepts_ipv6_address(self) -> None:
        Client("[::1]:7420").close()

    def test_ignores_http_proxy(
        self, make_client: Any, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", f"http://{allocate_unused_address()}")
        server.answers = [GetStatusResponse(position="p")]

        with make_client(server.address) as client:
            assert client.get_status().position == "p"

    def test_threads_share_a_client(self, blocking_client: Client, server: ScriptedServer) -> None:
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

    def test_replaces_a_half_open_connection(self) -> None:
        """A firewall between client and server dropped the connection, and neither end notices.

        Both clients at once, because each waits until its keepalive gives up.
        """
        clients = [Client, BlockingAsyncClient]
        with ThreadPoolExecutor() as threads:
            for requests in threads.map(_record_through_firewall, clients):
                first, second, *repeated = requests
                assert first != second
                assert {each == second for each in repeated} == {True}


def _record_through_firewall(make_client: Any) -> list[Any]:
    """The requests that a server got from a client whose connection a firewall dropped."""
    server = ScriptedServer()
    with serve(server), closing(ProxyNetwork()) as network:
        proxy = network.add_proxy(allocate_port(), server.address)
        with make_client(proxy.address, "gde") as client:
            client.record([Event()])
            proxy.fail(LinkFault.HALF_OPEN)
            proxy.heal()
            client.record([Event()])
    return server.requests
