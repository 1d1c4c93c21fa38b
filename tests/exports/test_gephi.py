"""The real Gephi opens our files. All its tests are here, because its engine starts once a file."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mutua import Client
from mutua.v1 import query_service_pb2 as query
from mutua.v1.analysis_service_pb2 import GetGraphResponse, GraphEdge
from mutua.v1.types_pb2 import Date
from services.app.bootstrap import serve_embedded
from services.exports.export_file import open_atomic
from services.exports.graph_file import WRITERS
from services.exports.graph_tables import make_graph_tables
from services.exports.tables.table_export import export_tables
from tests.backing_services import build_or_skip
from tests.gephi.engine import Gephi, GephiGraph, fetch_gephi
from tests.services.facts import exchange, joint_exchange, registration

DAY = 86_400_000.0
MARCH_5 = 1_709_596_800_000.0
"""2024-03-05T00:00Z in milliseconds."""


@pytest.fixture(scope="module")
def gephi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gephi]:
    jars = build_or_skip(fetch_gephi)
    with closing(Gephi(jars, tmp_path_factory.mktemp("gephi") / "log")) as engine:
        yield engine


class TestEngine:
    GEXF = """<gexf xmlns="http://gexf.net/1.3" version="1.3">
      <graph defaultedgetype="directed" mode="dynamic" timeformat="date" timezone="UTC">
        <attributes class="edge"><attribute id="0" title="amount" type="double"/></attributes>
        <nodes><node id="a" label="A"/><node id="b" label="B"/></nodes>
        <edges><edge id="e0" source="a" target="b" weight="2.5">
          <attvalues><attvalue for="0" value="2.5"/></attvalues>
          <spells><spell start="2024-03-05" end="2024-03-06"/></spells>
        </edge></edges>
      </graph>
    </gexf>"""

    def test_reads_weights_attributes_and_time_bounds(self, gephi: Gephi, tmp_path: Path) -> None:
        path = tmp_path / "graph.gexf"
        path.write_text(self.GEXF)
        graph = gephi.read(path)
        assert {node.id: node.label for node in graph.nodes.values()} == {"a": "A", "b": "B"}
        [edge] = graph.edges
        assert (edge.source, edge.target, edge.weight) == ("a", "b", 2.5)
        assert edge.attributes == {"amount": 2.5}
        assert edge.is_directed
        assert edge.spells == [graph.bounds] == [(MARCH_5, MARCH_5 + DAY)]
        assert graph.issues == []


IDS = ("007", "1e5", "NA", "O'Brien, Oak", "North (old); b", "silent")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Five organizations in a ring, and one without an exchange; days, months and gaps."""
    events = [registration(each, name=f"{each} Trust", region="North") for each in IDS]
    ring = IDS[:-1]
    for number, (giver, receiver) in enumerate(zip(ring, (*ring[1:], ring[0]), strict=True)):
        for day in (1, 2, 9 + number):
            at = f"2026-03-{day:02}T09:30:00Z"
            events.append(exchange(giver, receiver, on=at, minutes=number * 7 or None, kind=day))
        events.append(exchange(giver, receiver, on="2026-05-01T00:00:00Z", precision=3))
    events += [exchange("007", ["NA", "1e5", IDS[3]], minutes=1), joint_exchange("007", "NA")]
    events += [exchange("1e5", "007", minutes=17)]
    with (
        serve_embedded(tmp_path_factory.mktemp("data"), purpose="tests", write=True) as running,
        Client(running.address) as client,
    ):
        client.get_status(min_position=client.record(events))
        yield client


def ask(client: Client) -> tuple[GetGraphResponse, list[GraphEdge]]:
    """The network of minutes, in which some are unknown, and its edges with an amount."""
    answer = client.get_graph(lens="burden")
    return answer, [edge for edge in answer.edges if edge.weight]


def list_spells(edge: GraphEdge) -> list[tuple[float, float]]:
    """From the first instant of a spell to the last millisecond of its last day."""
    return [
        (to_milliseconds(spell.first_date), to_milliseconds(spell.last_date) + DAY - 1)
        for spell in edge.spells
    ]


