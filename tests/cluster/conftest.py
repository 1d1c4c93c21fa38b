"""A broker that tests may freeze and kill; tests/backing_services.py has the shared one."""

from collections.abc import Iterator

import pytest

from services.dev.broker import fetch_jars
from tests.backing_services import build_or_skip
from tests.cluster.broker import Broker
from tests.cluster.topics import temporary_topic


@pytest.fixture(scope="session")
def private_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Tests must leave it running."""
    broker = Broker(build_or_skip(fetch_jars), tmp_path_factory.mktemp("broker"))
    yield broker
    broker.kill()


@pytest.fixture
def private_topic(private_broker: Broker) -> Iterator[str]:
    """The name of a new topic on `private_broker`."""
    yield from temporary_topic(private_broker.address)
