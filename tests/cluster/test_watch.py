"""Watches of a cluster add up to its tables, whatever happens to processes, database and topic."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from mutua import Client
from mutua import MutuaError as ClientError
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question
from mutua.v1.watch_service_pb2 import (
    WATCH_EVENT_PROGRESS,
    WatchBalancesRequest,
    WatchBalancesResponse,
)
from mutua.v1.watch_service_pb2_grpc import WatchServiceStub
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.store import PostgresStore
from services.ledger.errors import MutuaError
from services.ledger.position import Position
from tests.cluster.chaos.proxy import LinkFault, Proxy, ProxyNetwork
from tests.cluster.dev_cluster import MUTUA_COMMAND
from tests.cluster.service_cluster import ServiceCluster
from tests.cluster.service_process import ServiceProcess
from tests.cluster.test_query import project
from tests.cluster.topics import create_topic, delete_topic, kafka_url
from tests.databases import create_sibling, replace_database
from tests.faults.server_process import make_environment
from tests.ports import allocate_port
from tests.services import facts
from tests.services.test_watch import QUESTIONS, begin, rows_by_key
from tests.waiting import PATIENCE_SECONDS, wait_until

PROGRAMME = "default"
STREAM_SECONDS = "3"
SUBJECT = "a"
"""The organization whose exchanges are watched."""


class Site:
    """A projector and two query processes behind one address, whose connections break at random."""

    def __init__(self, cluster: ServiceCluster, broker: str, topic: str, postgres: str) -> None:
        self._cluster, self._broker, self._topic = cluster, broker, topic
        self._postgres = postgres
        self._log = KafkaTopic(cluster.address)
        self._chance = random.Random(17)
        self.append(*(facts.exchange(SUBJECT, f"b{number}") for number in range(5)))
        self._backup = self._back_up()
        self.projector = cluster.start_projector()
        self.queries = [cluster.start_query(MUTUA_WATCH_SECONDS=STREAM_SECONDS) for _ in range(2)]
        self.network = ProxyNetwork()
        addresses = [query.wait_for_address() for query in self.queries]
        self.proxy: Proxy = self.network.add_proxy(allocate_port(), *addresses)

    def append(self, *events: Event) -> str:
        """Records facts; the position after them."""
        for event in events:
            event.programme_id = PROGRAMME
        self._cluster.append(events)
        partition = self._log.find_partition(PROGRAMME)
        end = self._log.get_partition(partition).end()
        return str(Position(self._log.log_id, partition, end))

    def lose_connections(self) -> None:
        """Breaks all connections in one of ten cases."""
        if self._chance.random() < 0.1:
            self.proxy.fail(LinkFault.CUT)
            self.proxy.heal()

    def restore_database(self) -> None:
        """The database is as it was after the first five facts."""
        self.projector.kill()
        replace_database(self._postgres, self._cluster.database, self._backup)
        self.projector.start()

    def rebuild(self) -> None:
        assert self._start_rebuild().wait(PATIENCE_SECONDS) == 0

    def make_topic_anew(self, *events: Event) -> str:
        """Another log with these facts, from which all processes answer; the position after."""
        processes = [self.projector, *self.queries]
        delete_topic(self._broker, self._topic)
        wait_until(self._create_topic, "the topic is made anew")
        wait_until(lambda: all(each.has_ended() for each in processes), "all notice")
        self._log.close()
        self._log = KafkaTopic(self._cluster.address)
        position = self.append(*events)
        rebuilding = self._start_rebuild()

        def has_ended() -> bool:
            for process in processes:
                if process.has_ended():  # projectors do until the new read models are active
                    process.start()
            return rebuilding.poll() is not None

        wait_until(has_ended, "the rebuild ends")
        assert rebuilding.returncode == 0
        return position

    def close(self) -> None:
        self.network.close()
        self._log.close()
        self._cluster.close()

    def _start_rebuild(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*MUTUA_COMMAND, "rebuild"],
            env=make_environment(
                MUTUA_LOG_URL=kafka_url(self._broker, self._topic),
                MUTUA_STORE_URL=self._cluster.database,
            ),
            stderr=subprocess.DEVNULL,
        )

    def _create_topic(self) -> bool:
        try:
            create_topic(self._broker, self._topic)
        except MutuaError:
            return False
        return True

    def _back_up(self) -> str:
        with closing(PostgresStore(self._cluster.database)) as store:
            project(self._log, store, self._log.find_partition(PROGRAMME))
        name = self._cluster.database.rpartition("/")[2]
        return create_sibling(self._postgres, self._cluster.database, f"TEMPLATE {name}")


class Subscriptions:
    """Every watch, and the two lists of exchanges, folded."""

    def __init__(self, client: Client, lose_connections: Callable[[], None]) -> None:
        self._client = client
        self._lose_connections = lose_connections
        self.states = {rpc: begin(client, rpc) for rpc in QUESTIONS}
        self.begin_lists()
        for watch in self.states.values():
            next(watch)

    def begin_lists(self) -> None:
        self.lists: list[tuple[dict[str, Any], Any, dict[str, Any]]] = []
        every: dict[str, Any] = {}
        for filters in (every, {"organization_ids": [SUBJECT]}):
            listing = self._client.list_exchanges(**filters)
            rows = {row.exchange_id: row for row in listing}
            watch = self._client.watch.exchanges(
                after_position=listing.position, with_progress=True, **filters
            )
            self.lists.append((filters, watch, rows))

    def assert_lists_end(self) -> None:
        """A place in the list of another log is of no use."""
        for _, watch, _ in self.lists:
            with pytest.raises(ClientError) as ended:
                list(watch)
            assert ended.value.reason == "POSITION_OF_ANOTHER_LOG"

    def follow(self, position: str) -> None:
        """Reads up to a position; everything then is as in the tables."""
        for rpc, watch in self.states.items():
            self._lose_connections()
            while not is_at(watch, position):
                next(watch)
            assert watch.rows == rows_by_key(rpc, QUESTIONS[rpc](self._client)), rpc
        for filters, watch, rows in self.lists:
            self._lose_connections()
            while not is_at(watch, position):
                change = next(watch)
                for row in change.removed:
                    rows.pop(row.exchange_id, None)
                rows |= {row.exchange_id: row for row in change.rows}
            listing = self._client.list_exchanges(**filters)
            assert rows == {row.exchange_id: row for row in listing}, filters


@pytest.fixture
def site(tmp_path: Path, broker: str, topic: str, database: str, postgres: str) -> Iterator[Site]:
    cluster = ServiceCluster(tmp_path, broker, topic, database)
    with closing(Site(cluster, broker, topic, postgres)) as site:
        yield site


def test_watches_add_up_to_the_tables_whatever_happens(site: Site) -> None:
    first, second = (facts.exchange("c", "d", minutes=30) for _ in range(2))
    with Client(site.proxy.address, deadline_seconds=PATIENCE_SECONDS) as client:
        watched = Subscriptions(client, site.lose_connections)
        slow = Subscriptions(client, lambda: None)  # which reads nothing meanwhile
        watched.follow(site.append(first, second, facts.registration("e", region="North")))

        site.queries[0].kill()
        position = site.append(facts.correction(first, receiver="e"), facts.exchange("d", "c"))
        site.queries[0].start()
        watched.follow(position)
        assert_token_is_valid_everywhere(site.queries)

        site.append(facts.alias("c", SUBJECT))
        watched.follow(site.append(facts.retraction(second), facts.joint_exchange("b1", "e")))

        site.rebuild()
        watched.follow(site.append(facts.exchange("c", "e")))

        site.restore_database()
        position = site.append(facts.alias("d", SUBJECT), facts.exchange("d", "e"))
        watched.follow(position)
        slow.follow(position)

        position = site.make_topic_anew(facts.exchange("x", "y"), facts.exchange("y", SUBJECT))
        for each in (watched, slow):
            each.assert_lists_end()
            each.begin_lists()
            each.follow(position)


def is_at(watch: Any, position: str) -> bool:
    """Whether a watch has the answer at a position of the same log."""
    (log_now, _, now), (log_then, _, then) = (
        each.rpartition(".") for each in (watch.position, position)
    )
    return log_now == log_then and int(now) >= int(then)


def assert_token_is_valid_everywhere(queries: Sequence[ServiceProcess]) -> None:
    token = ""
    for query in queries:
        first = read_first(query, token)
        token = first.resume_token
    assert first.event == WATCH_EVENT_PROGRESS


def read_first(process: ServiceProcess, resume_token: str = "") -> WatchBalancesResponse:
    """The first message of a watch of balances."""
    process.wait_until_serving()
    with grpc.insecure_channel(process.address) as channel:
        request = WatchBalancesRequest(
            question=Question(programme_id=PROGRAMME), resume_token=resume_token
        )
        call = WatchServiceStub(channel).WatchBalances(request, timeout=PATIENCE_SECONDS)
        first = next(iter(call))
        call.cancel()
    return first
