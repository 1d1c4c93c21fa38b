"""A broker for the session, and a topic of its own for each test."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient

from tests.cluster.topics import create_topic


@pytest.fixture(scope="session")
def broker() -> str:
    found = os.environ.get("MUTUA_TEST_BROKER", "")
    if not found:
        missing = "MUTUA_TEST_BROKER names no broker"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture
def topic(broker: str) -> Iterator[str]:
    name = f"test-{uuid4().hex}"
    create_topic(broker, name)
    yield name
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.delete_topics([name])
    admin.close()
