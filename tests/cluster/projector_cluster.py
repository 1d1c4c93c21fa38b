"""Projector processes on a real broker, with assertions on what they projected."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from kafka import KafkaAdminClient, KafkaProducer
from sqlalchemy import func, select

from mutua.v1.event_pb2 import Event
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic, find_partition
from services.adapters.sql_store.tables import FactRow, OrganizationMonthRow
from services.adapters.sqlite.store import SqliteStore
from services.app.projector_service import consumer_group_name
from tests.cluster.topics import PARTITIONS
from tests.faults.server_process import facts, make_environment
from tests.waiting import PATIENCE_SECONDS, wait_until

SESSION_SECONDS = 3
PROGRAMMES = [f"p{number}" for number in range(8)]
"""They cover all four partitions."""

WORKER = """
import sys
from functools import partial
from pathlib import Path
from services.adapters.sql_store.tables import MODEL_VERSION
from services.app.process import main
from services.app.projector_service import ProjectionTarget, run
from tests.cluster.partition_files import PartitionFiles
models = ProjectionTarget(partial(PartitionFiles, Path(sys.argv[1])), str(MODEL_VERSION))
main(partial(run, choose_target=lambda: models))
"""


class ProjectorProcess:
    """A projector process and its output."""

    def __init__(self, name: str, broker: str, topic: str, folder: Path, **more: str) -> None:
        self.name = name
        self._folder = folder
        self._output_path = folder / f"{name}.log"
        self._environment = make_environment(
            MUTUA_INSTANCE=name,
            **{
                "MUTUA_LOG_URL": f"kafka://{broker}/{topic}",
                "MUTUA_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
                **more,
            },
        )
        self.exit_codes: list[int] = []
        self.start()

    def start(self) -> None:
        with self._output_path.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", WORKER, str(self._folder)],
                stdout=output,
                stderr=output,
                env=self._environment,
            )

    @property
    def output(self) -> str:
        return self._output_path.read_text()

    def is_ready(self) -> bool:
        return self.output.count("mutua projector is ready") > 0

    def restart_if_ended(self) -> None:
        """Restarts the process like a process manager."""
        if self.process.poll() is not None:
            self.exit_codes.append(self.process.returncode)
            self.start()

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class ProjectorCluster:
    """Projector processes on one topic, with read models in one folder."""

    def __init__(self, broker: str, topic: str, folder: Path) -> None:
        self.broker, self.topic, self.folder = broker, topic, folder
        self.workers: list[ProjectorProcess] = []
        self._producer = KafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5)
        self._recorded = 0

    def start(self, *names: str, **more: str) -> list[ProjectorProcess]:
        """Starts projectors and returns when they are ready."""
        started = [
            ProjectorProcess(name, self.broker, self.topic, self.folder, **more) for name in names
        ]
        self.workers += started
        self.eventually(lambda: all(each.is_ready() for each in started), f"{names} are ready")
        return started

    def eventually(self, holds: Any, what: str) -> None:
        """Waits for a condition, and restarts projectors that end meanwhile."""

        def check() -> bool:
            for worker in self.workers:
                worker.restart_if_ended()
            return bool(holds())

        try:
            wait_until(check, what)
        except AssertionError as error:
            output = "\n".join(f"{each.name}: {each.output[-3_000:]}" for each in self.workers)
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

    def open_log(self) -> "closing[KafkaTopic]":
        return closing(KafkaTopic(KafkaAddress(servers=(self.broker,), topic=self.topic)))

    def ends(self) -> list[int]:
        with self.open_log() as log:
            return [log.get_partition(number).end() for number in range(PARTITIONS)]

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
        """Returns the committed offsets of the consumer group."""
        admin = KafkaAdminClient(bootstrap_servers=self.broker)
        group = consumer_group_name(self.topic)
        (offsets,) = admin.list_group_offsets(group).values()
        admin.close()
        by_partition = {tp.partition: committed.offset for tp, committed in offsets.items()}
        return [by_partition.get(number, -1) for number in range(PARTITIONS)]

    def wait_until_level(self) -> None:
        ends = self.ends()
        self.eventually(lambda: self.watermarks() == ends, f"projected up to {ends}")

    def wait_until_all_move(self) -> None:
        previous = self.watermarks()
        self.eventually(
            lambda: all(now > then for now, then in zip(self.watermarks(), previous, strict=True)),
            f"all partitions move beyond {previous}",
        )

    def assert_whole(self) -> None:
        """Asserts that the whole log is projected once, in order, and committed."""
        self.wait_until_level()
        ends = self.ends()
        self.eventually(lambda: self.committed_offsets() == ends, f"committed up to {ends}")
        with self.open_log() as log:
            for number in range(PARTITIONS):
                on_log: dict[str, int] = {}
                partition = log.get_partition(number)
                offset = 0
                while offset < ends[number]:
                    for record in partition.read(offset, 5_000):
                        offset += 1
                        with suppress(DecodeError):
                            event_id = Event.FromString(record.value).event_id
                            if event_id:
                                on_log.setdefault(event_id, record.offset)
                store = SqliteStore(self.folder / f"{number}.sqlite", read_only=True)
                with closing(store), store.open_snapshot(number) as snapshot:
                    fact, month = FactRow.table().c, OrganizationMonthRow.table().c
                    projected = dict(snapshot.fetch_all(select(fact.event_id, fact.offset)))
                    ((given,),) = snapshot.fetch_all(select(func.sum(month.given_exchange_count)))
                assert projected == on_log
                assert (given or 0) == len(on_log)

    def close(self) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGCONT)
            worker.kill()
        self._producer.close()
