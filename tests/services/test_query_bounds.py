"""Every page fits the default receive limit of gRPC, however large its rows are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutua import AsyncClient, Client
from mutua.v1 import analysis_service_pb2 as analysis_pb
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from services.app.bootstrap import serve_embedded
from services.query.paging import MAX_PAGE_BYTES, PageWriter
from tests.services import facts
from tests.services.facts import exchange
from tests.waiting import PATIENCE_SECONDS

GRPC_DEFAULT_BYTES = 4 << 20
NOTE = "\N{EARTH GLOBE EUROPE-AFRICA}" * 4_000
"""The longest allowed note, 16,000 bytes."""
EXCHANGES, ORGANIZATIONS, BATCHES, QUARANTINED = 600, 8_001, 5_200, 300


def organization(number: int) -> str:
    """The longest allowed id, 512 bytes."""
    return f"{number:04d}" + "\N{EARTH GLOBE EUROPE-AFRICA}" * 124


def annotated(event: Event) -> Event:
    event.exchange_recorded.exchange.note.plain = NOTE
    return event


def with_long_notes() -> Iterator[Event]:
    yield from (annotated(exchange()) for _ in range(EXCHANGES))


def with_many_organizations() -> Iterator[Event]:
    """Exchanges from one organization to every other."""
    names = [organization(number) for number in range(ORGANIZATIONS)]
    for start in range(1, ORGANIZATIONS, 500):
        yield exchange(names[0], names[start : start + 500])


def with_many_batches() -> Iterator[Event]:
    yield from (
        exchange(batch=f"{n:04d}" + "\N{EARTH GLOBE EUROPE-AFRICA}" * 196) for n in range(BATCHES)
    )


def with_many_quarantined() -> Iterator[Event]:
    event = exchange()
    yield event
    yield from (
        annotated(exchange("x", f"y{n}", event_id=event.event_id)) for n in range(QUARANTINED)
    )


PROGRAMMES: dict[str, Callable[[], Iterator[Event]]] = {
    "long-notes": with_long_notes,
    "many-organizations": with_many_organizations,
    "many-batches": with_many_batches,
    "many-quarantined": with_many_quarantined,
}
LISTS: dict[str, tuple[str, dict[str, int]]] = {
    "ListExchanges": ("long-notes", {"exchanges": EXCHANGES}),
    "ListBalances": ("many-organizations", {"balances": ORGANIZATIONS}),
    "ListPairs": ("many-organizations", {"pairs": ORGANIZATIONS - 1}),
    "ListOrganizations": ("many-organizations", {"organizations": ORGANIZATIONS}),
    "GetNetwork": ("many-organizations", {"nodes": ORGANIZATIONS, "edges": ORGANIZATIONS - 1}),
    "GetGraph": ("many-organizations", {"nodes": ORGANIZATIONS, "edges": ORGANIZATIONS - 1}),
    "ListBatches": ("many-batches", {"batches": BATCHES}),
    "ListQuarantine": ("many-quarantined", {"records": QUARANTINED}),
}


def record_all(client: Client, events: Iterable[Event]) -> None:
    """Records events, and returns when they are projected."""
    *_, last = client.record_in_batches(events)
    client.get_status(min_position=last.position)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with these programmes."""
    with serve_embedded(tmp_path_factory.mktemp("data"), purpose="tests", write=True) as running:
        for programme, events in PROGRAMMES.items():
            with Client(running.address, programme=programme) as client:
                record_all(client, events())
        yield running.address


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("page_size", [0, 10_000], ids=["default", "largest"])
def test_every_page_fits_default_receive_limit(server: str, method: str, page_size: int) -> None:
    programme, expected = LISTS[method]
    is_analysis = hasattr(analysis_pb, f"{method}Request")
    messages_module, stub = (
        (analysis_pb, AnalysisServiceStub) if is_analysis else (pb, QueryServiceStub)
    )
    request = getattr(messages_module, f"{method}Request")(page_size=page_size)
    if hasattr(request, "question"):
        request.question.programme_id = programme
    else:
        request.programme_id = programme
    rows: dict[str, list[Any]] = {name: [] for name in expected}
    sizes = list[int]()
    with grpc.insecure_channel(server) as channel:
        while not sizes or request.page_token:
            page = getattr(stub(channel), method)(request, timeout=PATIENCE_SECONDS)
            sizes.append(page.ByteSize())
            for name, messages in rows.items():
                messages += getattr(page, name)
            request.page_token = page.next_page_token
    assert max(sizes) <= MAX_PAGE_BYTES
    assert sum(sizes) > GRPC_DEFAULT_BYTES, "the test has too little for one answer"
    assert {name: len(messages) for name, messages in rows.items()} == expected
    for messages in rows.values():
        keys = [each.SerializeToString(deterministic=True) for each in messages]
        assert len(set(keys)) == len(keys)


class TestFirstPage:
    def test_of_network_has_all_nodes_that_fit(self, client: Client, channel: grpc.Channel) -> None:
        position = client.record([exchange("A", ["B", "C"]), facts.registration("D")])
        question = pb.Question(programme_id=client.programme)
        request = pb.GetNetworkRequest(question=question, page_size=1, min_position=position)
        first = QueryServiceStub(channel).GetNetwork(request)
        assert [each.organization_id for each in first.nodes] == ["A", "B", "C", "D"]
        assert [each.receiver_id for each in first.edges] == ["B"]
        request.page_token = first.next_page_token
        second = QueryServiceStub(channel).GetNetwork(request)
        assert (len(second.nodes), [each.receiver_id for each in second.edges]) == (0, ["C"])
        assert second.next_page_token == ""


