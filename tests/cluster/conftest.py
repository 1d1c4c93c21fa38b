"""A broker that tests may freeze and kill, beside the one in tests/backends.py that all share."""

from collections.abc import Iterator

import pytest

from services.dev.broker import fetch
from tests.backends import or_skipped
from tests.cluster.brokers import Broker
from tests.cluster.topics import new_topic


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Tests leave it running."""
    broker = Broker(or_skipped(fetch), tmp_path_factory.mktemp("broker"))
    yield broker
    broker.kill()


@pytest.fixture
def own_topic(own_broker: Broker) -> Iterator[str]:
    """The name of a new topic of the broker that may be frozen and killed."""
    yield from new_topic(own_broker.address)
