"""`mutua export graph` on the demo has what `mutua network` answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from mutua import Client
from mutua.async_reader import MODEL_MOVED
from mutua.v1.analysis_service_pb2 import GetGraphResponse
from tests.cli.conftest import RunCommand


@pytest.fixture
def run_demo(demo: RunCommand) -> RunCommand:
    return lambda *words: demo("--data", ".demo", *words)


def read(path: str) -> nx.DiGraph[str]:
    return nx.read_gexf(path) if path.endswith("gexf") else nx.read_graphml(path)


@pytest.mark.parametrize(
    ("suffix", "filters"),
    [
        ("gexf", ()),
        ("graphml", ("--lens", "burden", "--from", "2019-01", "--to", "2019-07")),
        ("gexf", ("--kind", "advice", "--population", "active")),
        ("graphml", ("--organization", "Thornwick", "--allocation", "full")),
    ],
    ids=["everything", "burden", "advice", "full"],
)
def test_file_has_the_network(run_demo: RunCommand, suffix: str, filters: tuple[str, ...]) -> None:
    network = run_demo("network", "--format", "json", *filters).answer
    result = run_demo("export", "graph", f"demo.{suffix}", *filters)
    assert (result.code, result.out) == (0, "")
    graph = read(f"demo.{suffix}")
    assert set(graph) == {node["organization_id"] for node in network["nodes"]}
    weights = {
        (edge["giver_id"], edge["receiver_id"]): (edge["weight"], edge["exchange_count"])
        for edge in network["edges"]
        if edge["weight"]
    }
    assert weights == {
        (giver, receiver): (edge["weight"], edge["exchange_count"])
        for giver, receiver, edge in graph.edges(data=True)
    }
    written = f"demo.{suffix} with {len(graph)} organizations and {len(weights):,} ties."
    assert result.err.splitlines()[0] == f"Written: {written}"


def test_ties_without_known_minutes_are_announced(run_demo: RunCommand) -> None:
    result = run_demo("export", "graph", "demo.gexf", "--lens", "benefit")
    assert "left out: under this lens no minutes are known, or they are 0." in result.err


def test_every_filter_is_stated(run_demo: RunCommand) -> None:
    words = ["--where", "region=East", "--half-life", "90", "--roles-by", "core-system"]
    result = run_demo("export", "graph", "east.graphml", *words, "--kind", "call")
    assert result.code == 0
    graph = read("east.graphml")
    assert (graph.graph["where"], graph.graph["roles_by"]) == ("region=East", "core_system")
    assert (graph.graph["half_life_days"], graph.graph["kinds"]) == (90, "call")
    assert {region for _, region in graph.nodes(data="region")} == {"East"}
    assert any("gatekeeper_count" in node for _, node in graph.nodes(data=True))
    assert "half-life 90 days" in result.err


def test_empty_window_has_organizations_alone(run_demo: RunCommand) -> None:
    result = run_demo("export", "graph", "none.gexf", "--from", "2040-01")
    assert result.code == 0
    assert "The question selects no tie, so the file has organizations alone." in result.err
    graph = read("none.gexf")
    assert (len(graph), graph.number_of_edges()) == (36, 0)


def test_empty_programme_is_said(run_demo: RunCommand) -> None:
    result = run_demo("--programme", "wales", "export", "graph", "none.gexf")
    assert "nothing was recorded in programme 'wales'" in result.err


class TestRefusals:
    def test_other_suffix(self, run_demo: RunCommand) -> None:
        result = run_demo("export", "graph", "demo.csv")
        assert result.code == 1
        assert "end it in .graphml (networkx, igraph, R) or .gexf (Gephi, with time)" in result.err
        assert not Path("demo.csv").exists()

    def test_existing_file_without_force(self, run_demo: RunCommand) -> None:
        Path("demo.gexf").write_text("mine")
        result = run_demo("export", "graph", "demo.gexf")
        assert result.code == 1
        assert "demo.gexf is there already; choose another name, or say --force" in result.err
        assert Path("demo.gexf").read_text() == "mine"
        assert run_demo("export", "graph", "demo.gexf", "--force").code == 0

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--roles-by", "regoin"), "did you mean region?"),
            (("--where", "regoin=East"), "did you mean region?"),
            (("--organization", "Nowhere"), "no organization is called 'Nowhere'"),
            (("--allocation", "once"), "so there are no pairs"),
        ],
        ids=["roles", "where", "organization", "allocation"],
    )
    def test_bad_filter_leaves_no_file(
        self, run_demo: RunCommand, words: tuple[str, ...], message: str
    ) -> None:
        result = run_demo("export", "graph", "demo.gexf", *words)
        assert result.code in (1, 2)
        assert message in result.err
        assert not list(Path().glob("*demo.gexf*"))

    def test_graph_of_several_positions(
        self, run_demo: RunCommand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answer(*_: Any, **__: Any) -> GetGraphResponse:
            return GetGraphResponse(warnings=[MODEL_MOVED])

        monkeypatch.setattr(Client, "get_graph", answer)
        result = run_demo("export", "graph", "demo.gexf")
        assert result.code == 1
        assert "nothing was written" in result.err
        assert not Path("demo.gexf").exists()
