"""Disks that are full under a broker, and under PostgreSQL: nothing is lost, and it is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.dev import broker as brokers
from services.dev import postgres as postgreses
from services.dev.programs import Child, Program
from tests.backends import START_SECONDS, or_skipped, reachable_folder
from tests.cluster.ingest import event_ids, ingest, until_said, url
from tests.cluster.sites import Site
from tests.cluster.test_health import projector
from tests.cluster.test_ingest_faults import RECOVERY_SECONDS, Load, send
from tests.cluster.topics import create_topic
from tests.disks import Disk, small_disk
from tests.faults.processes import eventually
from tests.ports import free_port

TOPIC = "mutua"


@pytest.fixture
def disk() -> Iterator[Disk]:
    with reachable_folder() as folder, small_disk(folder / "disk", megabytes=192) as disk:
        yield disk


def started(program: Program, folder: Path) -> Child:
    child = Child(program, folder / f"{program.name}.log")
    child.wait_until_ready(seconds=START_SECONDS)
    return child


def test_a_broker_whose_disk_is_full_is_waited_for(disk: Disk, tmp_path: Path) -> None:
    """It ends itself; what it acknowledged is there when it is started again with room."""
    program = brokers.broker(
        or_skipped(brokers.fetch), disk.path, port=free_port(), controller_port=free_port()
    )
    running = started(program, tmp_path)
    create_topic(program.address, TOPIC)
    with ingest(url(program.address, TOPIC)) as recording:
        recording.until_serving()
        load = Load(recording.address)
        load.until_more()
        disk.fill()
        assert running.wait() != 0
        eventually(lambda: not recording.is_serving(), "health tells")
        until_said(recording, f"Kafka at {program.address} does not answer")
        assert send(recording, deadline_seconds=5) == "LOG_DOWN"
        assert not load.failed()
        disk.make_room()
        running = started(program, tmp_path)
        recording.until_serving(within_seconds=RECOVERY_SECONDS)
        load.until_more()
        acknowledged = load.stop()
    on_log = event_ids(program.address, TOPIC)
    running.stop()
    assert set(acknowledged) == set(on_log)
    assert set(on_log.values()) == {1}


def test_a_database_whose_disk_is_full_is_waited_for(
    disk: Disk, tmp_path: Path, broker: str, topic: str
) -> None:
    program = postgreses.postgres(
        or_skipped(postgreses.find_programs), disk.path, port=(port := free_port())
    )
    running = started(program, tmp_path)
    database = postgreses.url(disk.path, port=port)
    with (
        closing(Site(tmp_path, broker, topic, database)) as site,
        projector(broker, topic, database) as projecting,
    ):
        projecting.eventually_ready(when="with room")
        site.record(80)
        site.wait_until_level()
        disk.fill()
        site.record(20_000)
        projecting.eventually_unready(when="without room")
        disk.make_room()
        projecting.eventually_ready(when="with room again")
        site.assert_whole()
        assert projecting.process.poll() is None
    running.stop()
