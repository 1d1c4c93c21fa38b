from collections.abc import Iterator
from typing import Any

import pytest

from mutua import Client
from tests.client.scripted_server import BlockingAsyncClient, FakeClock, ScriptedServer, serve


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    servicer = ScriptedServer()
    with serve(servicer):
        yield servicer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=[Client, BlockingAsyncClient], ids=["Client", "AsyncClient"])
def make_client(request: pytest.FixtureRequest) -> Any:
    """Client and AsyncClient, which have the same contract."""
    return request.param


@pytest.fixture
def client(make_client: Any, server: ScriptedServer, clock: FakeClock) -> Iterator[Client]:
    """A client of the programme gde, with a deadline of 30 s."""
    with make_client(server.address, "gde", clock=clock) as client:
        yield client


@pytest.fixture
def blocking_client(server: ScriptedServer, clock: FakeClock) -> Iterator[Client]:
    """A `Client`; `client` may also be an `AsyncClient`."""
    with Client(server.address, "gde", clock=clock) as client:
        yield client
