"""Projectors on a real broker: every fact is projected once, whatever happens to a projector."""

import signal
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from sqlalchemy import select

from services.adapters.sql_store.tables import QuarantineRow
from services.adapters.sqlite.store import SqliteStore
from services.ledger.enums import QuarantineCause
from services.ledger.records import MAX_PROJECTION_FAILURES, Hold
from tests.cluster.broker import PASSWORD, USER, Broker
from tests.cluster.projector_cluster import ProjectorCluster, ProjectorProcess
from tests.cluster.topics import create_topic, delete_topic
from tests.ports import allocate_port
from tests.projector.newer_facts import newer_fact

POISONED = 1
"""The partition of the programme that `partitions` fails at."""


@pytest.fixture
def cluster(broker: str, topic: str, tmp_path: Path) -> Iterator[ProjectorCluster]:
    running = ProjectorCluster(broker, topic, tmp_path)
    yield running
    running.close()


def store(cluster: ProjectorCluster, partition: int) -> "closing[SqliteStore]":
    return closing(SqliteStore(cluster.folder / f"{partition}.sqlite"))


def hold(cluster: ProjectorCluster, partition: int) -> Hold | None:
    with store(cluster, partition) as models:
        return models.read_hold(partition)


class TestProjection:
    def test_facts_are_projected_once_and_garbage_is_quarantined(
        self, cluster: ProjectorCluster
    ) -> None:
        cluster.record(400)
        bad = cluster.put("p0", b"\xff\xfe no fact")
        cluster.put("p1", b"", partition=3)  # a key that belongs elsewhere
        cluster.record(400)
        (worker,) = cluster.start("w1")
        cluster.record(400)
        cluster.assert_whole()
        for partition, programme in ((bad, "p0"), (3, "?3")):
            with store(cluster, partition) as models, models.open_snapshot(partition) as snapshot:
                (row,) = snapshot.read_quarantine(programme, (), -1, 9)
                assert row.reason is QuarantineCause.UNREADABLE
                assert len(snapshot.fetch_all(select(QuarantineRow.table()))) == 1
        assert worker.stop() == 0
        assert cluster.committed_offsets() == cluster.ends()

    def test_unknown_fact_kind_holds_one_partition(self, cluster: ProjectorCluster) -> None:
        cluster.record(80)
        partition = cluster.put("p6", newer_fact(29, programme="p6"))
        cluster.record(80)
        (worker,) = cluster.start("w1")
        ends = cluster.ends()
        ends[partition] = 10
        cluster.wait_until(lambda: cluster.watermarks() == ends, f"projected up to {ends}")
        cluster.record(80, ["p0", "p1", "p7"])
        ends = [*cluster.ends()]
        ends[partition] = 10
        cluster.wait_until(lambda: cluster.watermarks() == ends, f"projected up to {ends}")
        current = hold(cluster, partition)
        assert current is not None
        assert (current.offset, current.failure_count) == (10, 0)
        assert "fact kind 29 at offset 10 is newer" in current.reason
        assert worker.stop() == 0
        assert cluster.committed_offsets() == ends

    def test_record_that_fails_three_times_is_held_until_release(
        self,
        cluster: ProjectorCluster,
    ) -> None:
        poison = cluster.folder / "poison"
        poison.touch()
        cluster.record(80)
        cluster.record(1, ["poison"])
        cluster.record(80)
        (worker,) = cluster.start("w1")
        ends = cluster.ends()
        ends[POISONED] = 10
        cluster.wait_until(lambda: cluster.watermarks() == ends, f"projected up to {ends}")
        cluster.wait_until(
            lambda: (current := hold(cluster, POISONED)) and current.stops_partition, "it is held"
        )
        assert worker.exit_codes == [1] * (MAX_PROJECTION_FAILURES - 1)
        assert (
            "failed at offset 10 of partition 1: ZeroDivisionError('a rule divides by nothing')"
            in worker.output
        )
        current = hold(cluster, POISONED)
        assert current is not None
        assert (current.offset, current.failure_count) == (10, MAX_PROJECTION_FAILURES)
        cluster.record(80, ["p0", "p1", "p7"])
        ends = cluster.ends()
        ends[POISONED] = 10
        cluster.wait_until(lambda: cluster.watermarks() == ends, f"projected up to {ends}")
        poison.unlink()
        with store(cluster, POISONED) as models:
            models.delete_hold(POISONED)
        cluster.assert_whole()
        assert len(worker.exit_codes) == MAX_PROJECTION_FAILURES - 1

    def test_fixed_version_resumes_a_held_partition(
        self,
        cluster: ProjectorCluster,
    ) -> None:
        poison = cluster.folder / "poison"
        poison.touch()
        cluster.record(80)
        cluster.record(1, ["poison"])
        (worker,) = cluster.start("w1")
        cluster.wait_until(
            lambda: (current := hold(cluster, POISONED)) and current.stops_partition, "it is held"
        )
        cluster.workers.remove(worker)
        assert worker.stop() == 0
        poison.unlink()  # as if the rule had been mended
        cluster.start("w2")
        cluster.assert_whole()
        cluster.wait_until(lambda: hold(cluster, POISONED) is None, "it is held no longer")


