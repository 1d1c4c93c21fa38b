"""Disks that are full under a broker, and under PostgreSQL: nothing is lost, and it is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.dev import broker as brokers
from services.dev import postgres as postgreses
from services.dev.programs import ChildProcess, Program
from tests.backing_services import START_SECONDS, build_or_skip, temporary_shared_folder
from tests.cluster.ingest_process import count_event_ids, kafka_url, run_ingest, wait_for_stderr
from tests.cluster.service_cluster import ServiceCluster
from tests.cluster.test_health import start_projector
from tests.cluster.test_ingest_faults import RECOVERY_SECONDS, RecordingLoad, send
from tests.cluster.topics import create_topic
from tests.disks import Disk, mount_small_disk
from tests.faults.server_process import wait_until
from tests.ports import allocate_port

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


def test_a_broker_whose_disk_is_full_is_waited_for(disk: Disk, tmp_path: Path) -> None:
    """It ends itself; what it acknowledged is there when it is started again with room."""
    program = brokers.prepare_broker(
        build_or_skip(brokers.fetch_jars),
        disk.path,
        port=allocate_port(),
        controller_port=allocate_port(),
    )
    running = start_program(program, tmp_path)
    create_topic(program.address, TOPIC)
    with run_ingest(kafka_url(program.address, TOPIC)) as recording:
        recording.wait_until_serving()
        load = RecordingLoad(recording.address)
        load.wait_for_progress()
        disk.fill_up()
        assert running.wait() != 0
        wait_until(lambda: not recording.is_serving(), "health tells")
        wait_for_stderr(recording, f"Kafka at {program.address} does not answer")
        assert send(recording, deadline_seconds=5) == "LOG_DOWN"
        assert not load.has_failed()
        disk.make_room()
        running = start_program(program, tmp_path)
        recording.wait_until_serving(within_seconds=RECOVERY_SECONDS)
        load.wait_for_progress()
        acknowledged = load.stop()
    on_log = count_event_ids(program.address, TOPIC)
    running.stop()
    assert set(acknowledged) == set(on_log)
    assert set(on_log.values()) == {1}


def test_a_database_whose_disk_is_full_is_waited_for(
    disk: Disk, tmp_path: Path, broker: str, topic: str
) -> None:
    program = postgreses.prepare_postgres(
        build_or_skip(postgreses.find_programs), disk.path, port=(port := allocate_port())
    )
    running = start_program(program, tmp_path)
    database = postgreses.make_url(disk.path, port=port)
    with (
        closing(ServiceCluster(tmp_path, broker, topic, database)) as site,
        start_projector(broker, topic, database) as projecting,
    ):
        projecting.wait_until_ready(when="with room")
        site.record(80)
        site.wait_until_projected()
        disk.fill_up()
        site.record(20_000)
        projecting.wait_until_unready(when="without room")
        disk.make_room()
        projecting.wait_until_ready(when="with room again")
        site.assert_complete()
        assert projecting.process.poll() is None
    running.stop()
