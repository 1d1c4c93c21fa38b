"""Health of a projector while its broker, topic or database is away."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.adapters.grpc.server import LIVENESS_SERVICE
from services.adapters.postgres.store import PostgresStore
from tests.cluster.broker import Broker
from tests.cluster.projector_cluster import ProjectorCluster
from tests.cluster.topics import create_topic, delete_topic
from tests.databases import block_connections
from tests.faults.server_process import make_environment
from tests.ports import allocate_port
from tests.projector.newer_facts import newer_fact
from tests.waiting import wait_until

Status = health_pb2.HealthCheckResponse


class HealthProbe:
    """A process that tells its health."""

    def __init__(self, broker: str, topic: str, database: str, listen: str) -> None:
        self.listen = listen or f"127.0.0.1:{allocate_port()}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.projector"],
            env=make_environment(
                MUTUA_LOG_URL=f"kafka://{broker}/{topic}",
                MUTUA_STORE_URL=database,
                MUTUA_HEALTH_LISTEN=self.listen,
                MUTUA_SESSION_TIMEOUT_SECONDS="3",
            ),
        )
        self._channel = grpc.insecure_channel(self.listen)

    def reports(self, status: int, service: str = "") -> bool:
        stub: Any = health_pb2_grpc.HealthStub(self._channel)  # whose methods the stubs do not know
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        except grpc.RpcError:
            return False
        return bool(answer.status == status)

    def wait_until_ready(self, *, when: str) -> None:
        wait_until(lambda: self.reports(Status.SERVING), f"ready {when}")

    def wait_until_unready(self, *, when: str) -> None:
        """Not ready, and alive all the same."""
        wait_until(lambda: self.reports(Status.NOT_SERVING), f"not ready {when}")
        assert self.reports(Status.SERVING, LIVENESS_SERVICE)

    def close(self) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def start_projector(
    broker: str, topic: str, database: str, *, listen: str = ""
) -> Iterator[HealthProbe]:
    with closing(HealthProbe(broker, topic, database, listen)) as running:
        yield running


def test_projector_is_ready_while_it_can_project(
    broker: str, topic: str, database: str, postgres: str, tmp_path: Path
) -> None:
    later = f"{topic}-later"
    with start_projector(broker, later, database) as running:
        running.wait_until_unready(when="without a topic")
        create_topic(broker, later)
        running.wait_until_ready(when="once it has its partitions")
        with block_connections(postgres, database):
            running.wait_until_unready(when="without a database, before any fact tells it so")
        running.wait_until_ready(when="when the database is back")
        with closing(ProjectorCluster(broker, later, tmp_path)) as log:
            held = log.put("p6", newer_fact(29, programme="p6"))
        with closing(PostgresStore(database, read_only=True)) as store:
            wait_until(lambda: store.read_hold(held) is not None, "a partition is held")
        running.wait_until_unready(when="while a partition is held")
    delete_topic(broker, later)


def test_projector_is_not_ready_without_its_broker(
    private_broker: Broker, private_topic: str, database: str
) -> None:
    with start_projector(private_broker.address, private_topic, database) as running:
        running.wait_until_ready(when="once it has its partitions")
        private_broker.freeze()
        try:
            running.wait_until_unready(when="while the broker says nothing")
        finally:
            private_broker.thaw()
        running.wait_until_ready(when="when the broker answers again")


def test_address_in_use_ends_the_projector(broker: str, topic: str, database: str) -> None:
    with start_projector(broker, topic, database) as running:
        running.wait_until_ready(when="once it has its partitions")
        with start_projector(broker, topic, database, listen=running.listen) as other:
            assert other.process.wait(30) == 1
