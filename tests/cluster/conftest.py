"""A broker for the run, and a topic for each test."""

import os
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient

from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_admin import KafkaAdmin
from tests.cluster.brokers import Broker, jars

PARTITIONS = 4


def _missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One that may be frozen and killed; tests leave it running."""
    folder = jars()
    if folder is None:
        _missing("MUTUA_TEST_BROKER_JARS names no folder with the broker's jars")
    assert folder is not None
    broker = Broker(folder, tmp_path_factory.mktemp("broker"))
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> str:
    """The address of a broker, "127.0.0.1:PORT"."""
    given = os.environ.get("MUTUA_TEST_BROKER", "")
    if given:
        return given
    own: Broker = request.getfixturevalue("own_broker")
    return own.address


@pytest.fixture
def topic(broker: str) -> Iterator[str]:
    """The name of a topic that is new."""
    yield from new_topic(broker)


@pytest.fixture
def own_topic(own_broker: Broker) -> Iterator[str]:
    """The name of a new topic of the broker that may be frozen and killed."""
    yield from new_topic(own_broker.address)


def new_topic(broker: str) -> Iterator[str]:
    name = f"test-{uuid4().hex}"
    create_topic(broker, name)
    yield name
    delete_topic(broker, name)


def create_topic(broker: str, name: str, partition_count: int = PARTITIONS) -> None:
    with closing(KafkaAdmin(KafkaAddress(servers=(broker,), topic=name))) as admin:
        admin.create(partition_count=partition_count, replica_count=1)


def delete_topic(broker: str, name: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.delete_topics([name], raise_errors=False)
