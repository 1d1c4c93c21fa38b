from collections.abc import Callable
from typing import Any

import pytest
from grpc import StatusCode

from mutua import Client, MutuaError, Pages
from mutua.v1 import query_service_pb2 as query
from mutua.v1.types_pb2 import Date
from tests.client.scripted_server import FakeClock, ScriptedFailure, ScriptedServer


def page(*organization_ids: str, next_page_token: str = "") -> query.ListBalancesResponse:
    return query.ListBalancesResponse(
        balances=[query.Balance(organization_id=each) for each in organization_ids],
        next_page_token=next_page_token,
        position="p7",
        as_of_date=Date(year=2026, month=1, day=2),
        coverage=query.Coverage(roster_count=36),
        warnings=["MANY_UNKNOWN"],
    )


class TestPages:
    def test_yields_rows_of_all_pages_in_order(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [
            page("A", "B", next_page_token="2"),
            page("C", next_page_token="3"),
            page(),
        ]

        rows = client.list_balances(page_size=2, min_position="p6", order_by="given")

        assert [row.organization_id for row in rows] == ["A", "B", "C"]
        assert [request.page_token for request in server.requests] == ["", "2", "3"]
        for request in server.requests:
            assert (request.page_size, request.min_position, request.order_by) == (2, "p6", "given")

    def test_requests_a_page_when_its_first_row_is_needed(
        self, blocking_client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [page("A", next_page_token="2"), page("B")]

        rows = blocking_client.list_balances()
        assert len(server.requests) == 0
        each = iter(rows)
        assert next(each).organization_id == "A"
        assert len(server.requests) == 1
        assert next(each).organization_id == "B"

    def test_position_and_coverage_come_with_the_first_page(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [page("A")]

        rows = client.list_balances()

        assert rows.position == "p7"
        assert rows.as_of_date == Date(year=2026, month=1, day=2)
        assert rows.coverage.roster_count == 36
        assert rows.warnings == ("MANY_UNKNOWN",)
        assert [row.organization_id for row in rows] == ["A"]
        assert [row.organization_id for row in rows] == ["A"]
        assert len(server.requests) == 1

    def test_network_is_merged_from_all_pages(self, client: Client, server: ScriptedServer) -> None:
        nodes = [query.Node(organization_id=each) for each in "ABC"]
        edges = [query.Edge(giver_id="A", receiver_id=each) for each in "BC"]
        server.answers = [
            query.GetNetworkResponse(
                nodes=nodes,
                edges=edges[:1],
                next_page_token="2",
                position="p7",
                coverage=query.Coverage(roster_count=36),
                warnings=["MANY_UNKNOWN"],
            ),
            query.GetNetworkResponse(
                edges=edges[1:],
                position="p7",
                coverage=query.Coverage(roster_count=36),
                warnings=["MANY_UNKNOWN"],
            ),
        ]

        assert client.get_network(order_by="weight desc") == query.GetNetworkResponse(
            nodes=nodes,
            edges=edges,
            position="p7",
            coverage=query.Coverage(roster_count=36),
            warnings=["MANY_UNKNOWN"],
        )
        assert [request.page_token for request in server.requests] == ["", "2"]
        assert server.requests[1].order_by == "weight desc"


class TestRequest:
    @pytest.mark.parametrize(
        ("ask", "answer", "rows"),
        [
            (
                lambda client: client.list_pairs(),
                query.ListPairsResponse(pairs=[query.Pair(giver_id="A")]),
                [query.Pair(giver_id="A")],
            ),
            (
                lambda client: client.list_organizations(),
                query.ListOrganizationsResponse(organizations=[query.Organization(name="N")]),
                [query.Organization(name="N")],
            ),
            (
                lambda client: client.list_exchanges(),
                query.ListExchangesResponse(exchanges=[query.Exchange(exchange_id="x")]),
                [query.Exchange(exchange_id="x")],
            ),
            (
                lambda client: client.list_batches(page_size=5),
                query.ListBatchesResponse(batches=[query.Batch(batch="b", generation=2)]),
                [query.Batch(batch="b", generation=2)],
            ),
            (
                lambda client: client.list_quarantine(page_size=5, offsets=[3]),
                query.ListQuarantineResponse(records=[query.QuarantinedRecord(offset=3)]),
                [query.QuarantinedRecord(offset=3)],
            ),
        ],
    )
    def test_list_returns_rows_of_the_response(
        self,
        client: Client,
        server: ScriptedServer,
        ask: Callable[[Client], Pages[Any]],
        answer: Any,
        rows: list[Any],
    ) -> None:
        server.answers = [answer]

        assert list(ask(client)) == rows
        (request,) = server.requests
        assert getattr(request, "question", request).programme_id == "gde"

    def test_list_quarantine_selects_by_offset(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [query.ListQuarantineResponse()]

        assert list(client.list_quarantine(offsets=[3, 9], page_size=5, min_position="p6")) == []
        assert server.requests == [
            query.ListQuarantineRequest(
                programme_id="gde", offsets=[3, 9], page_size=5, min_position="p6"
            )
        ]

    def test_list_exchanges_selects_by_edge(self, client: Client, server: ScriptedServer) -> None:
        server.answers = [query.ListExchangesResponse()]

        assert list(client.list_exchanges(giver_id="A", receiver_id="B", standing_only=True)) == []
        assert server.requests == [
            query.ListExchangesRequest(
                question=query.Question(programme_id="gde"),
                giver_id="A",
                receiver_id="B",
                standing_only=True,
            )
        ]

    def test_get_exchange_selects_by_id(self, client: Client, server: ScriptedServer) -> None:
        server.answers = [query.GetExchangeResponse(position="p7")]

        assert client.get_exchange("x", min_position="p6").position == "p7"
        assert server.requests == [
            query.GetExchangeRequest(programme_id="gde", exchange_id="x", min_position="p6")
        ]

    def test_list_exchanges_selects_by_batch_and_id(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [query.ListExchangesResponse()]

        assert list(client.list_exchanges(batch="dpdk", exchange_ids=["x", "y"])) == []
        assert server.requests[0].batch == "dpdk"
        assert list(server.requests[0].exchange_ids) == ["x", "y"]

    def test_question_keeps_its_filters_and_gets_the_programme(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [query.GetBalanceResponse(position="p7")] * 2
        question = query.Question(lens=query.LENS_BURDEN)
        elsewhere = query.Question(programme_id="elsewhere")

        assert client.get_balance("A", question, min_position="p6").position == "p7"
        client.get_balance("A", elsewhere)

        first, second = server.requests
        assert first == query.GetBalanceRequest(
            organization_id="A",
            question=query.Question(programme_id="gde", lens=query.LENS_BURDEN),
            min_position="p6",
        )
        assert second.question.programme_id == "elsewhere"
        assert question.programme_id == ""

    def test_get_status_has_the_programme(self, client: Client, server: ScriptedServer) -> None:
        server.answers = [query.GetStatusResponse(fact_count=3)]

        assert client.get_status(min_position="p6").fact_count == 3
        assert server.requests == [query.GetStatusRequest(programme_id="gde", min_position="p6")]


class TestDeadline:
    def test_server_gets_the_whole_deadline(self, client: Client, server: ScriptedServer) -> None:
        server.answers = [query.GetStatusResponse()]

        client.get_status(min_position="p6")

        assert server.timeouts_seconds == [pytest.approx(30.0, abs=1.0)]

    def test_unavailable_server_is_asked_again(
        self, client: Client, server: ScriptedServer, clock: FakeClock
    ) -> None:
        server.answers = [
            ScriptedFailure(code=StatusCode.UNAVAILABLE),
            query.GetStatusResponse(position="p7"),
        ]

        assert client.get_status().position == "p7"
        assert len(clock.delays_seconds) == 1

    def test_position_not_reached_is_raised_without_retry(
        self, client: Client, server: ScriptedServer
    ) -> None:
        server.answers = [
            ScriptedFailure(code=StatusCode.DEADLINE_EXCEEDED, reason="POSITION_NOT_REACHED")
        ]

        with pytest.raises(MutuaError) as raised:
            client.get_status(min_position="p9")

        assert raised.value.reason == "POSITION_NOT_REACHED"
        assert len(server.requests) == 1
