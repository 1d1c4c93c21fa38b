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
from mutua.v1.query_service_pb2_grpc import (
    QueryServiceStub,
    add_QueryServiceServicer_to_server,
)
from mutua.v1.types_pb2 import Date
from services.adapters.grpc_server import Server
from services.adapters.postgres_store import PostgresStore
from services.adapters.sqlite_log import SqliteLog
from services.adapters.sqlite_store import SqliteStore
from services.adapters.tables import MODEL_VERSION
from services.ledger.ports import QueryStore
from services.projector.slab import project_slab
from services.projector.verify import verify
from services.query import service as query
from services.query.progress import Progress
from tests.bench.embedded import as_recorded
from tests.cluster.alike import difference, forget, pages
from tests.cluster.questions import EXCHANGE_ORDERS, RPCS, Subject, requests
from tests.cluster.troubles import ALIAS, GARBAGE, TOPICS, troubled
from tests.ledger.product import START_TIME

PROGRAMME = "generated"
SLAB = 100


@contextmanager
def asked(log: SqliteLog, store: QueryStore) -> Iterator[QueryServiceStub]:
    """The query service over a store, on a thread of its own."""
    started: list[Any] = []
    ready = threading.Event()

    async def serve() -> None:
        server, stop = Server([query.NAME]), asyncio.Event()
        progress = Progress()
        progress.advance(0, log.end())
        service = query.QueryService(
            store, progress, log=log, model_version=MODEL_VERSION, clock=lambda: START_TIME
        )
        add_QueryServiceServicer_to_server(service, server.grpc)
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
            yield QueryServiceStub(channel)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def test_both_stores_answer_alike(tmp_path: Path, database: str) -> None:
    with ExitStack() as resources:
        log = resources.enter_context(
            closing(SqliteLog(tmp_path / "log.sqlite", clock=lambda: START_TIME))
        )
        values = [*map(as_recorded, troubled(PROGRAMME)), GARBAGE]
        log.append(PROGRAMME, values).result(timeout=120)
        stores = (
            resources.enter_context(closing(SqliteStore(tmp_path / "read.sqlite"))),
            resources.enter_context(closing(PostgresStore(database))),
        )
        stubs = [resources.enter_context(asked(log, store)) for store in stores]

        def differences(name: str, request: Any) -> str:
            # Page tokens name the read models they are of.
            one, other = (
                pages([stub], name, request, tidy=lambda page: forget(page, {"next_page_token"}))
                for stub in stubs
            )
            return difference(one, other)

        balances = pb.ListBalancesRequest(question=pb.Question(programme_id=PROGRAMME))
        for start in range(0, log.end(), SLAB):
            for store in stores:
                project_slab(store, log.log_id, log.read(start, SLAB))
            if start == 3 * SLAB:  # columns are loaded here, and brought forward at the end
                assert differences("ListBalances", balances) == ""
        for store in stores:
            assert verify(log, store).differences == []
        exchanges = pb.ListExchangesRequest(question=balances.question, page_size=5)
        subject = Subject(
            programme_id=PROGRAMME,
            from_date=Date(year=2018, month=11, day=12),
            to_date=Date(year=2019, month=8, day=20),
            organization_ids=["T-01", ALIAS],
            topics=TOPICS,
        )
        some = [each.exchange_id for each in stubs[0].ListExchanges(exchanges).exchanges]
        seen = set()
        orders = (*EXCHANGE_ORDERS, "record_time", "record_time desc")
        for name, request in requests(subject, some, exchange_orders=orders):
            assert differences(name, request) == "", f"{name} {request}"
            seen.add(name)
        assert seen == RPCS
        status = stubs[0].GetStatus(pb.GetStatusRequest(programme_id=PROGRAMME))
        assert min(status.waiting_count, status.quarantine_count, status.exchange_count) > 0
