"""A cluster whose read models are rebuilt under load."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc

from mutua import Client, MutuaError
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from services.adapters.kafka.address import KafkaAddress
from services.adapters.postgres.driver import PostgresConnection
from services.adapters.sql_store.tables import MODEL_VERSION
from services.app.cluster_verification import verify
from services.app.projector_service import consumer_group_name
from tests.cluster.chaos.verdict import check_answers, group_by_programme
from tests.cluster.chaos.workload import FactGenerator, ObservedAnswer, parse_offset
from tests.cluster.dev_cluster import MUTUA_COMMAND
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import kafka_url, read_committed_offsets, read_ends, read_partitions
from tests.faults.server_process import make_environment
from tests.ledger.folded_ledger import message_to_json
from tests.services.facts import exchange
from tests.waiting import wait_until

PROJECTORS = ("projector-1", "projector-2")
READY = "mutua projector is ready"
PROGRAMMES = ("p0", "p1", "p2", "p3")
QUIET_PROGRAMME = "still"
"""A programme without new facts during a rebuild."""


class RebuildCluster:
    """Two projectors, two query processes and one ingest, on a topic and a database."""

    def __init__(self, folder: Path, broker: str, topic: str, database: str) -> None:
        self._folder = folder
        self.log = KafkaAddress(servers=(broker,), topic=topic)
        self.database = database
        self._urls = kafka_url(broker, topic), database
        self.projectors = {name: self.start_projector(name) for name in PROJECTORS}
        self._ingest = self._process("ingest")
        self._queries = [self._process("query") for _ in range(2)]
        wait_until(lambda: all(READY in each.output for each in self.projectors.values()), "ready")
        self.server = f"{self._ingest.wait_for_address()},{self._queries[0].wait_for_address()}"
        for query in self._queries:
            query.wait_until_ready()
        self.queries: list[Any] = [QueryServiceStub(query.channel) for query in self._queries]
        with Client(self.server, programme=QUIET_PROGRAMME, deadline_seconds=60) as client:
            position = client.record([exchange(f"o{n % 5}", f"o{n % 3 + 5}") for n in range(30)])
            client.get_status(min_position=position)

    def start_projector(self, name: str, **settings: str) -> ServiceProcess:
        return self._process(
            "projector", MUTUA_INSTANCE=name, MUTUA_SESSION_TIMEOUT_SECONDS="3", **settings
        )

    def _process(self, name: str, **settings: str) -> ServiceProcess:
        return ServiceProcess(name, self._folder, *self._urls, **settings)

    def start_rebuild(self, *options: str, **settings: str) -> subprocess.Popen[str]:
        """Starts the command."""
        return subprocess.Popen(
            [*MUTUA_COMMAND, "rebuild", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=make_environment(
                MUTUA_LOG_URL=self._urls[0], MUTUA_STORE_URL=self._urls[1], **settings
            ),
        )

    def run_rebuild(self, *options: str, **settings: str) -> tuple[int, str, str]:
        """Runs the command; returns its exit code, stdout and stderr."""
        process = self.start_rebuild(*options, **settings)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def active_schema(self) -> str:
        return str(self.fetch("SELECT schema_name FROM mutua_control.answering")[0][0])

    def schemas(self) -> list[str]:
        """Returns the schemas of read models, finished or not."""
        statement = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^mutua_(read|building)_'"
        return sorted(row[0] for row in self.fetch(statement))

    def fetch(self, statement: str) -> list[Any]:
        with closing(PostgresConnection(self.database, {})) as connection:
            return list(connection.run(connection.raw.fetch(statement)))

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Records and asks within the block, then checks answers and tables.

        No answer may be older than a previous answer of any query process, every answer must equal
        the oracle's, and the whole log must be projected.
        """
        caller = RebuildLoad(self.server, self.queries)
        try:
            yield
            count = len(caller.answers)
            wait_until(lambda: len(caller.answers) > count + 8, "answers go on")
        finally:
            caller.stop()
        assert caller.errors == [], caller.errors
        self.assert_whole()
        check_answers(caller.answers[::4], group_by_programme(read_partitions(self.log)))

    def assert_whole(self) -> None:
        """Asserts that the active read models have the whole log, committed in their own group."""
        schema = self.active_schema()
        ends = {number: end for number, end in enumerate(read_ends(self.log)) if end}
        positions = f"SELECT partition, next_offset FROM {schema}.position"
        wait_until(lambda: dict(map(tuple, self.fetch(positions))) == ends, f"up to {ends}")
        wait_until(lambda: self._committed(schema) == ends, f"committed up to {ends}")
        report = verify(self.log, self.database)
        assert (report.differences, report.unprojected_count, report.hold_reason) == ([], 0, "")

    def _committed(self, schema: str) -> dict[int, int]:
        """Returns the committed offsets of the group that projects into a schema."""
        number = schema.rpartition("_")[2]
        [is_rebuilt] = self.fetch(f"SELECT is_rebuilt FROM {schema}.model")[0]
        models = f"{MODEL_VERSION}-{number}" if is_rebuilt else str(MODEL_VERSION)
        group = consumer_group_name(self.log.topic, models)
        offsets = read_committed_offsets(self.log, group)
        return {number: offset for number, offset in enumerate(offsets) if offset > 0}

    def close(self) -> None:
        for process in (*self.projectors.values(), self._ingest, *self._queries):
            process.kill()


class RebuildLoad:
    """Records in one programme after the other, and asks every query process about it."""

    def __init__(self, server: str, queries: Sequence[Any]) -> None:
        self.errors: list[str] = []
        self.answers: list[ObservedAnswer] = []
        self._server = server
        self._queries = queries
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for programme in cycle(PROGRAMMES):
                if self._over.wait(0.1):
                    return
                self._once(programme)
        except (MutuaError, grpc.RpcError) as error:
            self.errors.append(f"the caller ended: {error}")

    def _once(self, programme: str) -> None:
        with Client(self._server, programme=programme, deadline_seconds=60) as client:
            client.record(FactGenerator(random.Random()).next_request())
        question, position = pb.Question(programme_id=programme, lens=pb.LENS_COUNT), ""
        for query in (*self._queries, *self._queries):
            answer = self._ask(query, pb.ListBalancesRequest(question=question))
            if parse_offset(answer.position) < parse_offset(position):
                self.errors.append(f"{answer.position} is answered after {position}")
            position = answer.position
            rows = [message_to_json(row) for row in answer.balances]
            self.answers.append(ObservedAnswer(programme, question.lens, position, rows))

    def _ask(self, query: Any, request: Any) -> Any:
        while True:
            try:
                return query.ListBalances(request, timeout=120)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
