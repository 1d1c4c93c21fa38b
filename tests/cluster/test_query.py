"""The query service as a process, with projectors and a log on Kafka."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from kafka import KafkaProducer

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from services.adapters.kafka.address import KafkaAddress
from services.adapters.kafka.topic import KafkaTopic
from services.adapters.postgres.store import PostgresStore
from services.ledger.position import Position
from services.ledger.records import Hold
from services.projector.slab import project_slab
from services.projector.verification import verify
from services.query.dashboard.views import VIEWS
from tests.bench.batch_recording import serialize_record
from tests.cluster.chaos.proxy import LinkFault, ProxyNetwork
from tests.cluster.service_process import ServiceProcess
from tests.cluster.topics import kafka_url
from tests.databases import block_connections, execute_sql
from tests.faults.server_process import facts
from tests.ports import allocate_port
from tests.waiting import PATIENCE_SECONDS, wait_until

PROGRAMME = "default"
ROLE = "test_query_role"


@pytest.fixture
def log(broker: str, topic: str) -> Iterator[KafkaTopic]:
    with closing(KafkaTopic(KafkaAddress(servers=(broker,), topic=topic))) as log:
        yield log


@pytest.fixture
def running(tmp_path: Path, broker: str, topic: str, database: str) -> Iterator[ServiceProcess]:
    process = ServiceProcess("query", tmp_path, kafka_url(broker, topic), database)
    yield process
    process.kill()


@pytest.fixture
def projecting(tmp_path: Path, broker: str, topic: str, database: str) -> Iterator[ServiceProcess]:
    process = ServiceProcess("projector", tmp_path, kafka_url(broker, topic), database)
    yield process
    process.kill()


def produce(log: KafkaTopic, start: int, end: int, programme: str = PROGRAMME) -> int:
    """Puts facts on the log; the partition of their programme."""
    partition = log.find_partition(programme)
    with closing(KafkaProducer(bootstrap_servers=list(log.address.servers))) as producer:
        for event in facts(start, end):
            event.programme_id = programme
            key, value = programme.encode(), serialize_record(event)
            producer.send(log.address.topic, key=key, value=value, partition=partition)
        producer.flush()
    return partition


def project(log: KafkaTopic, store: PostgresStore, partition: int) -> int:
    """Projects what is new; the position then."""
    before = store.read_watermark(partition)
    start = 0 if before is None else before.next_offset
    records = log.get_partition(partition).read(start, 1_000)
    return project_slab(store, log.log_id, records, partition=partition).next_offset


class TestQuery:
    def test_waits_for_read_models_and_then_for_positions(
        self, running: ServiceProcess, log: KafkaTopic, database: str
    ) -> None:
        wait_until(lambda: "there are no read models yet" in running.output, "it says so")
        with grpc.insecure_channel(running.address) as channel:
            with pytest.raises(grpc.RpcError, match="there are no read models yet") as refused:
                QueryServiceStub(channel).GetStatus(pb.GetStatusRequest(programme_id=PROGRAMME))
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        with closing(PostgresStore(database)) as store:
            partition = produce(log, 0, 5)
            project(log, store, partition)
            assert verify(log.get_partition(partition), store, partition_count=4).ok
            address = running.wait_for_address()
            assert running.is_serving()
            with grpc.insecure_channel(address) as channel:
                stub = QueryServiceStub(channel)
                position = str(Position(log.log_id, partition, 8))
                waiting = stub.GetStatus.future(
                    pb.GetStatusRequest(programme_id=PROGRAMME, min_position=position), timeout=30
                )
                produce(log, 5, 8)
                project(log, store, partition)
                status = waiting.result()
                assert (status.fact_count, status.lag_count, status.projection_position) == (
                    8,
                    0,
                    position,
                )
                store.save_hold(Hold(partition, 8, "a later version is needed", 0))
                beyond = pb.GetStatusRequest(
                    programme_id=PROGRAMME, min_position=str(Position(log.log_id, partition, 9))
                )
                with pytest.raises(grpc.RpcError, match="a later version is needed"):
                    stub.GetStatus(beyond, timeout=30)
        assert running.stop() == 0

    def test_answers_match_projected_facts(
        self, running: ServiceProcess, projecting: ServiceProcess, log: KafkaTopic, database: str
    ) -> None:
        wait_until(lambda: "mutua projector is ready" in projecting.output, "it projects")
        address = running.wait_for_address()
        programmes = [f"p{number}" for number in range(8)]
        for start in range(0, 60, 20):
            for programme in programmes:
                produce(log, start, start + 20, programme)
            execute_sql(  # whatever is under way begins again
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE '%partition%'",
            )
        with grpc.insecure_channel(address) as channel:
            stub = QueryServiceStub(channel)
            for programme in programmes:
                partition = log.find_partition(programme)
                end = Position(log.log_id, partition, log.get_partition(partition).end())
                request = pb.GetStatusRequest(programme_id=programme, min_position=str(end))
                status = stub.GetStatus(request, timeout=30)
                assert (status.exchange_count, status.lag_count) == (60, 0)
        with closing(PostgresStore(database, read_only=True)) as store:
            for partition in range(log.partition_count):
                report = verify(
                    log.get_partition(partition), store, partition_count=log.partition_count
                )
                assert report.differences == []
        assert projecting.stop() == 0

    def test_stop_ends_waits_with_unavailable(
        self, running: ServiceProcess, log: KafkaTopic, database: str
    ) -> None:
        with closing(PostgresStore(database)) as store:
            partition = produce(log, 0, 5)
            project(log, store, partition)
        position = str(Position(log.log_id, partition, 6))
        with grpc.insecure_channel(running.wait_for_address()) as channel:
            stub = QueryServiceStub(channel)
            request = pb.GetStatusRequest(programme_id=PROGRAMME, min_position=position)
            waiting = stub.GetStatus.future(request, timeout=60)
            # Asked after it on the same connection, so that it waits by now.
            assert stub.GetStatus(pb.GetStatusRequest(programme_id=PROGRAMME)).fact_count == 5
            assert running.stop() == 0
            with pytest.raises(grpc.RpcError) as refused:
                waiting.result()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE

    def test_health_follows_the_database(
        self, running: ServiceProcess, log: KafkaTopic, database: str, postgres: str
    ) -> None:
        with closing(PostgresStore(database)) as store:
            project(log, store, produce(log, 0, 5))
        address = running.wait_for_address()
        with grpc.insecure_channel(address) as channel:
            stub = QueryServiceStub(channel)
            with block_connections(postgres, database):
                wait_until(lambda: not running.is_serving(), "health says so")
                with pytest.raises(grpc.RpcError) as refused:
                    stub.GetStatus(pb.GetStatusRequest(programme_id=PROGRAMME))
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            wait_until(running.is_serving, "it recovers")
            status = stub.GetStatus(pb.GetStatusRequest(programme_id=PROGRAMME))
        assert status.fact_count == 5

    def test_hanging_database_ends_calls_with_unavailable(
        self, tmp_path: Path, broker: str, topic: str, log: KafkaTopic, database: str
    ) -> None:
        with closing(PostgresStore(database)) as store:
            project(log, store, produce(log, 0, 5))
        place = urlsplit(database)
        with closing(ProxyNetwork()) as network:
            link = network.add_proxy(allocate_port(), f"{place.hostname}:{place.port}")
            through = database.replace(f":{place.port}/", f":{link.port}/")
            running = ServiceProcess("query", tmp_path, kafka_url(broker, topic), through)
            try:
                with grpc.insecure_channel(running.wait_for_address()) as channel:
                    stub = QueryServiceStub(channel)
                    request = pb.GetStatusRequest(programme_id=PROGRAMME)
                    assert stub.GetStatus(request).fact_count == 5
                    link.fail(LinkFault.BLACK_HOLE)
                    with pytest.raises(grpc.RpcError) as refused:
                        stub.GetStatus(request, timeout=60)
                    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
                    wait_until(lambda: not running.is_serving(), "health says so")
                    link.heal()
                    wait_until(running.is_serving, "it recovers")
                    assert stub.GetStatus(request).fact_count == 5
            finally:
                running.kill()


class TestHttp:
    def test_facts_are_passed_on_to_ingest_and_answered(
        self, tmp_path: Path, broker: str, topic: str, database: str
    ) -> None:
        http = f"127.0.0.1:{allocate_port()}"
        urls = kafka_url(broker, topic), database
        with ExitStack() as processes:

            def start(name: str, **settings: str) -> ServiceProcess:
                process = ServiceProcess(name, tmp_path, *urls, **settings)
                processes.callback(process.kill)
                return process

            ingest = start("ingest")
            [default_rights, later_rights] = read_documented_rights()
            execute_sql(database, f"CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE}'", default_rights)
            processes.callback(execute_sql, database, f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")
            query = start(
                "query",
                MUTUA_HTTP_LISTEN=http,
                MUTUA_INGEST_SERVER=ingest.address,
                MUTUA_STORE_URL=urlsplit(database)._replace(netloc=of_role(database)).geturl(),
            )
            url = f"http://{http}/api/v1"
            wait_until(lambda: is_listening(http), "HTTP is answered")
            problem = httpx.get(f"{url}/balances").json()
            assert (problem["status"], problem["reason"]) == (503, "LOG_DOWN")
            start("projector").wait_until_ready()
            execute_sql(database, later_rights)
            ingest.wait_until_ready()
            query.wait_until_ready()
            [event] = facts(0, 1)
            event.programme_id = PROGRAMME
            document = MessageToDict(event, preserving_proto_field_name=True)
            recorded = httpx.post(f"{url}/events", json={"events": [document]}).json()
            params = {"min_position": recorded["position"]}
            answer = httpx.get(f"{url}/balances", params=params, timeout=PATIENCE_SECONDS)
            assert len(answer.json()["balances"]) == 2
            headers = {"If-None-Match": answer.headers["etag"]}
            assert httpx.get(f"{url}/balances", params=params, headers=headers).status_code == 304
            assert "<title>mutua" in httpx.get(f"http://{http}/").text
            [row, other] = (each["organization_id"] for each in answer.json()["balances"])
            for view in VIEWS.values():
                params = {"organization": row, "other": other}
                chosen = {name: params[name] for name in view.choices if name in params}
                address = f"http://{http}/views/{view.name}"
                shown = httpx.get(address, params=chosen, timeout=PATIENCE_SECONDS)
                assert shown.status_code == 200, (view.name, shown.text)
                assert shown.json()["position"] == recorded["position"]


def read_documented_rights() -> list[str]:
    """The statements for the role of query processes: before the first projector, and after it."""
    text = Path("deploy/README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    return [
        part.replace("mutua_query", ROLE) for part in block.split("-- once a projector is ready\n")
    ]


def of_role(url: str) -> str:
    """The network location of a database's address, for the role of query processes."""
    return f"{ROLE}:{ROLE}@{urlsplit(url).netloc.rpartition('@')[2]}"


def is_listening(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False
