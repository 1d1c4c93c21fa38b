"""A topic, a database, those who project and answer, and somebody who records."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer

from mutua.v1.event_pb2 import Event
from services.adapters.kafka_address import KafkaAddress
from services.adapters.kafka_topic import KafkaTopic, partition_of
from services.adapters.postgres_store import PostgresStore
from services.cluster.projector import group_of
from services.cluster.verify import verify
from tests.bench.embedded import as_recorded
from tests.cluster.ingest import url
from tests.cluster.processes import Process
from tests.cluster.topics import PARTITIONS
from tests.faults.processes import eventually
from tests.services.facts import exchange

SESSION_SECONDS = "3"
PROGRAMMES = [f"p{number}" for number in range(8)]
"""They lie in all four partitions."""


class Site:
    """A topic, a database, those who project, and somebody who records."""

    def __init__(self, folder: Path, broker: str, topic: str, database: str) -> None:
        self._folder, self._log_url = folder, url(broker, topic)
        self.address = KafkaAddress(servers=(broker,), topic=topic)
        self.database = database
        self._producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5)
        self._started: list[Process] = []

    def projector(self, name: str = "projector-1", *program: str, **settings: str) -> Process:
        return self._start(
            "projector",
            program,
            MUTUA_INSTANCE=name,
            **{"MUTUA_SESSION_TIMEOUT_SECONDS": SESSION_SECONDS, **settings},
        )

    def ingest(self, **settings: str) -> Process:
        return self._start("ingest", **settings)

    def query(self, **settings: str) -> Process:
        return self._start("query", **settings)

    def _start(self, name: str, program: Sequence[str] = (), **settings: str) -> Process:
        started = Process(
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
        self.put(exchange(programme=programmes[n % len(programmes)]) for n in range(count))

    def put(self, events: Iterable[Event]) -> None:
        """Puts facts on the log, each in its programme."""
        for event in events:
            self._producer.send(
                self.address.topic,
                value=as_recorded(event),
                key=event.programme_id.encode(),
                partition=partition_of(event.programme_id, PARTITIONS),
            )
        self._producer.flush()

    def record_until_it_ends(self, process: Process) -> int:
        """Its exit code; there is always something new to project."""

        def ended() -> bool:
            self.record(40)
            return process.has_ended()

        eventually(ended, f"it ends; it said {process.said}")
        return process.process.returncode

    def positions(self) -> list[int]:
        """How far the partitions are projected."""
        with closing(PostgresStore(self.database)) as store:
            found = [store.watermark(number) for number in range(PARTITIONS)]
        return [0 if each is None else each.next_offset for each in found]

    def held(self) -> dict[int, int]:
        """The partitions that stand, and where."""
        with closing(PostgresStore(self.database)) as store:
            found = [store.held(number) for number in range(PARTITIONS)]
        return {each.partition: each.offset for each in found if each is not None and each.stands}

    def ends(self) -> list[int]:
        with closing(KafkaTopic(self.address)) as log:
            return [log.partition(number).end() for number in range(PARTITIONS)]

    def committed(self) -> list[int]:
        """What Kafka has of the group."""
        with closing(KafkaAdminClient(bootstrap_servers=list(self.address.servers))) as admin:
            (offsets,) = admin.list_group_offsets(group_of(self.address.topic)).values()
        by_partition = {place.partition: said.offset for place, said in offsets.items()}
        return [by_partition.get(number, -1) for number in range(PARTITIONS)]

    def wait_until_level(self) -> None:
        ends = self.ends()
        eventually(lambda: self.positions() == ends, f"projected up to {ends}")

    def assert_right(self) -> None:
        """Every table is what the log adds up to, as far as it is projected."""
        report = verify(self.address, self.database)
        assert report.differences == []

    def assert_whole(self) -> None:
        """All of the log is projected, and Kafka knows of it."""
        self.wait_until_level()
        ends = self.ends()
        eventually(lambda: self.committed() == ends, f"committed up to {ends}")
        self.assert_right()

    def close(self) -> None:
        for process in self._started:
            process.signal(signal.SIGCONT)
            process.kill()
        self._producer.close()
