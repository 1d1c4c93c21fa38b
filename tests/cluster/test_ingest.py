"""What ingest says, and when, of a topic that is not there, is unfit, or is another one now."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mutua import Client, MutuaError
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import find_partition
from tests.cluster.ingest_process import run_ingest
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import (
    PARTITIONS,
    count_event_ids,
    create_topic,
    delete_topic,
    kafka_url,
    read_partitions,
    temporary_topic,
)
from tests.ports import allocate_port
from tests.services.facts import exchange


def record(running: ServiceProcess, *, programme: str = "default") -> str:
    with Client(running.address, programme=programme) as client:
        return client.record([exchange()])


def refusal(running: ServiceProcess) -> MutuaError:
    """What a call is refused with; it is sent once."""
    with Client(running.address, deadline_seconds=1) as client, pytest.raises(MutuaError) as error:
        client.record([exchange()])
    return error.value


@pytest.fixture(scope="module")
def shared_topic(broker: str) -> Iterator[str]:
    yield from temporary_topic(broker)


@pytest.fixture(scope="module")
def serving(broker: str, shared_topic: str) -> Iterator[ServiceProcess]:
    """One process for tests that each keep to a programme of their own."""
    with run_ingest(kafka_url(broker, shared_topic)) as running:
        running.wait_until_serving()
        yield running
        assert running.stop() == 0
        assert running.output == f"mutua ingest is ready on {running.address}\n"


class TestRecord:
    def test_on_the_partition_kafka_clients_choose(
        self, broker: str, shared_topic: str, serving: ServiceProcess
    ) -> None:
        positions = {each: record(serving, programme=each) for each in ("a", "b", "c", "d", "e")}
        partitions = read_partitions(KafkaAddress(servers=(broker,), topic=shared_topic))
        for programme, position in positions.items():
            log_id, partition, end = position.split(".")
            number = find_partition(programme, PARTITIONS)
            assert (len(log_id), int(partition)) == (32, number)
            stored = partitions[number][int(end) - 1]
            assert (stored.programme_id, stored.offset) == (programme, int(end) - 1)

    def test_repeated_request_joins_the_first(
        self, broker: str, shared_topic: str, serving: ServiceProcess
    ) -> None:
        events = [exchange() for _ in range(50)]
        with Client(serving.address, programme="joins") as client:
            with ThreadPoolExecutor(10) as pool:
                positions = set(pool.map(lambda _: client.record(events), range(30)))
            assert len(positions) == 1
            assert client.record(events) in positions
        on_log = count_event_ids(broker, shared_topic)
        assert {on_log[event.event_id] for event in events} == {1}

    def test_equal_ids_with_other_content_are_another_request(
        self, broker: str, shared_topic: str, serving: ServiceProcess
    ) -> None:
        event = exchange()
        with Client(serving.address, programme="reuses") as client:
            client.record([event])
            client.record([exchange("X", "Y", event_id=event.event_id)])
        assert count_event_ids(broker, shared_topic)[event.event_id] == 2


class TestTopic:
    def test_ingest_waits_for_it(self, broker: str, topic: str) -> None:
        missing = f"{topic}-not-yet"
        with run_ingest(kafka_url(broker, missing)) as running:
            running.wait_for_stderr(
                f"topic {missing} is not there", "mutua topic create --log-url kafka:"
            )
            assert not running.is_serving()
            assert refusal(running).reason == "LOG_DOWN"
            create_topic(broker, missing)
            running.wait_until_serving()
            assert record(running)
            assert len(running.stderr.splitlines()) == 1
        delete_topic(broker, missing)

    def test_unsuitable_one_is_reported_with_remedy(self, broker: str, topic: str) -> None:
        with run_ingest(kafka_url(broker, topic), MUTUA_PARTITIONS="7") as running:
            running.wait_for_stderr(
                "it has 4 partitions, not 7", "mutua topic create --partitions 7"
            )
            assert not running.is_serving()
            assert "partitions" in refusal(running).message

    def test_recreated_one_is_another_log(self, broker: str, topic: str) -> None:
        with run_ingest(kafka_url(broker, topic)) as running:
            running.wait_until_serving()
            before = record(running)
            delete_topic(broker, topic)
            create_topic(broker, topic)
            assert running.wait_for_exit() == 1
            running.wait_for_stderr("was deleted and made anew")
        with run_ingest(kafka_url(broker, topic)) as running:
            running.wait_until_serving()
            assert record(running).split(".")[0] != before.split(".")[0]


class TestAddress:
    def test_two_processes_share_it(self, broker: str, topic: str) -> None:
        shared = {"MUTUA_LISTEN": f"127.0.0.1:{allocate_port()}", "MUTUA_REUSE_PORT": "true"}
        with (
            run_ingest(kafka_url(broker, topic), **shared) as one,
            run_ingest(kafka_url(broker, topic), **shared) as two,
        ):
            for process in (one, two):
                process.wait_until_ready()
            for number in range(8):
                with Client(one.address, programme=f"p{number}") as client:
                    assert client.record([exchange()])
            assert one.stop() == 0
            assert not two.has_ended()
            assert record(two)

    def test_in_use_ends_the_process(self, broker: str, topic: str) -> None:
        with run_ingest(kafka_url(broker, topic)) as one:
            one.wait_until_serving()
            with run_ingest(kafka_url(broker, topic), MUTUA_LISTEN=one.address) as two:
                assert two.wait_for_exit() == 1
                two.wait_for_stderr("cannot listen on")

    def test_invalid_log_address_ends_the_process(self) -> None:
        with run_ingest("kafka://nowhere") as running:
            assert running.wait_for_exit() == 1
            running.wait_for_stderr(
                "error: 'kafka://nowhere' names no log on Kafka; write kafka://"
            )
            assert len(running.stderr.splitlines()) == 1
