from collections.abc import Iterator

import pytest

from mutua import Client
from tests.client.scripted import FakeClock, ScriptedServer, serving


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    servicer = ScriptedServer()
    with serving(servicer):
        yield servicer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(server: ScriptedServer, clock: FakeClock) -> Iterator[Client]:
    """Of the programme gde, with a deadline of 30 s."""
    with Client(server.address, "gde", clock=clock) as client:
        yield client
