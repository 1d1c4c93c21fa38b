"""Watches of a cluster: any query process continues them, also after a restore of the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from mutua import Client
from mutua.v1.query_service_pb2 import Question
from mutua.v1.watch_service_pb2 import (
    WATCH_EVENT_PROGRESS,
    WatchBalancesRequest,
    WatchBalancesResponse,
)
from mutua.v1.watch_service_pb2_grpc import WatchServiceStub
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.store import PostgresStore
from services.ledger.position import Position
from tests.cluster.service_process import ServiceProcess
from tests.cluster.test_query import PROGRAMME, produce, project
from tests.cluster.topics import kafka_url
from tests.databases import create_sibling, replace_database
from tests.services.test_watch import QUESTIONS, begin, is_reached, rows_by_key
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture
def log(broker: str, topic: str) -> Iterator[KafkaTopic]:
    with closing(KafkaTopic(KafkaAddress(servers=(broker,), topic=topic))) as log:
        yield log


@pytest.fixture
def backup(log: KafkaTopic, database: str, postgres: str) -> str:
    """A copy of the database as it is after five facts."""
    with closing(PostgresStore(database)) as store:
        project(log, store, produce(log, 0, 5))
    return create_sibling(postgres, database, f"TEMPLATE {database.rpartition('/')[2]}")


@pytest.fixture
def processes(
    tmp_path: Path, broker: str, topic: str, database: str, backup: str
) -> Iterator[list[ServiceProcess]]:
    """Two query processes, which end each stream after three seconds."""
    url = kafka_url(broker, topic)
    running = [
        ServiceProcess("query", tmp_path, url, database, MUTUA_WATCH_SECONDS="3") for _ in range(2)
    ]
    yield running
    for process in running:
        process.kill()


def test_watches_outlive_killed_processes_and_a_restored_database(
    processes: list[ServiceProcess], log: KafkaTopic, database: str, postgres: str, backup: str
) -> None:
    first, second = processes
    partition = log.find_partition(PROGRAMME)

    def record(start: int, end: int) -> str:
        """Records facts; the position after them, once they are projected."""
        produce(log, start, end)
        with closing(PostgresStore(database)) as store:
            assert project(log, store, partition) == end
        return str(Position(log.log_id, partition, end))

    with Client(first.wait_for_address(), deadline_seconds=PATIENCE_SECONDS) as client:
        watches = {rpc: begin(client, rpc) for rpc in QUESTIONS}
        exchanges = client.watch.exchanges(with_progress=True)
        next(exchanges)
        exchange_count = 0

        def follow(position: str) -> None:
            nonlocal exchange_count
            for rpc, watch in watches.items():
                while not is_reached(watch, position):
                    next(watch)
                assert watch.rows == rows_by_key(rpc, QUESTIONS[rpc](client))
            while not is_reached(exchanges, position):
                exchange_count += len(next(exchanges).rows)

        follow(record(5, 8))
        first.kill()
        position = record(8, 11)
        first.start()
        follow(position)
        token = read_first(first).resume_token
        assert read_first(second, token).event == WATCH_EVENT_PROGRESS
        replace_database(postgres, database, backup)
        follow(record(11, 14))
        assert exchange_count == 14 - 5


def read_first(process: ServiceProcess, resume_token: str = "") -> WatchBalancesResponse:
    """The first message of a watch of balances."""
    with grpc.insecure_channel(process.wait_for_address()) as channel:
        request = WatchBalancesRequest(
            question=Question(programme_id=PROGRAMME), resume_token=resume_token
        )
        call = WatchServiceStub(channel).WatchBalances(request, timeout=PATIENCE_SECONDS)
        first = next(iter(call))
        call.cancel()
    return first
