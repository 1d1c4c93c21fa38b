"""Graph files, written and read again by networkx, igraph and rustworkx."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

import igraph
import networkx as nx
import pytest
import rustworkx

from mutua.v1 import analysis_service_pb2 as pb
from mutua.v1.query_service_pb2 import (
    ALLOCATION_SPLIT,
    IDENTITY_AS_NOW,
    LENS_BURDEN,
    POPULATION_ROSTER,
    REPORT_VIEW_UNION,
    Organization,
    Question,
)
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_CALL,
    EXCHANGE_KIND_SHARED_CONFIGURATION,
    ORGANIZATION_TYPE_MENTAL_HEALTH,
    Date,
)
from services.exports.export_file import UnusableFileError, open_atomic
from services.exports.graph_file import find_writer
from services.exports.graph_tables import make_graph_tables

NAMES: Final = [
    "007",
    "1e5",
    'Al"pha" <T> & Co ]]>',
    "NA",
    "North (old)|b, [c]",
    "O'Brien",
    "a  b",
    "Ünï𝔘",
]
"""Ids that readers take for numbers, nothing or markup."""
RESERVED: Final = {"r", "g", "b", "x", "y", "z", "xpos", "ypos", "zpos", "size", "color", "label"}
GEXF: Final = "{http://gexf.net/1.3}"
GRAPHML: Final = "{http://graphml.graphdrawing.org/xmlns}"


def make_edge(giver: str, receiver: str, weight: float, *days: tuple[int, int]) -> pb.GraphEdge:
    """An edge whose spells are these first and last days of March 2024."""
    spells = [
        pb.Spell(
            first_date=Date(year=2024, month=3, day=first),
            last_date=Date(year=2024, month=3, day=last),
        )
        for first, last in days
    ]
    kinds = [
        pb.KindFlow(kind=EXCHANGE_KIND_CALL, exchange_count=1, weight=weight),
        pb.KindFlow(kind=EXCHANGE_KIND_SHARED_CONFIGURATION, exchange_count=1, weight=0),
    ]
    return pb.GraphEdge(
        giver_id=giver,
        receiver_id=receiver,
        weight=weight,
        exchange_count=2,
        unknown_count=1,
        kinds=kinds[: 1 + (giver == NAMES[0])],
        spells=spells,
    )


def make_graph(edges: list[pb.GraphEdge] | None = None) -> pb.GetGraphResponse:
    """Organizations with odd ids, ties both ways, large and small amounts, and one of nothing."""
    nodes = [
        pb.GraphNode(
            organization=Organization(organization_id=each, registered=place > 0),
            given=place / 3,
            exchange_count=place,
            is_member=True,
        )
        for place, each in enumerate(NAMES)
    ]
    nodes[1].organization.name = "Ash & Oak <North>"
    nodes[1].organization.type = ORGANIZATION_TYPE_MENTAL_HEALTH
    nodes[1].organization.size = "large"
    nodes[1].constraint = 0.1
    if edges is None:
        edges = [
            make_edge("007", "1e5", 16_777_217.25, (5, 6), (9, 9)),
            make_edge("1e5", "007", 0.1, (9, 9)),
            *(make_edge("NA", each, 2.5, (1, 31)) for each in NAMES if each != "NA"),
            make_edge("O'Brien", "NA", 0, (1, 1)),
        ]
    return pb.GetGraphResponse(
        nodes=nodes,
        edges=edges,
        position="log.0.9",
        as_of_date=Date(year=2024, month=4, day=1),
        question=Question(
            programme_id="gde",
            lens=LENS_BURDEN,
            allocation=ALLOCATION_SPLIT,
            identity=IDENTITY_AS_NOW,
            report_view=REPORT_VIEW_UNION,
            population=POPULATION_ROSTER,
            from_date=Date(year=2024, month=3, day=1),
            to_date=Date(year=2024, month=4, day=1),
        ),
        warnings=["MANY_UNKNOWN"],
        metric_version=1,
    )


def write(path: Path, graph: pb.GetGraphResponse) -> Path:
    with open_atomic(path, force=False) as file:
        find_writer(path)(make_graph_tables(graph), file)
    return path


def list_weights(graph: pb.GetGraphResponse) -> dict[tuple[str, str], float]:
    return {(edge.giver_id, edge.receiver_id): edge.weight for edge in graph.edges if edge.weight}


@pytest.fixture
def gexf(tmp_path: Path) -> Path:
    return write(tmp_path / "graph.gexf", make_graph())


@pytest.fixture
def graphml(tmp_path: Path) -> Path:
    return write(tmp_path / "graph.graphml", make_graph())


class ReadEdge(NamedTuple):
    """An edge as a library read it."""

    ends: tuple[str, str]
    attributes: Mapping[str, Any]


class ReadGraph(NamedTuple):
    """A graph as a library read it."""

    nodes: Mapping[str, Mapping[str, Any]]
    edges: list[ReadEdge]
    statement: Mapping[str, Any]


def read_networkx(path: Path) -> ReadGraph:
    graph = nx.read_graphml(path) if path.suffix == ".graphml" else nx.read_gexf(path)
    assert type(graph) is nx.DiGraph
    edges = [ReadEdge((giver, receiver), edge) for giver, receiver, edge in graph.edges(data=True)]
    return ReadGraph(dict(graph.nodes(data=True)), edges, graph.graph)


def read_igraph(path: Path) -> ReadGraph:
    graph = igraph.Graph.Read_GraphML(str(path))
    assert graph.is_directed()
    ids = graph.vs["organization_id"]  # python-igraph 1.0.0 has & in "id" as &#38;
    edges = [ReadEdge((ids[each.source], ids[each.target]), each.attributes()) for each in graph.es]
    nodes = {each["organization_id"]: each.attributes() for each in graph.vs}
    return ReadGraph(nodes, edges, {name: graph[name] for name in graph.attributes()})


def read_rustworkx(path: Path) -> ReadGraph:
    [graph] = rustworkx.read_graphml(str(path))
    assert type(graph) is rustworkx.PyDiGraph
    ids = [each["id"] for each in graph.nodes()]
    edges = [
        ReadEdge((ids[giver], ids[receiver]), edge)
        for giver, receiver, edge in graph.weighted_edge_list()
    ]
    return ReadGraph({each["id"]: each for each in graph.nodes()}, edges, graph.attrs)


GRAPHML_READERS: Final = [read_networkx, read_igraph, read_rustworkx]


class TestGraphMl:
    @pytest.mark.parametrize("read", GRAPHML_READERS)
    def test_nodes_and_weights_are_ours(self, graphml: Path, read: Any) -> None:
        graph, ours = read(graphml), make_graph()
        assert list(graph.nodes) == NAMES
        assert {edge.ends: edge.attributes["weight"] for edge in graph.edges} == list_weights(ours)
        assert len(graph.edges) == len(list_weights(ours))

    @pytest.mark.parametrize("read", GRAPHML_READERS)
    def test_attributes_keep_their_types(self, graphml: Path, read: Any) -> None:
        node = read(graphml).nodes["1e5"]
        assert node["organization_name"] == "Ash & Oak <North>"
        assert node["organization_type"] == "mental-health"
        assert (node["size_band"], node["registered"], node["isolate"]) == ("large", True, False)
        assert (node["given"], node["exchange_count"], node["constraint"]) == (1 / 3, 1, 0.1)
        unregistered = read(graphml).nodes["007"]
        assert unregistered["registered"] is False  # G12: igraph reads a missing one as False

    @pytest.mark.parametrize("read", GRAPHML_READERS)
    def test_edges_have_an_amount_of_each_kind(self, graphml: Path, read: Any) -> None:
        edge = read(graphml).edges[0].attributes
        assert (edge["amount"], edge["call_amount"], edge["call_count"]) == (
            *[16_777_217.25] * 2,
            1,
        )
        assert (edge["shared_configuration_count"], edge["unknown_count"]) == (1, 1)
        assert json.loads(edge["spells"]) == ["2024-03-05/2024-03-06", "2024-03-09/2024-03-09"]

    @pytest.mark.parametrize("read", GRAPHML_READERS)
    def test_edge_ids_are_repeated(self, graphml: Path, read: Any) -> None:
        """N1, N12: Gephi drops edges whose id it has, python-igraph loses ids of edges."""
        refs = [edge.attributes["ref"] for edge in read(graphml).edges]
        assert refs == [
            each.get("id") for each in ElementTree.parse(graphml).iter(f"{GRAPHML}edge")
        ]
        assert len({*refs}) == len(refs)

    @pytest.mark.parametrize("read", GRAPHML_READERS)
    def test_states_what_its_figures_are_of(self, graphml: Path, read: Any) -> None:
        statement = read(graphml).statement
        assert statement["lens"] == "burden"
        assert (statement["from_date"], statement["to_date"]) == ("2024-03-01", "2024-04-01")
        assert statement["position"] == "log.0.9"

    def test_keys_are_what_every_reader_takes(self, graphml: Path) -> None:
        """N5, N10, N13, G8, G19: no look, one key a name, double weights, no defaults."""
        document = ElementTree.parse(graphml)
        keys = [each.attrib for each in document.iter(f"{GRAPHML}key")]
        assert [key["id"] for key in keys] == [f"d{number}" for number in range(len(keys))]
        named = [(key["for"], key["attr.name"]) for key in keys]
        assert len({*named}) == len(named)
        assert not {name for owner, name in named if owner != "graph"} & RESERVED
        [weight] = (key for key in keys if key["attr.name"] == "weight")
        assert (weight["for"], weight["attr.type"]) == ("edge", "double")
        assert not list(document.iter(f"{GRAPHML}default"))
        assert {key["attr.type"] for key in keys} <= {"string", "long", "double", "boolean"}

    def test_flags_are_on_every_node_in_lower_case(self, graphml: Path) -> None:
        """G12, G18: igraph reads a missing flag as False, rustworkx no "True"."""
        document = ElementTree.parse(graphml)
        flags = {
            each.get("id")
            for each in document.iter(f"{GRAPHML}key")
            if each.get("attr.type") == "boolean"
        }
        texts = [each.text for each in document.iter(f"{GRAPHML}data") if each.get("key") in flags]
        assert len(texts) == len(flags) * len(NAMES) == 3 * len(NAMES)
        assert {*texts} == {"true", "false"}


class TestGexf:
    def test_nodes_weights_and_spells_are_ours(self, gexf: Path) -> None:
        graph, ours = read_networkx(gexf), make_graph()
        assert list(graph.nodes) == NAMES
        assert {edge.ends: edge.attributes["weight"] for edge in graph.edges} == list_weights(ours)
        assert graph.nodes["1e5"]["label"] == "Ash & Oak <North>"
        assert graph.nodes["O'Brien"]["label"] == "O'Brien"
        assert graph.edges[0].attributes["amount"] == 16_777_217.25
        assert graph.edges[0].attributes["spells"] == [
            ("2024-03-05T00:00:00.000Z", "2024-03-06T23:59:59.999Z"),
            ("2024-03-09T00:00:00.000Z", "2024-03-09T23:59:59.999Z"),
        ]

    def test_time_bounds_are_ours(self, gexf: Path) -> None:
        """G3, G4: with a zone on each instant and to the last moment of a day."""
        instants = [
            datetime.fromisoformat(each)
            for edge in read_networkx(gexf).edges
            for spell in edge.attributes["spells"]
            for each in spell
        ]
        assert min(instants) == datetime(2024, 3, 1, tzinfo=UTC)
        assert max(instants).date() == date(2024, 3, 31)
        assert {each.tzinfo for each in instants} == {UTC}

    def test_ties_are_directed_and_of_no_kind(self, gexf: Path) -> None:
        """G1, G2, N2: Gephi finds no mutual pair across kinds, and reads type mutual as one way."""
        document = ElementTree.parse(gexf)
        [graph] = document.iter(f"{GEXF}graph")
        assert graph.get("defaultedgetype") == "directed"
        assert graph.get("timezone") == "UTC"
        edges = list(document.iter(f"{GEXF}edge"))
        assert {name for edge in edges for name in edge.attrib} == {
            "id",
            "source",
            "target",
            "weight",
        }
        pairs = [(edge.get("source"), edge.get("target")) for edge in edges]
        assert len({*pairs}) == len(pairs) == len(list_weights(make_graph()))

    def test_attributes_are_plain_and_not_a_look(self, gexf: Path) -> None:
        """N4, N5: values that change would replace the weights of all edges by 0."""
        document = ElementTree.parse(gexf)
        for attributes in document.iter(f"{GEXF}attributes"):
            assert attributes.get("mode") == "static"
            titles = [str(each.get("title")) for each in attributes]
            assert len({*titles}) == len(titles)
            assert not {*titles} & {*RESERVED, "weight"}
        assert {name for each in document.iter(f"{GEXF}attvalue") for name in each.attrib} == {
            "for",
            "value",
        }

    def test_states_what_its_figures_are_of(self, gexf: Path) -> None:
        [description] = ElementTree.parse(gexf).iter(f"{GEXF}description")
        entries = dict(each.split(": ", 1) for each in str(description.text).splitlines())
        assert entries["lens"] == "burden"
        assert entries["unit"] == "minutes"
        assert entries["allocation"] == "split"
        assert (entries["from_date"], entries["to_date"]) == ("2024-03-01", "2024-04-01")
        assert (entries["identity"], entries["report_view"]) == ("as-now", "union")
        assert (entries["position"], entries["warnings"]) == ("log.0.9", "MANY_UNKNOWN")
        assert entries["mutua_version"]


class Form(NamedTuple):
    """The form of an element in the schema of GEXF 1.3: children in order, and attributes."""

    children: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCHEMA: Final = {
    "gexf": Form(("meta", "graph"), _names("version")),
    "meta": Form(("creator", "description")),
    "creator": Form(),
    "description": Form(),
    "graph": Form(
        ("attributes", "nodes", "edges"),
        optional=_names("timeformat mode timerepresentation timezone defaultedgetype idtype"),
    ),
    "attributes": Form(("attribute",), _names("class"), _names("mode")),
    "attribute": Form((), _names("id title type")),
    "nodes": Form(("node",), optional=_names("count")),
    "node": Form(("attvalues",), _names("id"), _names("label")),
    "edges": Form(("edge",), optional=_names("count")),
    "edge": Form(("attvalues", "spells"), _names("source target"), _names("id weight")),
    "attvalues": Form(("attvalue",)),
    "attvalue": Form((), _names("for value")),
    "spells": Form(("spell",)),
    "spell": Form((), frozenset(), _names("start end")),
}
"""The part of the schema that we use; everything is in its namespace."""
VALUES: Final = {
    "version": _names("1.3"),
    "timeformat": _names("integer double date dateTime"),
    "timerepresentation": _names("interval timestamp"),
    "defaultedgetype": _names("directed undirected mutual"),
    "idtype": _names("integer string"),
    "mode": _names("static dynamic"),
    "class": _names("node edge"),
    "type": _names("string long double boolean"),
}


def find_violations(element: ElementTree.Element) -> Iterator[str]:
    name = element.tag.removeprefix(GEXF)
    form = SCHEMA.get(name)
    if form is None:
        yield f"{element.tag} is no element"
        return
    if not form.required <= {*element.keys()} <= form.required | form.optional:
        yield f"{name} has the attributes {sorted(element.keys())}"
    for key, value in element.attrib.items():
        if key in VALUES and value not in VALUES[key]:
            yield f"{name} has {key}={value}"
    children = [each.tag.removeprefix(GEXF) for each in element]
    places = [form.children.index(each) if each in form.children else -1 for each in children]
    if places != sorted(places) or -1 in places:
        yield f"{name} has other children, or in another order"
    if name == "spells" and not places:
        yield "spells is empty"
    for child in element:
        yield from find_violations(child)


@pytest.mark.parametrize("edges", [None, []], ids=["whole", "empty"])
def test_gexf_has_the_form_of_its_schema(tmp_path: Path, edges: list[pb.GraphEdge] | None) -> None:
    root = ElementTree.parse(write(tmp_path / "graph.gexf", make_graph(edges))).getroot()
    assert list(find_violations(root)) == []


def test_networkx_writes_gexf_of_another_form(tmp_path: Path) -> None:
    """Why we write it ourselves: the schema check finds what is wrong with theirs."""
    graph = nx.DiGraph()
    graph.add_edge("a", "b", weight=2)
    nx.write_gexf(graph, tmp_path / "graph.gexf", version="1.3")
    root = ElementTree.parse(tmp_path / "graph.gexf").getroot()
    assert list(find_violations(root)) != []


@pytest.mark.parametrize("suffix", [".gexf", ".graphml"])
class TestEveryFile:
    def test_without_ties_has_the_organizations(self, tmp_path: Path, suffix: str) -> None:
        graph = read_networkx(write(tmp_path / f"graph{suffix}", make_graph([])))
        assert (list(graph.nodes), graph.edges) == (NAMES, [])

    def test_without_anything_is_readable(self, tmp_path: Path, suffix: str) -> None:
        empty = pb.GetGraphResponse(as_of_date=Date(year=2024, month=1, day=1))
        assert not read_networkx(write(tmp_path / f"graph{suffix}", empty)).nodes

    def test_ids_with_characters_that_xml_lacks_stay_distinct(
        self, tmp_path: Path, suffix: str
    ) -> None:
        graph = make_graph([])
        for node, last in zip(graph.nodes, "\uffff\ufffe", strict=False):
            node.organization.organization_id = f"x{last}"
            node.organization.name = f"y{last}"
        read = read_networkx(write(tmp_path / f"graph{suffix}", graph))
        assert list(read.nodes)[:2] == [r"x\uffff", r"x\ufffe"]
        assert read.nodes[r"x\uffff"]["organization_name"] == r"y\uffff"

    def test_equal_graphs_make_equal_files(self, tmp_path: Path, suffix: str) -> None:
        paths = [write(tmp_path / f"{each}{suffix}", make_graph()) for each in "ab"]
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("name", ["graph.csv", "graph", "graph.gexf.txt", "-"])
def test_other_suffix_is_refused_with_the_two(name: str) -> None:
    with pytest.raises(UnusableFileError, match=r"\.graphml .* or \.gexf"):
        find_writer(Path(name))
