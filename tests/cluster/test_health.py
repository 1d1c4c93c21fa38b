"""What a projector tells of its health, whatever becomes of what it needs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.adapters.grpc_server import ALIVE
from services.adapters.postgres_store import PostgresStore
from tests.cluster.brokers import Broker
from tests.cluster.topics import create_topic, delete_topic
from tests.cluster.workers import Cluster
from tests.databases import away
from tests.faults.processes import environment, eventually
from tests.ports import free_port
from tests.projector.newer import newer_fact

Status = health_pb2.HealthCheckResponse


class Projector:
    """A process that tells its health."""

    def __init__(self, broker: str, topic: str, database: str, listen: str) -> None:
        self.listen = listen or f"127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.projector"],
            env=environment(
                MUTUA_LOG_URL=f"kafka://{broker}/{topic}",
                MUTUA_STORE_URL=database,
                MUTUA_HEALTH_LISTEN=self.listen,
                MUTUA_SESSION_TIMEOUT_SECONDS="3",
            ),
        )
        self._channel = grpc.insecure_channel(self.listen)

    def says(self, status: int, service: str = "") -> bool:
        stub: Any = health_pb2_grpc.HealthStub(self._channel)  # whose methods the stubs do not know
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        except grpc.RpcError:
            return False
        return bool(answer.status == status)

    def eventually_ready(self, *, when: str) -> None:
        eventually(lambda: self.says(Status.SERVING), f"ready {when}")

    def eventually_unready(self, *, when: str) -> None:
        """Not ready, and alive all the same."""
        eventually(lambda: self.says(Status.NOT_SERVING), f"not ready {when}")
        assert self.says(Status.SERVING, ALIVE)

    def close(self) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def projector(broker: str, topic: str, database: str, *, listen: str = "") -> Iterator[Projector]:
    with closing(Projector(broker, topic, database, listen)) as running:
        yield running


def test_it_is_ready_while_it_does_its_work(
    broker: str, topic: str, database: str, postgres: str, tmp_path: Path
) -> None:
    later = f"{topic}-later"
    with projector(broker, later, database) as running:
        running.eventually_unready(when="without a topic")
        create_topic(broker, later)
        running.eventually_ready(when="once it has its partitions")
        with away(postgres, database):
            running.eventually_unready(when="without a database, before any fact tells it so")
        running.eventually_ready(when="when the database is back")
        with closing(Cluster(broker, later, tmp_path)) as log:
            held = log.put("p6", newer_fact(29, programme="p6"))
        with closing(PostgresStore(database, read_only=True)) as store:
            eventually(lambda: store.held(held) is not None, "a partition is held")
        running.eventually_unready(when="while a partition is held")
    delete_topic(broker, later)


def test_it_is_not_ready_without_its_broker(
    own_broker: Broker, own_topic: str, database: str
) -> None:
    with projector(own_broker.address, own_topic, database) as running:
        running.eventually_ready(when="once it has its partitions")
        own_broker.freeze()
        try:
            running.eventually_unready(when="while the broker says nothing")
        finally:
            own_broker.thaw()
        running.eventually_ready(when="when the broker answers again")


def test_an_address_in_use_ends_it(broker: str, topic: str, database: str) -> None:
    with projector(broker, topic, database) as running:
        running.eventually_ready(when="once it has its partitions")
        with projector(broker, topic, database, listen=running.listen) as other:
            assert other.process.wait(30) == 1
