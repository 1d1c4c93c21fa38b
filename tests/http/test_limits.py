"""Connections that ask nothing, ask too much or take no answer are ended; others are unaffected."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import anyio
import anyio.from_thread
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.adapters.http.application import build_application
from services.adapters.http.connection import ConnectionLimits
from services.adapters.http.server import HttpServer
from tests.waiting import PATIENCE_SECONDS, wait_until

GET = b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answer_small(_: Request) -> Response:
    return Response(b"small")


async def answer_large(_: Request) -> Response:
    return Response(b"x" * (32 << 20))


async def answer_never(_: Request) -> Response:
    async def wait() -> Any:
        yield b"begin"
        await anyio.sleep_forever()

    return StreamingResponse(wait())


ROUTES = [
    Route("/small", answer_small),
    Route("/large", answer_large),
    Route("/never", answer_never),
]


@contextmanager
def serving(**limits: Any) -> Iterator[tuple[str, int]]:
    """An HTTP server with these limits; its address."""
    with anyio.from_thread.start_blocking_portal() as portal:
        server = HttpServer(build_application(ROUTES), ConnectionLimits(**limits))
        address = portal.call(lambda: server.start("127.0.0.1:0", grace_seconds=1))
        host, _, port = address.rpartition(":")
        try:
            yield host, int(port)
        finally:
            portal.call(server.stop)


def connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=PATIENCE_SECONDS)


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def read_problem(connection: socket.socket) -> Any:
    return json.loads(read_to_end(connection).partition(b"\r\n\r\n")[2])


def ask_small(address: tuple[str, int]) -> bytes:
    with connect(address) as connection:
        connection.sendall(GET)
        return connection.recv(65_536)


class TestRequestHead:
    def test_query_of_a_megabyte_is_refused(self) -> None:
        with serving() as address, connect(address) as connection:
            connection.sendall(b"GET /small?topic=" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n")
            problem = read_problem(connection)
        assert (problem["status"], problem["reason"]) == (431, "REQUEST_TOO_LARGE")
        assert "more than 64 KiB" in problem["detail"]

    def test_what_is_no_request_is_refused(self) -> None:
        with serving() as address, connect(address) as connection:
            connection.sendall(b"\x16\x03\x01 no request\r\n\r\n")
            problem = read_problem(connection)
        assert (problem["status"], problem["code"]) == (400, "INVALID_ARGUMENT")

    @pytest.mark.parametrize("sent", [(b"",), (b"GET /small HT",), (GET, b"GET /sm")])
    def test_unfinished_request_ends_in_time(self, sent: tuple[bytes, ...]) -> None:
        with serving(head_seconds=0.2) as address, connect(address) as connection:
            *requests, unfinished = sent
            for request in requests:
                connection.sendall(request)
                assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")
            connection.sendall(unfinished)
            assert b"HTTP/1.1 408 Request Timeout" in read_to_end(connection)

    def test_finished_request_is_not_ended(self) -> None:
        with serving(head_seconds=0.2) as address, connect(address) as connection:
            connection.sendall(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while b"begin" not in received:
                received += connection.recv(65_536)
            connection.settimeout(0.6)
            with pytest.raises(TimeoutError):
                read_to_end(connection)


class TestConnections:
    def test_silent_connections_make_room_for_requests(self) -> None:
        with serving(max_connections=20) as address, ExitStack() as connections:
            silent = [connections.enter_context(connect(address)) for _ in range(200)]
            assert ask_small(address).startswith(b"HTTP/1.1 200 OK")
            # The first one has waited longest.
            with pytest.raises((ConnectionError, AssertionError)):
                assert silent[0].recv(1) != b""

    def test_connections_that_asked_before_stay(self) -> None:
        with serving(max_connections=20) as address, ExitStack() as connections:
            kept = connections.enter_context(connect(address))
            for _ in range(2):
                kept.sendall(GET)
                answer = b""
                while not answer.endswith(b"small"):
                    received = kept.recv(65_536)
                    assert received, "the server has closed it"
                    answer += received
                for _ in range(40):
                    connections.enter_context(connect(address))
                assert ask_small(address).startswith(b"HTTP/1.1 200 OK")

    def test_requests_under_way_are_not_ended_for_others(self) -> None:
        with serving(max_connections=3) as address, ExitStack() as connections:
            for _ in range(3):
                busy = connections.enter_context(connect(address))
                busy.sendall(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert busy.recv(65_536).startswith(b"HTTP/1.1 200 OK")
            problem = read_problem(connections.enter_context(connect(address)))
        assert (problem["status"], problem["reason"]) == (503, "OVERLOADED")

    def test_client_that_takes_nothing_is_ended(self) -> None:
        with serving(stall_seconds=0.2) as address, connect(address) as connection:
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: is_closed_by_peer(connection), "the server gives up")


def is_closed_by_peer(connection: socket.socket) -> bool:
    """Whether the peer takes nothing any more."""
    try:
        connection.sendall(GET)
    except OSError:
        return True
    return False
