"""What ingest makes of read models: streams are held back, facts they do not know are refused."""

from collections.abc import Iterator
from contextlib import closing

import grpc
import pytest

from mutua import Client, MutuaError
from mutua.v1.event_pb2 import Event
from mutua.v1.ingest_service_pb2 import RecordStreamRequest
from mutua.v1.ingest_service_pb2_grpc import IngestServiceStub
from mutua.v1.types_pb2 import OCCUR_PRECISION_MONTH
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.store import PostgresStore
from services.ingest.record_stream import MAX_LAG_FACTS
from services.ledger.records import Hold
from services.projector.slab import project_slab
from tests.cluster.ingest_process import run_ingest
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import kafka_url
from tests.databases import execute_sql
from tests.services.facts import exchange
from tests.waiting import wait_until

BEHIND = f"UPDATE mutua_read_1.position SET next_offset = next_offset - {MAX_LAG_FACTS + 10}"
LEVEL = f"UPDATE mutua_read_1.position SET next_offset = next_offset + {MAX_LAG_FACTS + 10}"


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(database)) as store:
        yield store


@pytest.fixture
def running(
    broker: str, topic: str, database: str, store: PostgresStore
) -> Iterator[ServiceProcess]:
    with run_ingest(kafka_url(broker, topic), MUTUA_STORE_URL=database) as running:
        running.wait_until_serving()
        yield running


def record(running: ServiceProcess, event: Event | None = None) -> str:
    with Client(running.address, deadline_seconds=20) as client:
        return client.record([event or exchange()])


def project(broker: str, topic: str, store: PostgresStore, position: str) -> int:
    """Projects the partition of a position, from its start; its number."""
    number = int(position.split(".")[1])
    with closing(KafkaTopic(KafkaAddress(servers=(broker,), topic=topic))) as log:
        records = log.get_partition(number).read(0, 100)
        project_slab(store, log.log_id, records, partition=number)
    return number


def streamed(running: ServiceProcess) -> str:
    """Why a stream of one group ends; "" when it was recorded."""
    groups = [RecordStreamRequest(events=[exchange(programme="default")])]
    try:
        for _ in IngestServiceStub(running.channel).RecordStream(iter(groups), timeout=60):
            pass
    except grpc.RpcError as error:
        return error.code().name
    return ""


def nothing_to_report() -> Event:
    event = Event()
    event.occur_time.FromJsonString("2026-03-01T00:00:00Z")
    event.occur_precision = OCCUR_PRECISION_MONTH
    event.nothing_to_report.organization_id = "A"
    return event


class TestReadModelMonitor:
    def test_lag_holds_back_streams_and_no_single_call(
        self, running: ServiceProcess, broker: str, topic: str, store: PostgresStore, database: str
    ) -> None:
        number = project(broker, topic, store, record(running))
        assert streamed(running) == ""
        execute_sql(database, BEHIND)
        wait_until(lambda: streamed(running) == "RESOURCE_EXHAUSTED", "streams are held back")
        assert record(running)
        store.save_hold(Hold(number, 0, "a later version is needed", 0))
        wait_until(lambda: streamed(running) == "", "what is held holds nobody back")
        store.delete_hold(number)
        wait_until(lambda: streamed(running) == "RESOURCE_EXHAUSTED", "it is held no longer")
        execute_sql(database, LEVEL)
        wait_until(lambda: streamed(running) == "", "streams go on")

    def test_unknown_fact_kind_is_refused(self, running: ServiceProcess, database: str) -> None:
        assert record(running, nothing_to_report())
        execute_sql(database, "DELETE FROM mutua_control.fact_kind WHERE kind = 34")
        running.wait_for_stderr("nothing_to_report are refused", "upgrade projectors first")
        with pytest.raises(MutuaError, match="upgrade projectors and query first") as refused:
            record(running, nothing_to_report())
        assert refused.value.reason == "SCHEMA_AHEAD"
        assert record(running)
        PostgresStore(database).close()  # as a projector does that knows all of them

        def is_taken() -> bool:
            try:
                return bool(record(running, nothing_to_report()))
            except MutuaError:
                return False

        wait_until(is_taken, "they are taken")

    def test_missing_read_models_hold_back_no_stream(
        self, broker: str, topic: str, database: str
    ) -> None:
        """Missing are the database, the read models, or those of this log."""
        with run_ingest(kafka_url(broker, topic), MUTUA_STORE_URL=f"{database}_not_there") as lost:
            lost.wait_for_stderr("the status of the read models cannot be read", "does not exist")
            lost.wait_until_serving()
            assert (bool(record(lost)), streamed(lost)) == (True, "")
            assert len(lost.stderr.splitlines()) == 1
        with run_ingest(kafka_url(broker, topic), MUTUA_STORE_URL=database) as early:
            early.wait_for_stderr("there are no read models yet")
            early.wait_until_serving()
            position = record(early)
            with closing(PostgresStore(database)) as store:
                project(broker, topic, store, position)
            execute_sql(database, BEHIND)
            wait_until(lambda: streamed(early) == "RESOURCE_EXHAUSTED", "streams are held back")
            execute_sql(database, "UPDATE mutua_read_1.position SET log_id = repeat('0', 32)")
            wait_until(lambda: streamed(early) == "", "what is of another log holds nobody back")
