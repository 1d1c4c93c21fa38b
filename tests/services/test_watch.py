"""WatchService through gRPC and both clients: the rows of a watch are those of the question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Timer
from typing import Any

import grpc
import pytest

from mutua import AsyncClient, Client, MutuaError
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question
from mutua.v1.types_pb2 import EXCHANGE_KIND_VISIT
from mutua.v1.watch_service_pb2 import WatchBalancesRequest
from mutua.v1.watch_service_pb2_grpc import WatchServiceStub
from mutua.watched_rows import WATCHED_ROWS
from services.adapters.sqlite.data_directory import TOKEN_KEY_FILE
from services.app.bootstrap import serve_embedded
from services.app.data_maintenance import rebuild
from tests.ports import allocate_port
from tests.services import facts
from tests.waiting import PATIENCE_SECONDS

Ask = Callable[[Client], Iterable[Any]]
QUESTIONS: dict[str, Ask] = {
    "WatchBalances": lambda client: client.list_balances(),
    "WatchPairs": lambda client: client.list_pairs(),
    "WatchNetwork": lambda client: _network_rows(client),
    "WatchReciprocity": lambda client: client.get_reciprocity().reciprocities,
    "WatchStatus": lambda client: [client.get_status()],
}
"""The rows of the question that each watch keeps up to date."""


def make_history() -> list[list[Event]]:
    """Facts that change, add and remove rows: corrections, a retraction, and a late alias."""
    first, second = facts.exchange("a", "b"), facts.exchange("b", "c", minutes=30)
    return [
        [first, second, facts.registration("a", region="North")],
        [facts.exchange("c", "a"), facts.correction(first, receiver="d")],
        [facts.registration("e"), facts.joint_exchange("a", "e")],
        [facts.alias("d", "e")],
        [facts.retraction(second)],
    ]


def _network_rows(client: Client) -> list[Any]:
    network = client.get_network()
    return [*network.nodes, *network.edges]


def rows_by_key(rpc: str, rows: Iterable[Any]) -> dict[Any, Any]:
    return {
        watched.key_of(row): row
        for row in rows
        for watched in WATCHED_ROWS[rpc]
        if isinstance(row, watched.row_type)
    }


def is_reached(watch: Any, position: str) -> bool:
    """Whether a watch has the answer at a position."""
    now, then = (int((each or "..-1").rpartition(".")[2]) for each in (watch.position, position))
    return now >= then


def begin(client: Any, rpc: str) -> Any:
    method = rpc.removeprefix("Watch").lower()
    return getattr(client.watch, method)(with_progress=True)


@pytest.mark.parametrize("rpc", QUESTIONS)
class TestEveryWatch:
    def test_rows_equal_the_question_at_every_position(self, client: Client, rpc: str) -> None:
        with begin(client, rpc) as watch:
            for events in make_history():
                position = client.record(events)
                while not is_reached(watch, position):
                    next(watch)
                assert watch.rows == rows_by_key(rpc, QUESTIONS[rpc](client))

    def test_changes_lead_to_the_rows(self, client: Client, rpc: str) -> None:
        rows: dict[Any, Any] = {}
        with begin(client, rpc) as watch:
            for events in make_history():
                position = client.record(events)
                while not is_reached(watch, position):
                    change = next(watch)
                    before = rows_by_key(rpc, change.removed)
                    assert all(rows.pop(key) == row for key, row in before.items())
                    changed = rows_by_key(rpc, change.rows)
                    for (key, row), replaced in zip(changed.items(), change.replaced, strict=True):
                        assert rows.get(key) == replaced != row
                        rows[key] = row
            assert rows == watch.rows

    def test_of_asyncio_has_the_same_rows(self, client: Client, address: str, rpc: str) -> None:
        client.get_status(min_position=client.record(make_history()[0]))

        async def follow() -> Any:
            async with (
                AsyncClient(address, programme=client.programme) as async_client,
                begin(async_client, rpc) as watch,
            ):
                assert (await anext(watch)).is_first
                position = await async_client.record(make_history()[1])
                while not is_reached(watch, position):
                    await anext(watch)
                return dict(watch.rows)

        assert asyncio.run(follow()) == rows_by_key(rpc, QUESTIONS[rpc](client))


class TestExchanges:
    def test_list_and_stream_lead_to_the_list(self, client: Client) -> None:
        history = make_history()
        client.get_status(min_position=client.record(history[0]))
        listing = client.list_exchanges()
        rows = {row.exchange_id: row for row in listing}
        for events in history[1:]:
            client.record(events)
        # A correction that comes before its exchange takes effect at the exchange.
        late = facts.exchange("x", "y")
        client.record([facts.correction(late, receiver="z")])
        position = client.record([late])
        with client.watch.exchanges(after_position=listing.position, with_progress=True) as watch:
            while not is_reached(watch, position):
                rows |= {row.exchange_id: row for row in next(watch).rows}
        assert rows == {row.exchange_id: row for row in client.list_exchanges()}

    def test_without_a_position_it_begins_now(self, client: Client) -> None:
        client.get_status(min_position=client.record([facts.exchange("a", "b")]))
        with client.watch.exchanges(with_progress=True) as watch:
            assert next(watch).is_progress
            later = facts.exchange("b", "c")
            client.record([later])
            change = next(each for each in watch if not each.is_progress)
        assert [row.exchange_id for row in change.rows] == [later.event_id]
        assert not watch.rows

    def test_an_exchange_that_no_longer_matches_is_removed(self, client: Client) -> None:
        first = facts.exchange("a", "b", kind=EXCHANGE_KIND_VISIT)
        client.get_status(min_position=client.record([first]))
        with client.watch.exchanges(kinds="visit", with_progress=True) as watch:
            next(watch)
            client.record([facts.exchange("c", "d"), facts.correction(first)])
            change = next(each for each in watch if not each.is_progress)
        assert not change.rows
        assert [row.exchange_id for row in change.removed] == [first.event_id]

    def test_every_page_of_a_long_list_arrives(self, client: Client) -> None:
        start = client.record([facts.exchange("a", "b")])
        events = [facts.exchange("a", f"o{number}") for number in range(450)]
        position = client.record(events)
        ids: list[str] = []
        with client.watch.exchanges(after_position=start, with_progress=True) as watch:
            while not is_reached(watch, position):
                ids += [row.exchange_id for row in next(watch).rows]
        assert ids == [event.event_id for event in events]


class TestConnection:
    def test_watch_goes_on_through_restarts_and_a_rebuild(self, tmp_path: Path) -> None:
        address = f"127.0.0.1:{allocate_port()}"
        with Client(address, deadline_seconds=PATIENCE_SECONDS) as client:
            with serve_embedded(tmp_path, purpose="a test", write=True, listen=address):
                client.get_status(min_position=client.record(make_history()[0]))
                watches = {rpc: begin(client, rpc) for rpc in QUESTIONS}
                exchanges = client.watch.exchanges(with_progress=True)
                for watch in (*watches.values(), exchanges):
                    next(watch)
            recorded = facts.exchange("x", "y")
            with serve_embedded(tmp_path, purpose="a test", write=True, listen=address):
                position = client.record([recorded])
                rebuild(tmp_path, on_progress=lambda *_: None)
                for rpc, watch in watches.items():
                    while not is_reached(watch, position):
                        assert not next(watch).is_first
                    assert watch.rows == rows_by_key(rpc, QUESTIONS[rpc](client))
                change = next(each for each in exchanges if not each.is_progress)
                assert [row.exchange_id for row in change.rows] == [recorded.event_id]

    def test_another_log_under_the_address_is_only_another_state(self, tmp_path: Path) -> None:
        address = f"127.0.0.1:{allocate_port()}"
        with Client(address, deadline_seconds=PATIENCE_SECONDS) as client:
            with serve_embedded(tmp_path / "a", purpose="a test", write=True, listen=address):
                client.get_status(min_position=client.record([facts.exchange("a", "b")]))
                watch = client.watch.balances()
                assert next(watch).is_first
            with serve_embedded(tmp_path / "b", purpose="a test", write=True, listen=address):
                client.get_status(min_position=client.record([facts.exchange("b", "c")]))
                change = next(watch)
                assert [row.organization_id for row in change.rows] == ["b", "c"]
                assert [row.organization_id for row in change.removed] == ["a"]

    @pytest.mark.parametrize("is_after_a_list", [False, True], ids=["from now on", "after a list"])
    def test_exchanges_end_at_another_log(self, tmp_path: Path, *, is_after_a_list: bool) -> None:
        address = f"127.0.0.1:{allocate_port()}"
        with Client(address, deadline_seconds=PATIENCE_SECONDS) as client:
            with serve_embedded(tmp_path / "a", purpose="a test", write=True, listen=address):
                position = client.record([facts.exchange("a", "b")])
                watch = client.watch.exchanges(
                    after_position=position if is_after_a_list else "", with_progress=True
                )
                next(watch)
            with (
                serve_embedded(tmp_path / "b", purpose="a test", write=True, listen=address),
                pytest.raises(MutuaError, match="another log") as ended,
            ):
                next(watch)
        assert ended.value.reason == "POSITION_OF_ANOTHER_LOG"

    def test_watch_goes_on_with_another_key(self, tmp_path: Path) -> None:
        address = f"127.0.0.1:{allocate_port()}"
        first, second = facts.exchange("a", "b"), facts.exchange("b", "c")
        with Client(address, deadline_seconds=PATIENCE_SECONDS) as client:
            with serve_embedded(tmp_path, purpose="a test", write=True, listen=address):
                start = client.record([facts.exchange("x", "y")])
                client.get_status(min_position=client.record([first]))
                balances = client.watch.balances()
                exchanges = client.watch.exchanges(after_position=start)
                next(balances)
                assert [row.exchange_id for row in next(exchanges).rows] == [first.event_id]
            (tmp_path / TOKEN_KEY_FILE).unlink()
            with serve_embedded(tmp_path, purpose="a test", write=True, listen=address):
                client.get_status(min_position=client.record([second]))
                assert {row.organization_id for row in next(balances).rows} == {"b", "c"}
                assert [row.exchange_id for row in next(exchanges).rows] == [second.event_id]

    def test_nobody_there_is_an_error_within_the_deadline(self) -> None:
        with (
            Client(f"127.0.0.1:{allocate_port()}", deadline_seconds=0.5) as client,
            pytest.raises(MutuaError, match="No mutua server answers"),
        ):
            next(client.watch.balances())

    def test_impossible_question_is_an_error_at_once(self, client: Client) -> None:
        with pytest.raises(MutuaError) as refused:
            next(client.watch.balances(known_at="2026-01-01"))
        assert refused.value.reason == "QUESTION_IMPOSSIBLE"

    def test_closing_the_client_ends_a_watch(self, address: str) -> None:
        client = Client(address)
        watch = client.watch.balances()
        next(watch)
        Timer(0.2, client.close).start()
        with pytest.raises(MutuaError) as ended:
            next(watch)
        assert ended.value.code is grpc.StatusCode.CANCELLED

    def test_subscriber_that_reads_nothing_stops_nobody(
        self, client: Client, channel: grpc.Channel
    ) -> None:
        request = WatchBalancesRequest(question=Question(programme_id=client.programme))
        stalled = [WatchServiceStub(channel).WatchBalances(request) for _ in range(20)]
        with begin(client, "WatchBalances") as watch:
            for _ in range(5):
                events = [facts.exchange("a", f"b{number}{'x' * 100}") for number in range(200)]
                position = client.record(events)
                while not is_reached(watch, position):
                    next(watch)
        for call in stalled:
            call.cancel()