class TestClientNetwork:
    def test_joins_nodes_of_all_pages(self, server: str) -> None:
        with Client(server, programme="many-organizations") as client:
            network = client.get_network()
        names = [organization(number) for number in range(ORGANIZATIONS)]
        assert [each.organization_id for each in network.nodes] == names
        assert [each.receiver_id for each in network.edges] == names[1:]


MANY_REVISIONS = "many-revisions"
CORRECTIONS = 400


@pytest.fixture(scope="module")
def event_ids(address: str) -> list[str]:
    """The event ids of the revisions of one exchange, oldest first; the revisions have 6 MiB."""
    recorded = annotated(exchange())
    events = [recorded]
    for number in range(CORRECTIONS):
        correction = facts.correction(recorded, events[-1].event_id)
        correction.exchange_corrected.exchange.giver_minutes = number
        correction.exchange_corrected.exchange.note.plain = NOTE
        events.append(correction)
    with Client(address, programme=MANY_REVISIONS) as client:
        record_all(client, events)
    return [each.event_id for each in events]


class TestExchangeWithManyRevisions:
    @pytest.fixture
    def client(self, address: str) -> Iterator[Client]:
        """A client of the programme with that exchange."""
        with Client(address, programme=MANY_REVISIONS) as client:
            yield client

    def test_is_listed_with_latest_revisions(self, client: Client, event_ids: list[str]) -> None:
        [row] = client.list_exchanges()
        assert row.ByteSize() <= 2 << 20
        listed_ids = [each.event_id for each in row.revisions]
        assert 1 < len(listed_ids) < len(event_ids)
        assert listed_ids == event_ids[-len(listed_ids) :]
        assert row.earlier_revision_count == len(event_ids) - len(listed_ids)
        assert row.revisions[-1].content.giver_minutes == CORRECTIONS - 1

    def test_returns_revisions_before_event(
        self, client: Client, channel: grpc.Channel, event_ids: list[str]
    ) -> None:
        request = pb.GetExchangeRequest(
            programme_id=client.programme, exchange_id=event_ids[0], before_event_id=event_ids[3]
        )
        answer = QueryServiceStub(channel).GetExchange(request)
        assert [each.event_id for each in answer.exchange.revisions] == event_ids[:3]
        assert answer.exchange.earlier_revision_count == 0
        assert answer.exchange.state == pb.EXCHANGE_STATE_CORRECTED

    def test_client_joins_all_revisions(self, client: Client, event_ids: list[str]) -> None:
        fetched = client.get_exchange(event_ids[0]).exchange
        assert [each.event_id for each in fetched.revisions] == event_ids
        assert fetched.earlier_revision_count == 0

    def test_async_client_joins_all_revisions(
        self, address: str, client: Client, event_ids: list[str]
    ) -> None:
        async def ask() -> pb.Exchange:
            async with AsyncClient(address, client.programme) as awaited:
                return (await awaited.get_exchange(event_ids[0])).exchange

        fetched = asyncio.run(ask())
        assert [each.event_id for each in fetched.revisions] == event_ids

    @pytest.mark.parametrize("before", ["the first", "another"])
    def test_refuses_event_without_earlier_revision(
        self, client: Client, channel: grpc.Channel, event_ids: list[str], before: str
    ) -> None:
        request = pb.GetExchangeRequest(
            programme_id=client.programme,
            exchange_id=event_ids[0],
            before_event_id=event_ids[0] if before == "the first" else exchange().event_id,
        )
        with pytest.raises(grpc.RpcError) as raised:
            QueryServiceStub(channel).GetExchange(request)
        assert "before_event_id is not the event id of a revision" in str(raised.value)


class TestPageWriter:
    @given(st.lists(st.integers(0, 400), max_size=30), st.integers(0, 300), st.integers(1, 30))
    def test_adds_rows_until_one_does_not_fit(
        self, lengths: list[int], warning: int, size: int
    ) -> None:
        rows = [pb.Balance(organization_id="x" * length) for length in lengths]
        bound, read = 1_000, list[pb.Balance]()
        while len(read) < len(rows):
            page = pb.ListBalancesResponse(warnings=["w" * warning])
            room = PageWriter(page, max_bytes=bound, reserved_bytes=0)
            added = room.add_rows(page.balances, iter(rows[len(read) :]), lambda row: row, size)
            read += page.balances
            assert page.ByteSize() <= bound or len(page.balances) == 1
            assert len(page.balances) <= size
            assert added.last == read[-1]
            assert added.has_more == (len(read) < len(rows))
            if added.has_more and len(page.balances) < size:
                page.balances.append(rows[len(read)])
                assert page.ByteSize() > bound - 5 * len(page.balances), "there was room for it"
        assert read == rows

    def test_long_question_reduces_row_bytes(self) -> None:
        page = pb.ListBalancesResponse(question=pb.Question(organization_ids=["x" * 600]))
        rows = [pb.Balance(organization_id="y" * 200)] * 5
        room = PageWriter(page, max_bytes=1_000, reserved_bytes=0)
        assert room.add_rows(page.balances, rows, lambda row: row).has_more
        assert len(page.balances) == 1
