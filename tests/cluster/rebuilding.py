"""A cluster whose read models are made again while facts are recorded and questions asked."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from kafka import KafkaAdminClient

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_topic import KafkaTopic
from services.adapters.postgres_driver import PostgresConnection
from services.cluster.projector import group_of
from services.cluster.verify import verify
from tests.cluster.chaos.callers import PROGRAMMES, Load, offset
from tests.cluster.chaos.judging import by_programme, check_answers, records_of
from tests.cluster.dev import MUTUA
from tests.cluster.ingest import url
from tests.cluster.processes import Process
from tests.cluster.topics import PARTITIONS
from tests.faults.processes import environment, eventually
from tests.services.facts import exchange

PROJECTORS = ("projector-1", "projector-2")
READY = "mutua projector is ready"
STILL = "still"
"""A programme in which nothing is recorded while read models change."""
_PATIENCE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Site:
    """Two projectors, two who answer, one who takes facts; on a topic and in a database."""

    def __init__(self, folder: Path, broker: str, topic: str, database: str) -> None:
        self._folder = folder
        self.log = KafkaAddress(servers=(broker,), topic=topic)
        self.database = database
        self._urls = url(broker, topic), database
        self.projectors = {name: self.projector(name) for name in PROJECTORS}
        self._ingest = self._process("ingest")
        self._queries = [self._process("query") for _ in range(2)]
        eventually(lambda: all(READY in each.said for each in self.projectors.values()), "ready")
        self.server = f"{self._ingest.address()},{self._queries[0].address()}"
        self.channels = [grpc.insecure_channel(each.address()) for each in self._queries]
        self.queries: list[Any] = [QueryServiceStub(each) for each in self.channels]
        with Client(self.server, programme=STILL, deadline_seconds=60) as client:
            position = client.record([exchange(f"o{n % 5}", f"o{n % 3 + 5}") for n in range(30)])
            client.get_status(min_position=position)

    def projector(self, name: str, **settings: str) -> Process:
        return self._process(
            "projector", MUTUA_INSTANCE=name, MUTUA_SESSION_TIMEOUT_SECONDS="3", **settings
        )

    def _process(self, name: str, **settings: str) -> Process:
        return Process(name, self._folder, *self._urls, **settings)

    def start_rebuild(self, *options: str, **settings: str) -> subprocess.Popen[str]:
        """The command, on its way."""
        return subprocess.Popen(
            [*MUTUA, "rebuild", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(MUTUA_LOG_URL=self._urls[0], MUTUA_STORE_URL=self._urls[1], **settings),
        )

    def rebuild(self, *options: str, **settings: str) -> tuple[int, str, str]:
        """The command, once it ended: its code, and what it said on stdout and stderr."""
        process = self.start_rebuild(*options, **settings)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def answering(self) -> str:
        return str(self.fetch("SELECT schema_name FROM mutua_control.answering")[0][0])

    def schemas(self) -> list[str]:
        """Those of read models, finished or not."""
        asked = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^mutua_(read|building)_'"
        return sorted(row[0] for row in self.fetch(asked))

    def fetch(self, statement: str) -> list[Any]:
        with closing(PostgresConnection(self.database, {})) as connection:
            return list(connection.run(connection.raw.fetch(statement)))

    @contextmanager
    def called(self, seed: int) -> Iterator[None]:
        """Facts are recorded and questions asked all the while, and all of it was right."""
        load = Load(self.server, seed, on_acknowledged=lambda _: None)
        with load.running(), _watched(self.queries) as seen:
            eventually(lambda: min(seen.values(), default=0) > 0, "there is something to see")
            yield
            before = dict(seen)
            eventually(lambda: all(seen[each] > before[each] for each in seen), "all moves on")
        assert load.wrong == []
        self.assert_whole()
        with closing(KafkaTopic(self.log)) as log:
            check_answers(load, by_programme(records_of(log)))

    def assert_whole(self) -> None:
        """All of the log is projected, into the read models that answer, in their own group."""
        schema = self.answering()
        with closing(KafkaTopic(self.log)) as log:
            ends = log.ends()
        positions = f"SELECT partition, next_offset FROM {schema}.position"
        eventually(lambda: dict(map(tuple, self.fetch(positions))) == ends, f"up to {ends}")
        eventually(lambda: self._committed(schema) == ends, f"committed up to {ends}")
        report = verify(self.log, self.database)
        assert (report.differences, report.beyond_count, report.held) == ([], 0, "")

    def _committed(self, schema: str) -> dict[int, int]:
        """What Kafka has of the group of those who project into a schema."""
        number = schema.rpartition("_")[2]
        [is_rebuilt] = self.fetch(f"SELECT is_rebuilt FROM {schema}.model")[0]
        group = group_of(self.log.topic, f"5-{number}" if is_rebuilt else "5")
        with closing(KafkaAdminClient(bootstrap_servers=list(self.log.servers))) as admin:
            (offsets,) = admin.list_group_offsets(group).values()
        return {place.partition: said.offset for place, said in offsets.items()}

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        for process in (*self.projectors.values(), self._ingest, *self._queries):
            process.kill()


@contextmanager
def _watched(queries: list[Any]) -> Iterator[dict[str, int]]:
    """Asks one process after the other; whoever is asked, no answer is older than one before."""
    over, wrong, seen = threading.Event(), list[str](), dict[str, int]()

    def look() -> None:
        while not over.wait(0.02):
            for programme in PROGRAMMES[:PARTITIONS]:
                for query in queries:
                    try:
                        found = query.ListBalances(
                            pb.ListBalancesRequest(question=pb.Question(programme_id=programme)),
                            timeout=20,
                        )
                    except grpc.RpcError as error:
                        if error.code() not in _PATIENCE:
                            wrong.append(str(error))
                        continue
                    position = offset(found.position)
                    if position < seen.get(programme, 0):
                        wrong.append(f"{programme} is at {position} after {seen[programme]}")
                    seen[programme] = position

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
    assert wrong == []
