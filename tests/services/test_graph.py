"""The graph through gRPC: one position, pages, and reconciliation with the network."""

from __future__ import annotations

from typing import Any

import pytest

from mutua import Client, MutuaError
from mutua.async_reader import MODEL_MOVED
from mutua.v1 import analysis_service_pb2 as pb
from mutua.v1.query_service_pb2 import LENS_BURDEN, Question
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_CALL,
    EXCHANGE_KIND_VISIT,
    OCCUR_PRECISION_MONTH,
    Date,
)
from services.exports.graph_tables import make_graph_tables
from services.ledger.organization import ATTRIBUTES
from tests.services import facts
from tests.services.facts import exchange


@pytest.fixture
def programme(client: Client) -> Client:
    """Two that give each other, one of them also by visit, an isolate and one from elsewhere."""
    events = [
        facts.registration("a", name="Alder", region="North"),
        facts.registration("b", region="South"),
        facts.registration("silent"),
        exchange("a", "b", on="2026-03-05T12:00:00Z", minutes=30),
        exchange("a", "b", on="2026-03-06T12:00:00Z"),
        exchange("a", "b", on="2026-05-01T00:00:00Z", precision=OCCUR_PRECISION_MONTH, minutes=15),
        exchange("b", "a", on="2026-03-05T12:00:00Z", kind=EXCHANGE_KIND_VISIT, minutes=60),
        exchange("b", "elsewhere", on="2026-03-05T12:00:00Z"),
    ]
    client.get_status(min_position=client.record(events))
    return client


def fetch_page(client: Client, **fields: Any) -> pb.GetGraphResponse:
    request = pb.GetGraphRequest(question=Question(programme_id=client.programme), **fields)
    page: pb.GetGraphResponse = client._query.call(lambda link: link.analysis.GetGraph, request)
    return page


class TestGraph:
    def test_has_nodes_and_edges_of_the_network(self, programme: Client) -> None:
        graph = programme.get_graph(lens=LENS_BURDEN)
        network = programme.get_network(lens=LENS_BURDEN, min_position=graph.position)
        assert graph.position == network.position
        assert (graph.question, graph.coverage) == (network.question, network.coverage)
        shared = [field.name for field in network.edges[0].DESCRIPTOR.fields]
        assert [[getattr(edge, name) for name in shared] for edge in graph.edges] == [
            [getattr(edge, name) for name in shared] for edge in network.edges
        ]
        assert [
            (node.organization.organization_id, node.given, node.received, node.isolate)
            for node in graph.nodes
        ] == [
            (node.organization_id, node.given, node.received, node.isolate)
            for node in network.nodes
        ]

    def test_edge_has_kinds_and_spells(self, programme: Client) -> None:
        edge = programme.get_graph(lens=LENS_BURDEN).edges[0]
        assert (edge.weight, edge.exchange_count, edge.unknown_count) == (45, 3, 1)
        assert edge.undated_count == 1
        assert [*edge.kinds] == [pb.KindFlow(kind=EXCHANGE_KIND_CALL, exchange_count=3, weight=45)]
        assert [*edge.spells] == [
            pb.Spell(
                first_date=Date(year=2026, month=3, day=5),
                last_date=Date(year=2026, month=3, day=6),
            ),
            pb.Spell(
                first_date=Date(year=2026, month=5, day=1),
                last_date=Date(year=2026, month=5, day=31),
            ),
        ]

    def test_node_describes_its_organization(self, programme: Client) -> None:
        graph = programme.get_graph(roles_by="region")
        nodes = {node.organization.organization_id: node for node in graph.nodes}
        organizations = {each.organization_id: each for each in programme.list_organizations()}
        assert {name: node.organization for name, node in nodes.items()} == organizations
        assert (nodes["a"].is_member, nodes["elsewhere"].is_member) == (True, False)
        assert (nodes["a"].constraint, nodes["a"].betweenness) == (1, 0)
        assert nodes["a"].HasField("roles")
        assert not nodes["silent"].HasField("constraint")
        assert [*nodes["silent"].reasons] == ["NOTHING_SEEN", "NO_CONTACT", "UNLABELLED"]
        assert [*nodes["elsewhere"].reasons] == ["NOT_A_MEMBER"]
        assert (graph.metric_version, graph.roles_by) == (1, "region")

    def test_unknown_attribute_is_refused_with_the_nearest(self, programme: Client) -> None:
        with pytest.raises(MutuaError, match="did you mean region") as refused:
            programme.get_graph(roles_by="regoin")
        assert [each.field for each in refused.value.field_violations] == ["roles_by"]


class TestPages:
    def test_join_to_the_whole_at_one_position(self, programme: Client) -> None:
        whole, part, token = programme.get_graph(), pb.GetGraphResponse(), ""
        while True:
            page = fetch_page(programme, page_size=1, page_token=token)
            assert page.position == whole.position
            part.nodes.extend(page.nodes)
            part.edges.extend(page.edges)
            programme.get_status(min_position=programme.record([exchange("z", "a")]))
            if not (token := page.next_page_token):
                break
        assert (part.nodes, part.edges) == (whole.nodes, whole.edges)

    def test_client_asks_again_when_the_graph_moved(
        self, programme: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = pb.GetGraphResponse(next_page_token="second")
        moved = pb.GetGraphResponse(warnings=[MODEL_MOVED])
        pages = iter([first, moved, first, pb.GetGraphResponse()])
        tokens = list[str]()

        def answer(method: object, request: pb.GetGraphRequest) -> pb.GetGraphResponse:
            tokens.append(request.page_token)
            response = pb.GetGraphResponse()
            response.CopyFrom(next(pages))
            return response

        monkeypatch.setattr(programme._query, "call", answer)
        assert [*programme.get_graph().warnings] == []
        assert tokens == ["", "second"] * 2


class TestTables:
    def test_leave_out_ties_of_weight_zero(self, programme: Client) -> None:
        tables = make_graph_tables(programme.get_graph(lens=LENS_BURDEN))
        assert (len(tables.edges), tables.weightless_count) == (2, 1)
        assert tables.statement["lens"] == "burden"
        assert len(make_graph_tables(programme.get_graph()).edges) == 3

    def test_describe_an_organization_by_every_attribute(self, programme: Client) -> None:
        tables = make_graph_tables(programme.get_graph())
        names = {column.name for column in tables.nodes.columns}
        reserved = {"r", "g", "b", "x", "y", "z", "xpos", "ypos", "zpos", "size", "color", "label"}
        assert not names & reserved
        assert {f"organization_{each}" for each in ("id", "name", "type")} <= names
        assert {"size_band", *ATTRIBUTES} - names == {"type", "size"}
