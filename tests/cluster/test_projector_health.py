"""Health of a projector while its broker, topic or database is away."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.adapters.postgres.store import PostgresStore
from tests.cluster.broker import Broker
from tests.cluster.service_cluster import ServiceCluster
from tests.cluster.topics import create_topic, delete_topic
from tests.databases import block_connections
from tests.projector.newer_facts import newer_fact
from tests.waiting import wait_until


@pytest.fixture
def missing_topic(broker: str, topic: str) -> Iterator[str]:
    """The name of a topic that the test creates."""
    name = f"{topic}-later"
    yield name
    delete_topic(broker, name)


class TestProjectorHealth:
    def test_ready_while_it_can_project(
        self, broker: str, missing_topic: str, database: str, postgres: str, tmp_path: Path
    ) -> None:
        with closing(ServiceCluster(tmp_path, broker, missing_topic, database)) as cluster:
            projector = cluster.start_projector()
            projector.wait_until_unready("without a topic")
            create_topic(broker, missing_topic)
            projector.wait_until_serving("once it has its partitions")
            with block_connections(postgres, database):
                projector.wait_until_unready("without a database, before any fact needs it")
            projector.wait_until_serving("when the database is back")
            partition = cluster.put("p6", newer_fact(29, programme="p6"))
            with closing(PostgresStore(database, read_only=True)) as store:
                wait_until(lambda: store.read_hold(partition) is not None, "a partition is held")
            projector.wait_until_unready("while a partition is held")

    def test_unready_without_its_broker(
        self, private_broker: Broker, private_topic: str, database: str, tmp_path: Path
    ) -> None:
        place = tmp_path, private_broker.address, private_topic, database
        with closing(ServiceCluster(*place)) as cluster:
            projector = cluster.start_projector()
            projector.wait_until_serving("once it has its partitions")
            private_broker.freeze()
            try:
                projector.wait_until_unready("while the broker is frozen")
            finally:
                private_broker.thaw()
            projector.wait_until_serving("when the broker answers again")

    def test_address_in_use_ends_the_process(
        self, broker: str, topic: str, database: str, tmp_path: Path
    ) -> None:
        with closing(ServiceCluster(tmp_path, broker, topic, database)) as cluster:
            first = cluster.start_projector()
            first.wait_until_serving("once it has its partitions")
            other = cluster.start_projector("projector-2", MUTUA_LISTEN=first.address)
            assert other.wait_for_exit() == 1
