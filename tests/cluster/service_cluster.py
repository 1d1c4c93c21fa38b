"""A topic and a database under test, with processes that project and answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from kafka import KafkaProducer

from mutua.v1.event_pb2 import Event
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import find_partition
from services.adapters.postgres.store import PostgresStore
from services.app.cluster_verification import verify
from services.app.projector_service import consumer_group_name
from tests.bench.batch_recording import serialize_record
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import PARTITIONS, kafka_url, read_committed_offsets, read_ends
from tests.services.facts import exchange
from tests.waiting import wait_until

SESSION_SECONDS = "3"
PROGRAMMES = [f"p{number}" for number in range(8)]
"""They cover all four partitions."""


class ServiceCluster:
    """A topic, a database and the processes that were started on them; records facts directly."""

    def __init__(self, folder: Path, broker: str, topic: str, database: str) -> None:
        self._folder, self._log_url = folder, kafka_url(broker, topic)
        self.address = KafkaAddress(servers=(broker,), topic=topic)
        self.database = database
        self._producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5)
        self.processes: list[ServiceProcess] = []

    def start_projector(
        self, name: str = "projector-1", *program: str, **settings: str
    ) -> ServiceProcess:
        return self._start(
            "projector",
            program,
            MUTUA_INSTANCE=name,
            **{"MUTUA_SESSION_TIMEOUT_SECONDS": SESSION_SECONDS, **settings},
        )

    def start_ingest(self, **settings: str) -> ServiceProcess:
        return self._start("ingest", **settings)

    def start_query(self, **settings: str) -> ServiceProcess:
        return self._start("query", **settings)

    def _start(self, name: str, program: Sequence[str] = (), **settings: str) -> ServiceProcess:
        process = ServiceProcess(
            name, self._folder, self._log_url, self.database, program=program, **settings
        )
        self.processes.append(process)
        return process

    def record(self, count: int, programmes: Sequence[str] = PROGRAMMES) -> None:
        """Appends `count` new facts, in turn for every programme."""
        self.append(exchange(programme=programmes[n % len(programmes)]) for n in range(count))

    def append(self, events: Iterable[Event]) -> None:
        """Appends facts to the log, in the partitions of their programmes."""
        for event in events:
            self._send(event.programme_id, serialize_record(event))
        self._producer.flush()

    def put(self, programme_id: str, value: bytes) -> int:
        """Appends any record to the log, and returns its partition."""
        partition = self._send(programme_id, value)
        self._producer.flush()
        return partition

    def _send(self, programme_id: str, value: bytes) -> int:
        partition = find_partition(programme_id, PARTITIONS)
        self._producer.send(
            self.address.topic, value=value, key=programme_id.encode(), partition=partition
        )
        return partition

    def record_until_exit(self, process: ServiceProcess) -> int:
        """Records facts until the process ends, and returns its exit code."""

        def has_ended() -> bool:
            self.record(40)
            return process.has_ended()

        wait_until(has_ended, f"the process ends; its output: {process.output}")
        return process.wait_for_exit()

    def read_positions(self) -> list[int]:
        """Returns the next offset of every partition in the read models."""
        with closing(PostgresStore(self.database)) as store:
            watermarks = [store.read_watermark(number) for number in range(PARTITIONS)]
        return [0 if watermark is None else watermark.next_offset for watermark in watermarks]

    def find_hold_offsets(self) -> dict[int, int]:
        """Returns the offsets of held partitions, by partition."""
        with closing(PostgresStore(self.database)) as store:
            holds = [store.read_hold(number) for number in range(PARTITIONS)]
        return {
            hold.partition: hold.offset
            for hold in holds
            if hold is not None and hold.stops_partition
        }

    def read_ends(self) -> list[int]:
        return read_ends(self.address)

    def wait_until_projected(self) -> None:
        ends = self.read_ends()
        wait_until(lambda: self.read_positions() == ends, f"projected up to {ends}")

    def assert_consistent(self) -> None:
        """Checks that every table equals the fold of the projected part of the log."""
        report = verify(self.address, self.database)
        assert report.differences == []

    def assert_complete(self) -> None:
        """Waits until the whole log is projected and committed, and checks the tables."""
        self.wait_until_projected()
        ends, group = self.read_ends(), consumer_group_name(self.address.topic)
        wait_until(
            lambda: read_committed_offsets(self.address, group) == ends, f"committed up to {ends}"
        )
        self.assert_consistent()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        self._producer.close()
