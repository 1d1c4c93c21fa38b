"""A topic, a database, those who project and answer, and somebody who records."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer

from mutua.v1.event_pb2 import Event
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic, find_partition
from services.adapters.postgres.store import PostgresStore
from services.app.cluster_verification import verify
from services.app.projector_service import consumer_group_name
from tests.bench.batch_recording import serialize_record
from tests.cluster.ingest_process import kafka_url
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import PARTITIONS
from tests.faults.server_process import wait_until
from tests.services.facts import exchange

SESSION_SECONDS = "3"
PROGRAMMES = [f"p{number}" for number in range(8)]
"""They lie in all four partitions."""


class ServiceCluster:
    """A topic, a database, those who project, and somebody who records."""

    def __init__(self, folder: Path, broker: str, topic: str, database: str) -> None:
        self._folder, self._log_url = folder, kafka_url(broker, topic)
        self.address = KafkaAddress(servers=(broker,), topic=topic)
        self.database = database
        self._producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5)
        self._started: list[ServiceProcess] = []

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
        started = ServiceProcess(
            name,
            self._folder,
            self._log_url,
            self.database,
            program=program,
            **settings,
        )
        self._started.append(started)
        return started

    def record(self, count: int, programmes: Sequence[str] = PROGRAMMES) -> None:
        """Puts so many new facts on the log, in turn for each of the programmes."""
        self.append(exchange(programme=programmes[n % len(programmes)]) for n in range(count))

    def append(self, events: Iterable[Event]) -> None:
        """Puts facts on the log, each in its programme."""
        for event in events:
            self._producer.send(
                self.address.topic,
                value=serialize_record(event),
                key=event.programme_id.encode(),
                partition=find_partition(event.programme_id, PARTITIONS),
            )
        self._producer.flush()

    def record_until_exit(self, process: ServiceProcess) -> int:
        """Its exit code; there is always something new to project."""

        def ended() -> bool:
            self.record(40)
            return process.has_ended()

        wait_until(ended, f"it ends; it said {process.output}")
        return process.process.returncode

    def read_positions(self) -> list[int]:
        """How far the partitions are projected."""
        with closing(PostgresStore(self.database)) as store:
            found = [store.read_watermark(number) for number in range(PARTITIONS)]
        return [0 if each is None else each.next_offset for each in found]

    def find_hold_offsets(self) -> dict[int, int]:
        """The partitions that stand, and where."""
        with closing(PostgresStore(self.database)) as store:
            found = [store.read_hold(number) for number in range(PARTITIONS)]
        return {
            each.partition: each.offset for each in found if each is not None and each.is_permanent
        }

    def read_ends(self) -> list[int]:
        with closing(KafkaTopic(self.address)) as log:
            return [log.get_partition(number).end() for number in range(PARTITIONS)]

    def read_committed_offsets(self) -> list[int]:
        """What Kafka has of the group."""
        with closing(KafkaAdminClient(bootstrap_servers=list(self.address.servers))) as admin:
            (offsets,) = admin.list_group_offsets(consumer_group_name(self.address.topic)).values()
        by_partition = {place.partition: said.offset for place, said in offsets.items()}
        return [by_partition.get(number, -1) for number in range(PARTITIONS)]

    def wait_until_projected(self) -> None:
        ends = self.read_ends()
        wait_until(lambda: self.read_positions() == ends, f"projected up to {ends}")

    def assert_consistent(self) -> None:
        """Every table is what the log adds up to, as far as it is projected."""
        report = verify(self.address, self.database)
        assert report.differences == []

    def assert_complete(self) -> None:
        """All of the log is projected, and Kafka knows of it."""
        self.wait_until_projected()
        ends = self.read_ends()
        wait_until(lambda: self.read_committed_offsets() == ends, f"committed up to {ends}")
        self.assert_consistent()

    def close(self) -> None:
        for process in self._started:
            process.send_signal(signal.SIGCONT)
            process.kill()
        self._producer.close()
