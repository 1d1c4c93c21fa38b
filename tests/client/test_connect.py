import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from grpc import StatusCode

from mutua import Client, MutuaError
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import GetStatusResponse
from tests.client.scripted import FakeClock, ScriptedServer, serving


def unused_address() -> str:
    """Where a server was until just now."""
    gone = ScriptedServer()
    with serving(gone):
        pass
    return gone.address


def test_a_server_that_was_never_reached_is_given_up_soon(clock: FakeClock) -> None:
    address = unused_address()

    with Client(address, clock=clock) as client, pytest.raises(MutuaError) as raised:
        client.record([Event()])

    assert raised.value.code is StatusCode.UNAVAILABLE
    assert address in raised.value.message
    assert "`mutua up`" in raised.value.message
    assert sum(clock.slept) < 2.0


class ClockThatRestarts:
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
        clock = ClockThatRestarts(lambda: after.enter_context(serving(second, first.address)))
        with serving(first):
            client = after.enter_context(Client(first.address, clock=clock))
            client.record([Event(event_id="before")])

        client.record([Event(event_id="after")])

    assert [request.events[0].event_id for request in second.requests] == ["after"]


@pytest.mark.parametrize("server", ["", "localhost", "localhost:", ":7420", "a:1,b:2,c:3", "a:1,"])
def test_an_address_without_host_or_port_is_refused(server: str) -> None:
    with pytest.raises(MutuaError, match="ingest_host:port,query_host:port") as raised:
        Client(server)

    assert raised.value.code is StatusCode.INVALID_ARGUMENT


def test_an_ipv6_address_will_do() -> None:
    Client("[::1]:7420").close()


def test_proxies_are_not_asked(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{unused_address()}")
    server.answers = [GetStatusResponse(position="p")]

    with Client(server.address) as client:
        assert client.get_status().position == "p"


def test_threads_share_a_client(client: Client, server: ScriptedServer) -> None:
    threads = [
        threading.Thread(target=client.record, args=[[Event(event_id=str(number))]])
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = {request.events[0].event_id for request in server.requests}
    assert ids == {str(number) for number in range(8)}


class NeverAnswers(ScriptedServer):
    """Holds requests until the client has gone."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.gone = threading.Event(), threading.Event()

    def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        context.add_callback(self.gone.set)
        self.asked.set()
        self.gone.wait(30)

    RecordEvents = GetStatus


@pytest.mark.parametrize(
    "ask", [lambda client: client.get_status(), lambda client: client.record([Event()])]
)
def test_closing_ends_requests_under_way(ask: Callable[[Client], object]) -> None:
    server = NeverAnswers()
    with serving(server), ThreadPoolExecutor() as threads:
        client = Client(server.address)
        answer = threads.submit(ask, client)
        assert server.asked.wait(30)
        client.close()
        with pytest.raises(MutuaError) as raised:
            answer.result(30)

    assert raised.value.code is StatusCode.CANCELLED
    with pytest.raises(ValueError, match="closed"):
        ask(client)


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