def to_milliseconds(day: Date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000


@pytest.fixture(scope="module")
def graphs(
    gephi: Gephi, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, GephiGraph]:
    """What Gephi has of each kind of file."""
    folder = tmp_path_factory.mktemp("exports")
    question = query.Question(lens=query.LENS_BURDEN)
    for form in ("csv", "xlsx"):
        export_tables(client, question, folder / form, form=form)
    tables = make_graph_tables(ask(client)[0])
    for suffix in WRITERS:
        with open_atomic(folder / f"graph{suffix}", force=False) as file:
            WRITERS[suffix](tables, file)
    return {
        "csv": gephi.read(folder / "csv" / "nodes.csv", folder / "csv" / "edges.csv"),
        "xlsx": gephi.read(folder / "xlsx" / "tables.xlsx"),
        "gexf": gephi.read(folder / "graph.gexf"),
        "graphml": gephi.read(folder / "graph.graphml"),
    }


class TestExports:
    @pytest.mark.parametrize("form", ["csv", "xlsx", "gexf", "graphml"])
    def test_edges_are_ours(self, graphs: dict[str, GephiGraph], client: Client, form: str) -> None:
        edges = ask(client)[1]
        ends = [(edge.giver_id, edge.receiver_id) for edge in edges]
        assert sorted((edge.source, edge.target) for edge in graphs[form].edges) == sorted(ends)
        assert all(edge.is_directed and edge.kind == "" for edge in graphs[form].edges)
        assert graphs[form].issues == []

    @pytest.mark.parametrize("form", ["csv", "xlsx", "gexf", "graphml"])
    def test_weights_are_ours(
        self, graphs: dict[str, GephiGraph], client: Client, form: str
    ) -> None:
        """Gephi reads those of GEXF and GraphML with 32 bits, so these have the amount too."""
        round_weight = float if form in ("csv", "xlsx") else np.float32
        assert {
            (edge.source, edge.target): (edge.weight, edge.attributes["amount"])
            for edge in graphs[form].edges
        } == {
            (edge.giver_id, edge.receiver_id): (round_weight(edge.weight), edge.weight)
            for edge in ask(client)[1]
        }

    @pytest.mark.parametrize("form", ["csv", "xlsx", "gexf", "graphml"])
    def test_counts_are_ours(
        self, graphs: dict[str, GephiGraph], client: Client, form: str
    ) -> None:
        for name in ("exchange_count", "unknown_count", "undated_count"):
            assert {
                (edge.source, edge.target): edge.attributes[name] for edge in graphs[form].edges
            } == {(edge.giver_id, edge.receiver_id): getattr(edge, name) for edge in ask(client)[1]}

    @pytest.mark.parametrize("form", ["csv", "xlsx", "gexf"])  # GraphML has no time
    def test_times_are_ours(self, graphs: dict[str, GephiGraph], client: Client, form: str) -> None:
        graph = graphs[form]
        spells = {(edge.giver_id, edge.receiver_id): list_spells(edge) for edge in ask(client)[1]}
        assert {(edge.source, edge.target): edge.spells for edge in graph.edges} == spells
        instants = [instant for each in spells.values() for spell in each for instant in spell]
        assert graph.bounds == (min(instants), max(instants))

    @pytest.mark.parametrize("form", ["csv", "gexf", "graphml"])  # a workbook: its first sheet
    def test_nodes_are_ours(self, graphs: dict[str, GephiGraph], client: Client, form: str) -> None:
        labels = {node.id: node.label for node in graphs[form].nodes.values()}
        nodes = {node.organization.organization_id: node for node in ask(client)[0].nodes}
        assert labels == {
            key: key if form == "graphml" else node.organization.name for key, node in nodes.items()
        }
        for name in ("isolate", "given", "received", "exchange_count"):
            assert {node.id: node.attributes[name] for node in graphs[form].nodes.values()} == {
                key: getattr(node, name) for key, node in nodes.items()
            }
