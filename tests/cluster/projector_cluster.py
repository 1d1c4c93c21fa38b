"""Projector processes on a real broker, with assertions on what they projected."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from google.protobuf.message import DecodeError
from kafka import KafkaProducer
from sqlalchemy import func, select

from mutua.v1.event_pb2 import Event
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import find_partition
from services.adapters.sql_store.tables import FactRow, OrganizationMonthRow
from services.adapters.sqlite.store import SqliteStore
from services.app.projector_service import consumer_group_name
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import (
    PARTITIONS,
    kafka_url,
    read_committed_offsets,
    read_ends,
    read_partitions,
)
from tests.faults.server_process import facts
from tests.waiting import wait_until

SESSION_SECONDS = 3
PROGRAMMES = [f"p{number}" for number in range(8)]
"""They cover all four partitions."""

PROJECTOR = """
import sys
from functools import partial
from pathlib import Path
from services.adapters.sql_store.tables import MODEL_VERSION
from services.app.process import main
from services.app.projector_service import ProjectionTarget, run
from tests.cluster.partition_files import PartitionFiles
target = ProjectionTarget(partial(PartitionFiles, Path(sys.argv[1])), str(MODEL_VERSION))
main(partial(run, choose_target=lambda: target))
"""


class ProjectorProcess(ServiceProcess):
    """A projector with read models in files, which can be started again as by a supervisor."""

    def __init__(self, name: str, broker: str, topic: str, folder: Path, **settings: str) -> None:
        self.exit_codes: list[int] = []
        super().__init__(
            "projector",
            folder,
            kafka_url(broker, topic),
            program=("-W", "ignore", "-c", PROJECTOR, str(folder)),
            MUTUA_INSTANCE=name,
            **{"MUTUA_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS), **settings},
        )

    def is_ready(self) -> bool:
        return "mutua projector is ready" in self.output

    def has_said(self, words: str) -> bool:
        return words in self.output

    def restart_if_ended(self) -> None:
        """Restarts the process like a process manager."""
        if self.has_ended():
            self.exit_codes.append(self.wait_for_exit())
            self.start()


class ProjectorCluster:
    """Projector processes on one topic, with read models in one folder."""

    def __init__(self, broker: str, topic: str, folder: Path) -> None:
        self.broker, self.topic, self.folder = broker, topic, folder
        self._log = KafkaAddress(servers=(broker,), topic=topic)
        self.workers: list[ProjectorProcess] = []
        self._producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5)
        self._recorded = 0

    def start(self, *names: str, **more: str) -> list[ProjectorProcess]:
        """Starts projectors and returns when they are ready."""
        started = [
            ProjectorProcess(name, self.broker, self.topic, self.folder, **more) for name in names
        ]
        self.workers += started
        self.wait_until(lambda: all(each.is_ready() for each in started), f"{names} are ready")
        return started

    def wait_until(self, holds: Callable[[], object], description: str) -> None:
        """Waits for a condition, and restarts projectors that end meanwhile."""

        def check() -> bool:
            for worker in self.workers:
                worker.restart_if_ended()
            return bool(holds())

        try:
            wait_until(check, description)
        except AssertionError as error:
            output = "\n".join(f"{each.address}: {each.output[-3_000:]}" for each in self.workers)
            raise AssertionError(f"{error}; at {self.watermarks()}\n{output}") from None

    def record(self, count: int, programmes: Iterable[str] = PROGRAMMES) -> None:
        """Records new facts, in turn for each programme."""
        chosen = list(programmes)
        first, self._recorded = self._recorded, self._recorded + count
        for number, event in enumerate(facts(first, first + count)):
            event.programme_id = chosen[number % len(chosen)]
            self.put(event.programme_id, event.SerializeToString())
        self._producer.flush()

    def put(self, programme_id: str, value: bytes, partition: int | None = None) -> int:
        """Puts any record on the log; its partition."""
        key = programme_id.encode()
        place = find_partition(programme_id, PARTITIONS) if partition is None else partition
        self._producer.send(self.topic, value=value, key=key, partition=place)
        return place

    @contextmanager
    def record_continuously(self) -> Iterator[None]:
        """Goes on recording until the end of the block."""
        over = threading.Event()

        def record() -> None:
            while not over.wait(0.1):
                self.record(100)

        thread = threading.Thread(target=record)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def ends(self) -> list[int]:
        return read_ends(self._log)

    def watermarks(self) -> list[int]:
        """Returns the projected offset of every partition."""
        return [self._watermark(self.folder / f"{number}.sqlite") for number in range(PARTITIONS)]

    def _watermark(self, path: Path) -> int:
        if not path.exists():
            return 0
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            try:
                row = connection.execute("SELECT next_offset FROM position").fetchone()
            except sqlite3.OperationalError:  # its tables are being made
                return 0
        return 0 if row is None else int(row[0])

    def committed_offsets(self) -> list[int]:
        return read_committed_offsets(self._log, consumer_group_name(self.topic))

    def wait_until_level(self) -> None:
        ends = self.ends()
        self.wait_until(lambda: self.watermarks() == ends, f"projected up to {ends}")

    def wait_until_all_move(self) -> None:
        previous = self.watermarks()
        self.wait_until(
            lambda: all(now > then for now, then in zip(self.watermarks(), previous, strict=True)),
            f"all partitions move beyond {previous}",
        )

    def assert_whole(self) -> None:
        """Asserts that the whole log is projected once, in order, and committed."""
        self.wait_until_level()
        ends = self.ends()
        self.wait_until(lambda: self.committed_offsets() == ends, f"committed up to {ends}")
        for number, records in enumerate(read_partitions(self._log)):
            first_offsets: dict[str, int] = {}
            for record in records:
                with suppress(DecodeError):
                    if event_id := Event.FromString(record.value).event_id:
                        first_offsets.setdefault(event_id, record.offset)
            store = SqliteStore(self.folder / f"{number}.sqlite", read_only=True)
            with closing(store), store.open_snapshot(number) as snapshot:
                fact, month = FactRow.table().c, OrganizationMonthRow.table().c
                projected = dict(snapshot.fetch_all(select(fact.event_id, fact.offset)))
                ((given,),) = snapshot.fetch_all(select(func.sum(month.given_exchange_count)))
            assert projected == first_offsets
            assert (given or 0) == len(first_offsets)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self._producer.close()
