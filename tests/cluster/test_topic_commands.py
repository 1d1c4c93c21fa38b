"""The commands that create, check, release and fill topics."""

import socket
from collections.abc import Iterable
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from services.adapters.kafka.address import KafkaAddress
from services.adapters.postgres.store import PostgresStore
from services.adapters.wire.event import read_record
from services.app.data_maintenance import export_log
from services.cli import log_export
from services.exports import log_replay as replaying
from services.ledger.facts import Event
from services.ledger.records import Hold, Record
from services.ledger.times import Instant
from tests.cli.conftest import RunCommand
from tests.cli.conftest import run as run  # a fixture
from tests.cluster.topics import create_topic, delete_topic, kafka_url, read_partitions
from tests.exports.recorded_logs import OTHER, PROGRAMME, append_records, read_log
from tests.exports.recorded_logs import make_records as facts
from tests.waiting import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An exported log of two programmes, with every kind of record."""
    append_records(tmp_path / "data", facts())
    path = tmp_path / "log.jsonl"
    export_log(tmp_path / "data", path, programme_id="", force=False, progress=lambda *_: None)
    return path


def read_topic(broker: str, topic: str) -> list[list[Record]]:
    return read_partitions(KafkaAddress(servers=(broker,), topic=topic))


def read_facts(records: Iterable[Record], programme_id: str) -> list[tuple[Event, Instant] | None]:
    """The facts of a programme and their times, in order; None for a record without a fact."""
    read_ones = [
        read_record(each.offset, each.record_time, each.programme_id, each.value)
        for each in records
        if each.programme_id == programme_id
    ]
    return [
        (each.event._replace(record_time=None), each.record_time) if each.event else None
        for each in read_ones
    ]


class TestTopicCommand:
    def test_create_makes_a_valid_topic_once(self, run: RunCommand, broker: str) -> None:
        name = f"test-{uuid4().hex}"
        words = ("topic", "create", "--log-url", kafka_url(broker, name), "--partitions", 3)
        created, again = run(*words), run(*words, "--format", "json")
        checked = run("topic", "check", "--log-url", kafka_url(broker, name), "--format", "json")
        more = run("topic", "create", "--log-url", kafka_url(broker, name), "--partitions", 5)
        delete_topic(broker, name)
        assert (created.code, created.err, created.out.splitlines()[-1]) == (
            0,
            "",
            "ok: it can be a log",
        )
        assert again.answer == checked.answer
        assert (again.answer["ok"], again.answer["partition_count"]) == (True, 3)
        assert again.answer["settings"]["message.timestamp.type"] == "LogAppendTime"
        assert more.code == 1
        assert "it has 3 partitions, not 5" in more.out

    def test_check_finds_finite_retention(self, run: RunCommand, broker: str, topic: str) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
            shortened = {"retention.ms": "60000"}
            admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic, configs=shortened)]
            )
        check = ("topic", "check", "--log-url", kafka_url(broker, topic))
        wait_until(lambda: run(*check).code == 1, "the broker has set it")
        assert "retention.ms is 60000; set it to -1" in run(*check).out

    def test_release_releases_given_or_all_partitions(self, run: RunCommand, database: str) -> None:
        words = ("topic", "release", "--store-url", database)
        assert "there are no read models yet" in run(*words).err
        with closing(PostgresStore(database)) as store:
            assert run(*words).out == "Nothing is held.\n"
            trying = Hold(0, 70, "it failed once", 1)
            holds = [
                Hold(1, 7, "it fails", 3),
                Hold(2, 8, "kind 29 is newer", 0),
                Hold(3, 9, "it", 4),
            ]
            for each in (trying, *holds):
                store.save_hold(each)
            one = run(*words, "1", "0")
            assert one.out == (
                "Partition 1 goes on at offset 7; it was held: it fails.\n"
                "Partition 0 is not held.\n"
            )
            assert [store.read_hold(number) for number in range(4)] == [trying, None, *holds[1:]]
            rest = run(*words, "--format", "json")
            names = ("partition", "offset", "reason", "crash_count")
            assert rest.answer["released"] == [
                dict(zip(names, astuple(each), strict=True)) for each in holds[1:]
            ]
            assert [store.read_hold(number) for number in range(4)] == [trying, None, None, None]
        assert "write postgresql://" in run(*words[:3], "mysql://one/two").err

    def test_check_names_remedy_for_missing_topic_or_broker(
        self, run: RunCommand, broker: str
    ) -> None:
        missing = run("topic", "check", "--log-url", kafka_url(broker, "no-such-topic"))
        assert missing.code == 1
        assert f"mutua topic create --log-url {kafka_url(broker, 'no-such-topic')}" in missing.err
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            unreachable = run("topic", "check", "--log-url", kafka_url(address, "any"))
        assert unreachable.code == 1
        assert f"Kafka at {address} does not answer" in unreachable.err


class TestReplay:
    def test_preserves_ids_order_and_times(
        self, run: RunCommand, broker: str, topic: str, file: Path, tmp_path: Path
    ) -> None:
        replayed = run("replay", file, "--log-url", kafka_url(broker, topic))
        count = len(facts())
        assert (replayed.code, replayed.out) == (
            0,
            (
                f"Replayed: {kafka_url(broker, topic)} holds {count} records, "
                "with ids and times kept.\n"
            ),
        )
        replayed_records = [each for partition in read_topic(broker, topic) for each in partition]
        assert len(replayed_records) == count
        for programme_id in (PROGRAMME, OTHER):
            before = read_log(tmp_path / "data")
            assert read_facts(replayed_records, programme_id) == read_facts(before, programme_id)

    def test_resumes_and_does_nothing_when_finished(
        self, run: RunCommand, broker: str, topic: str, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = (
            run("replay", file, "--log-url", kafka_url(broker, topic)),
            read_topic(broker, topic),
        )
        assert run("replay", file, "--log-url", kafka_url(broker, topic)) == whole[0]
        assert read_topic(broker, topic) == whole[1]
        half = f"{topic}-half"
        create_topic(broker, half)

        def interrupt(what: str, done: int, total: int) -> None:
            if (what, done) == ("replayed", 5):
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(replaying, "_WINDOW_BYTES", 1)
            patched.setattr(log_export, "_show", interrupt)
            stopped = run("replay", file, "--log-url", kafka_url(broker, half))
        assert stopped.code == 130
        assert f"replay {file} --log-url {kafka_url(broker, half)}" in stopped.err
        partial_records = read_topic(broker, half)
        assert 0 < sum(map(len, partial_records)) < len(facts())
        assert run("replay", file, "--log-url", kafka_url(broker, half)).code == 0
        finished = read_topic(broker, half)
        delete_topic(broker, half)
        assert [[each.value for each in part] for part in finished] == [
            [each.value for each in part] for part in whole[1]
        ]

    def test_refuses_a_topic_with_other_records(
        self, run: RunCommand, broker: str, topic: str, file: Path, tmp_path: Path
    ) -> None:
        append_records(tmp_path / "other", [facts()[-1]])
        other = tmp_path / "other.jsonl"
        export_log(
            tmp_path / "other", other, programme_id="", force=False, progress=lambda *_: None
        )
        run("replay", other, "--log-url", kafka_url(broker, topic))
        refused = run("replay", file, "--log-url", kafka_url(broker, topic))
        assert refused.code == 1
        assert "holds records of its own" in refused.err
        assert sum(map(len, read_topic(broker, topic))) == 1
