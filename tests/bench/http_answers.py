"""Measures an answer that the caller has already, over HTTP.

Run as a program, this module is the limit: Starlette on uvicorn, answering an empty body.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.commands import run, run_server
from tests.bench.figure import RUNS, Figure
from tests.cli.cli_process import COMMAND

PATH: Final = "/api/v1/balances?programme=default&lens=burden&from=2021-01-01&kind=call"
CONNECTIONS: Final = 16
ROUNDS: Final = 250
_HEAD_END: Final = b"\r\n\r\n"


def measure() -> Iterator[Figure]:
    rates, limit_rates = [], []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        run(*COMMAND, "demo", "--dir", str(data))
        with run_server(data), run_empty_server() as empty_address:
            address = json.loads((data / "server.json").read_text())["http_address"]
            tag = httpx.get(f"http://{address}{PATH}").headers["etag"]
            for _ in range(RUNS):
                rates.append(measure_rate(address, 304, f"If-None-Match: {tag}\r\n"))
                limit_rates.append(measure_rate(empty_address, 200))
    yield Figure(
        f"a cached answer over HTTP, If-None-Match, {CONNECTIONS} connections",
        statistics.median(rates),
        "requests/s",
        statistics.median(limit_rates),
        "Starlette answering an empty body",
    )


def measure_rate(address: str, status: int, header: str = "") -> float:
    """Requests a second; each connection waits for its answer before it asks again."""
    host, _, port = address.rpartition(":")
    request = f"GET {PATH} HTTP/1.1\r\nHost: {address}\r\n{header}\r\n".encode()
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection((host, int(port))))
            for _ in range(CONNECTIONS)
        ]
        start = time.perf_counter()
        for _ in range(ROUNDS):
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                answer = b""
                while not answer.endswith(_HEAD_END):
                    answer += connection.recv(65_536)
                assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
        return CONNECTIONS * ROUNDS / (time.perf_counter() - start)


@contextmanager
def run_empty_server() -> Iterator[str]:
    """Runs the limit and yields its address."""
    command = [sys.executable, "-m", "tests.bench.http_answers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def answer_nothing(_: Request) -> Response:
    return Response()


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
    application = Starlette(routes=[Route("/api/v1/balances", answer_nothing)])
    config = uvicorn.Config(application, http="h11", log_config=None, access_log=False)
    uvicorn.Server(config).run([listener])
