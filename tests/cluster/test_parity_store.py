"""The same facts answer alike from SQLite and from PostgreSQL, field by field."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import grpc

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.types_pb2 import Date
from services.adapters.grpc.server import GrpcServer
from services.adapters.postgres.store import PostgresStore
from services.adapters.sql_store.tables import MODEL_VERSION
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.ledger.flow_rows import ColumnWatermark
from services.ledger.ports import QueryStore
from services.projector.slab import project_slab
from services.projector.verification import verify
from services.query import service as query
from services.query.position_tracker import PositionTracker
from tests.bench.batch_recording import serialize_record
from tests.cluster.answer_comparison import clear_fields, fetch_pages, find_difference
from tests.cluster.irregular_programme import (
    ALIAS,
    TOPICS,
    UNREADABLE_RECORD,
    generate_irregular_programme,
)
from tests.cluster.question_stub import QuestionStub
from tests.cluster.request_catalogue import (
    EXCHANGE_ORDERS,
    RPCS,
    QuestionSubject,
    generate_requests,
)
from tests.ledger.folded_ledger import START_TIME

PROGRAMME = "generated"
SLAB = 100


@contextmanager
def asked(log: SqliteLog, store: QueryStore) -> Iterator[QuestionStub]:
    """The query service over a store, on a thread of its own."""
    started: list[Any] = []
    ready = threading.Event()

    async def serve() -> None:
        server, stop = GrpcServer(query.SERVICE_NAMES), asyncio.Event()
        positions = PositionTracker()
        positions.advance(0, log.end())
        service = query.QueryService(
            store, positions, log=log, model_version=MODEL_VERSION, clock=lambda: START_TIME
        )
        query.add_query_services(service, server.aio_server)
        started.extend([await server.start("127.0.0.1:0"), asyncio.get_running_loop(), stop])
        ready.set()
        await stop.wait()
        await server.stop(1.0)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    address, loop, stop = started
    try:
        with grpc.insecure_channel(address) as channel:
            yield QuestionStub(channel)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def read_exchange_columns(store: QueryStore) -> dict[str, list[int]]:
    with store.open_snapshot(0) as snapshot:
        columns = snapshot.read_flow_rows(PROGRAMME, ColumnWatermark()).exchanges
    return {name: list(column) for name, column in columns._asdict().items()}


class TestStores:
    def test_sqlite_and_postgresql_answer_alike(self, tmp_path: Path, database: str) -> None:
        with ExitStack() as resources:
            log = resources.enter_context(
                closing(SqliteLog(tmp_path / "log.sqlite", clock=lambda: START_TIME))
            )
            values = [
                *map(serialize_record, generate_irregular_programme(PROGRAMME)),
                UNREADABLE_RECORD,
            ]
            log.append(PROGRAMME, values).result(timeout=120)
            stores = (
                resources.enter_context(closing(SqliteStore(tmp_path / "read.sqlite"))),
                resources.enter_context(closing(PostgresStore(database))),
            )
            stubs = [resources.enter_context(asked(log, store)) for store in stores]

            def differences(name: str, request: Any) -> str:
                # Page tokens name the read models they are of.
                one, other = (
                    fetch_pages(
                        [stub],
                        name,
                        request,
                        normalize=lambda page: clear_fields(page, {"next_page_token"}),
                    )
                    for stub in stubs
                )
                return find_difference(one, other)

            balances = pb.ListBalancesRequest(question=pb.Question(programme_id=PROGRAMME))
            for start in range(0, log.end(), SLAB):
                for store in stores:
                    project_slab(store, log.log_id, log.read(start, SLAB))
                if start == 3 * SLAB:  # columns are loaded here, and brought forward at the end
                    assert differences("ListBalances", balances) == ""
            for store in stores:
                assert verify(log, store).differences == []
            one, other = [read_exchange_columns(store) for store in stores]
            assert one == other
            exchanges = pb.ListExchangesRequest(question=balances.question, page_size=5)
            subject = QuestionSubject(
                programme_id=PROGRAMME,
                from_date=Date(year=2018, month=11, day=12),
                to_date=Date(year=2019, month=8, day=20),
                organization_ids=["T-01", ALIAS],
                topics=TOPICS,
            )
            some = [each.exchange_id for each in stubs[0].ListExchanges(exchanges).exchanges]
            seen = set()
            orders = (*EXCHANGE_ORDERS, "record_time", "record_time desc")
            for name, request in generate_requests(subject, some, exchange_orders=orders):
                assert differences(name, request) == "", f"{name} {request}"
                seen.add(name)
            assert seen == RPCS
            status = stubs[0].GetStatus(pb.GetStatusRequest(programme_id=PROGRAMME))
            assert min(status.waiting_count, status.quarantine_count, status.exchange_count) > 0
