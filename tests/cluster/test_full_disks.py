"""Full disks of a broker and of PostgreSQL: nothing is lost, and health reports them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.dev import broker as brokers
from services.dev import postgres as postgreses
from services.dev.programs import ChildProcess, Program
from tests.backing_services import START_SECONDS, build_or_skip, temporary_shared_folder
from tests.cluster.ingest_process import run_ingest
from tests.cluster.service_cluster import ServiceCluster
from tests.cluster.test_ingest_faults import RECOVERY_SECONDS, RecordingLoad, send
from tests.cluster.topics import count_event_ids, create_topic, kafka_url
from tests.disks import Disk, mount_small_disk
from tests.ports import allocate_port
from tests.waiting import wait_until

TOPIC = "mutua"


@pytest.fixture
def disk() -> Iterator[Disk]:
    with (
        temporary_shared_folder() as folder,
        mount_small_disk(folder / "disk", megabytes=192) as disk,
    ):
        yield disk


def start_program(program: Program, folder: Path) -> ChildProcess:
    child = ChildProcess(program, folder / f"{program.name}.log")
    child.wait_until_ready(seconds=START_SECONDS)
    return child


class TestFullDisk:
    def test_ingest_waits_for_the_broker(self, disk: Disk, tmp_path: Path) -> None:
        """The broker ends. After a restart with room it has every acknowledged fact."""
        program = brokers.prepare_broker(
            build_or_skip(brokers.fetch_jars),
            disk.path,
            port=allocate_port(),
            controller_port=allocate_port(),
        )
        broker = start_program(program, tmp_path)
        create_topic(program.address, TOPIC)
        with run_ingest(kafka_url(program.address, TOPIC)) as ingest:
            ingest.wait_until_serving()
            load = RecordingLoad(ingest.address)
            load.wait_for_progress()
            disk.fill_up()
            assert broker.wait() != 0
            wait_until(lambda: not ingest.is_serving(), "ingest is unready")
            ingest.wait_for_stderr(f"Kafka at {program.address} does not answer")
            assert send(ingest, deadline_seconds=5) == "LOG_DOWN"
            assert not load.has_failed()
            disk.make_room()
            broker = start_program(program, tmp_path)
            ingest.wait_until_serving(within_seconds=RECOVERY_SECONDS)
            load.wait_for_progress()
            acknowledged = load.stop()
        record_counts = count_event_ids(program.address, TOPIC)
        broker.stop()
        assert set(acknowledged) == set(record_counts)
        assert set(record_counts.values()) == {1}

    def test_projector_waits_for_the_database(
        self, disk: Disk, tmp_path: Path, broker: str, topic: str
    ) -> None:
        program = postgreses.prepare_postgres(
            build_or_skip(postgreses.find_programs), disk.path, port=(port := allocate_port())
        )
        postgres = start_program(program, tmp_path)
        database = postgreses.make_url(disk.path, port=port)
        with closing(ServiceCluster(tmp_path, broker, topic, database)) as cluster:
            projector = cluster.start_projector()
            projector.wait_until_serving("with room")
            cluster.record(80)
            cluster.wait_until_projected()
            disk.fill_up()
            cluster.record(20_000)
            projector.wait_until_unready("without room")
            disk.make_room()
            projector.wait_until_serving("with room again")
            cluster.assert_complete()
            assert not projector.has_ended()
        postgres.stop()