class TestProjector:
    def test_killed_projector_resumes_at_the_read_models(self, cluster: ProjectorCluster) -> None:
        with cluster.record_continuously():
            for worker in cluster.start("w1", "w2"):
                cluster.wait_until_all_move()
                worker.kill()
        cluster.assert_whole()

    def test_frozen_projector_is_replaced_and_fenced(
        self,
        cluster: ProjectorCluster,
    ) -> None:
        with cluster.record_continuously():
            frozen, _ = cluster.start("w1", "w2")
            frozen.send_signal(signal.SIGSTOP)
            cluster.wait_until_all_move()  # so the other one has taken over
            frozen.send_signal(signal.SIGCONT)
        cluster.assert_whole()

    def test_projectors_join_and_leave(self, cluster: ProjectorCluster) -> None:
        with cluster.record_continuously():
            first, _ = cluster.start("w1", "w2")
            cluster.workers.remove(first)
            assert first.stop() == 0
            cluster.start("w3")
        cluster.assert_whole()
        assert [each.exit_codes for each in cluster.workers] == [[], []]

    def test_recreated_topic_ends_the_projector(
        self,
        cluster: ProjectorCluster,
    ) -> None:
        cluster.record(80)
        (worker,) = cluster.start("w1")
        cluster.wait_until_level()
        cluster.workers.remove(worker)
        admin = KafkaAdminClient(bootstrap_servers=cluster.broker)
        admin.delete_topics([cluster.topic])
        cluster.wait_until(lambda: cluster.topic not in admin.list_topics(), "the topic is gone")
        admin.close()
        create_topic(cluster.broker, cluster.topic)
        cluster.record(8)
        assert worker.wait_for_exit() == 1
        assert "was deleted and made anew" in worker.output.splitlines()[-1]
        worker.start()
        assert worker.wait_for_exit() == 1
        assert (
            "made from another log; mutua rebuild makes them again"
            in worker.output.splitlines()[-1]
        )

    def test_projector_survives_a_database_outage(self, cluster: ProjectorCluster) -> None:
        away = cluster.folder / "away"
        (worker,) = cluster.start("w1")
        away.touch()
        cluster.record(80)
        cluster.wait_until(lambda: worker.exit_codes, "the worker ends")
        away.unlink()
        cluster.assert_whole()
        assert set(worker.exit_codes) == {1}
        assert "projector: ConnectionRefusedError('the database is away')" in worker.output
        assert all(hold(cluster, partition) is None for partition in range(4))

    def test_stalled_projector_ends_itself(self, cluster: ProjectorCluster) -> None:
        (worker,) = cluster.start("w1", MUTUA_STUCK_SECONDS="2")
        (cluster.folder / "hang").touch()
        cluster.record(8, ["p0"])
        assert worker.wait_for_exit() == 1
        assert "has been at offset 0 for 2 s" in worker.output

    def test_projector_waits_for_a_missing_broker_or_topic(self, cluster: ProjectorCluster) -> None:
        nowhere, later = f"127.0.0.1:{allocate_port()}", f"{cluster.topic}-later"
        lost = ProjectorProcess("w1", nowhere, cluster.topic, cluster.folder)
        early = ProjectorProcess("w2", cluster.broker, later, cluster.folder)
        cluster.workers += [lost, early]
        for worker, reason in (
            (lost, f"Kafka at {nowhere} does not answer"),
            (early, f"topic {later} is not there; make it with mutua topic create"),
        ):
            cluster.wait_until(partial(worker.has_said, reason), reason)
        create_topic(cluster.broker, later)
        cluster.wait_until(early.is_ready, "it has found its topic")
        for worker in (lost, early):
            cluster.workers.remove(worker)
            assert worker.stop() == 0
            assert worker.output.count("projecting waits") == 1
        delete_topic(cluster.broker, later)

    def test_refused_session_timeout_is_named(self, cluster: ProjectorCluster) -> None:
        short = ProjectorProcess(
            "w1", cluster.broker, cluster.topic, cluster.folder, MUTUA_SESSION_TIMEOUT_SECONDS="0.5"
        )
        assert short.wait_for_exit() == 1
        assert "does not take MUTUA_SESSION_TIMEOUT_SECONDS 0.5" in short.output.splitlines()[-1]

    def test_projector_waits_for_the_configured_partition_count(
        self, cluster: ProjectorCluster
    ) -> None:
        worker = ProjectorProcess(
            "w1", cluster.broker, cluster.topic, cluster.folder, MUTUA_PARTITIONS="7"
        )
        reason = "it has 4 partitions, not 7; set MUTUA_PARTITIONS"
        cluster.wait_until(lambda: reason in worker.output, "it says so, and waits")
        worker.kill()

    def test_added_partitions_end_the_projector(self, cluster: ProjectorCluster) -> None:
        (worker,) = cluster.start("w1")
        cluster.workers.remove(worker)
        admin = KafkaAdminClient(bootstrap_servers=cluster.broker)
        admin.create_partitions({cluster.topic: 6})
        admin.close()
        assert worker.wait_for_exit() == 1
        assert "has 6 partitions and had 4" in worker.output.splitlines()[-1]

    def test_projector_uses_tls_and_a_password(
        self, private_broker: Broker, private_topic: str, tmp_path: Path
    ) -> None:
        with closing(ProjectorCluster(private_broker.address, private_topic, tmp_path)) as cluster:
            cluster.record(80)
            cluster.start(
                "w1",
                MUTUA_LOG_URL=f"kafka://{private_broker.safe_address}/{private_topic}",
                MUTUA_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
                MUTUA_KAFKA_SASL_MECHANISM="PLAIN",
                MUTUA_KAFKA_SASL_PLAIN_USERNAME=USER,
                MUTUA_KAFKA_SASL_PLAIN_PASSWORD=PASSWORD,
                MUTUA_KAFKA_SSL_CAFILE=str(private_broker.certificate),
            )
            cluster.assert_whole()
