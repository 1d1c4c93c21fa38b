"""The same facts answer alike from SQLite and from PostgreSQL, field by field."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2_grpc import (
    QueryServiceStub,
    add_QueryServiceServicer_to_server,
)
from services.adapters.grpc_server import Server
from services.adapters.postgres_store import PostgresStore
from services.adapters.sqlite_log import SqliteLog
from services.adapters.sqlite_store import SqliteStore
from services.adapters.tables import MODEL_VERSION
from services.demo.programme import generate
from services.ledger.ports import QueryStore
from services.projector.slab import project_slab
from services.projector.verify import verify
from services.query import service as query
from services.query.progress import Progress
from tests.bench.embedded import as_recorded
from tests.ledger.product import START_TIME

PROGRAMME = "generated"
SLAB = 100
APART = {"position", "log_position", "projection_position", "next_page_token"}
"""Fields that name a place in a log or a list, not what was recorded."""


def record(log: SqliteLog) -> None:
    """A generated programme, and of each kind of trouble a few."""
    events = [
        event for recording in generate(scale=1, programme=PROGRAMME) for event in recording.events
    ]
    values = [as_recorded(event) for event in events]
    exchanges = [event for event in events if event.HasField("exchange_recorded")]
    for number, event in enumerate(exchanges[::40]):
        values.append(as_recorded(_correction(event, number, of=event.event_id)))
        values.append(as_recorded(_correction(event, 1000 + number, of=_id(9_000 + number))))
        values.append(as_recorded(_retraction(exchanges[40 * number + 1], 2000 + number)))
        reused = Event()
        reused.CopyFrom(event)
        reused.exchange_recorded.exchange.giver_minutes = 1
        values.append(as_recorded(reused))
    values += [as_recorded(each) for each in _roster(exchanges[0])]
    values.append(b"\xff")
    log.append(PROGRAMME, values).result(timeout=60)


def _id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def _correction(event: Event, number: int, *, of: str) -> Event:
    said = Event(event_id=_id(number), programme_id=PROGRAMME, occur_time=event.occur_time)
    said.exchange_corrected.exchange_id = said.exchange_corrected.replaces_event_id = of
    content = said.exchange_corrected.exchange
    content.CopyFrom(event.exchange_recorded.exchange)
    content.giver_minutes, content.topics[:] = 77, ["Zulu", "alpha", "\u00e9tude"]
    return said


def _retraction(event: Event, number: int) -> Event:
    said = Event(event_id=_id(number), programme_id=PROGRAMME)
    said.exchange_retracted.exchange_id = event.event_id
    said.exchange_retracted.reason.plain = "twice"
    return said


def _roster(event: Event) -> Iterator[Event]:
    """Names in an order that depends on the language, and one organization under another id."""
    for number, name in enumerate(
        ("Zebra", "aardvark", "\u00c9lan", "Box-1", "Box 1", "a_b", "aB")
    ):
        said = Event(event_id=_id(3000 + number), programme_id=PROGRAMME)
        said.organization_registered.organization.organization_id = name
        yield said
    said = Event(event_id=_id(3100), programme_id=PROGRAMME)
    content = event.exchange_recorded.exchange
    party = (*content.giver_ids, *content.party_ids)[0]
    said.alias_added.alias, said.alias_added.organization_id = "also", party
    yield said


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


def pages(call: Callable[[Any], Any], request: Any) -> list[dict[str, Any]]:
    """All pages of an answer, or the refusal, without what names a place."""
    found: list[dict[str, Any]] = []
    next_request = type(request)()
    next_request.CopyFrom(request)
    while True:
        try:
            response = call(next_request)
        except grpc.RpcError as refusal:
            return [*found, {"refused": f"{refusal}"}]
        found.append(_plain(MessageToDict(response, preserving_proto_field_name=True)))
        token = getattr(response, "next_page_token", "")
        if not token:
            return found
        next_request.page_token = token


def _plain(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _plain(value) for name, value in said.items() if name not in APART}
    return [_plain(value) for value in said] if isinstance(said, list) else said


def questions() -> Iterator[pb.Question]:
    yield pb.Question()
    yield pb.Question(identity=pb.IDENTITY_RECORDED, lens=pb.LENS_BURDEN)
    yield pb.Question(lens=pb.LENS_ATTENTION, allocation=pb.ALLOCATION_FULL)
    yield pb.Question(topics=["Zulu", "\u00e9tude"], allocation=pb.ALLOCATION_ONCE)


def requests(organization_id: str, exchange_id: str) -> Iterator[tuple[str, Any]]:
    for question in questions():
        question.programme_id = PROGRAMME
        for name in ("ListBalances", "ListPairs", "ListExchanges", "ListOrganizations"):
            yield name, getattr(pb, f"{name}Request")(question=question, page_size=37)
        for name in ("GetNetwork", "GetConcentration"):
            yield name, getattr(pb, f"{name}Request")(question=question)
        yield "GetBalance", pb.GetBalanceRequest(question=question, organization_id=organization_id)
        for order in ("occur_time desc", "record_time"):
            yield "ListExchanges", pb.ListExchangesRequest(question=question, order_by=order)
    for name in ("ListBatches", "ListQuarantine"):
        yield name, getattr(pb, f"{name}Request")(programme_id=PROGRAMME, page_size=7)
    yield "GetExchange", pb.GetExchangeRequest(programme_id=PROGRAMME, exchange_id=exchange_id)
    yield "GetStatus", pb.GetStatusRequest(programme_id=PROGRAMME)


def test_both_stores_answer_alike(tmp_path: Path, database: str) -> None:
    with ExitStack() as resources:
        log = resources.enter_context(
            closing(SqliteLog(tmp_path / "log.sqlite", clock=lambda: START_TIME))
        )
        record(log)
        stores = (
            resources.enter_context(closing(SqliteStore(tmp_path / "read.sqlite"))),
            resources.enter_context(closing(PostgresStore(database))),
        )
        one, other = [resources.enter_context(asked(log, store)) for store in stores]
        for start in range(0, log.end(), SLAB):
            for store in stores:
                project_slab(store, log.log_id, log.read(start, SLAB))
            if start == 3 * SLAB:  # columns are loaded here, and brought forward at the end
                request = pb.ListBalancesRequest(question=pb.Question(programme_id=PROGRAMME))
                assert pages(one.ListBalances, request) == pages(other.ListBalances, request)
        for store in stores:
            assert verify(log, store).differences == []
        first = one.ListExchanges(
            pb.ListExchangesRequest(question=pb.Question(programme_id=PROGRAMME), page_size=1)
        ).exchanges[0]
        seen = set()
        for name, request in requests("T-01", first.exchange_id):
            answers = [pages(getattr(stub, name), request) for stub in (one, other)]
            assert answers[0] == answers[1], f"{name} {request}"
            seen.add(name)
        assert seen == {
            method.name for method in pb.DESCRIPTOR.services_by_name["QueryService"].methods
        }
        status = one.GetStatus(pb.GetStatusRequest(programme_id=PROGRAMME))
        assert min(status.waiting_count, status.quarantine_count, status.exchange_count) > 0
