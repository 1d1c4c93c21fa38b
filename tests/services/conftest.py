"""One server for a module, one programme for a test."""

from collections.abc import Iterator
from uuid import uuid4

import grpc
import pytest

from mutua import Client
from services.app.bootstrap import serve_embedded


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    with serve_embedded(folder, purpose="tests", write=True) as running:
        yield running.address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, programme=f"p-{uuid4().hex}") as client:
        yield client


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    """A channel with default options, as in clients in other languages."""
    with grpc.insecure_channel(address) as channel:
        yield channel
