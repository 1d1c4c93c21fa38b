"""The question about the graph, whose answer exports write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mutua.v1 import analysis_service_pb2 as pb
from services.adapters.wire.graph import from_graph_edge, from_graph_node, to_roles_by
from services.ledger.question import Answer, Question
from services.network.graph import METRIC_VERSION, GraphEdge, compute_graph
from services.network.identity_view import IdentityView
from services.query.network_pages import list_network_page
from services.query.organizations import make_describer
from services.query.query_context import QueryContext
from services.query.row_order import RowOrder


def _to_wire(node: pb.GraphNode) -> pb.GraphNode:
    return node


_EDGES_BY_IDS: Final = RowOrder(
    pb.GraphEdge.DESCRIPTOR, ("giver_id", "receiver_id"), from_graph_edge
)


@dataclass(frozen=True, slots=True)
class _DescribedGraph(Answer[GraphEdge]):
    """The graph, with nodes that describe their organizations."""

    nodes: Sequence[pb.GraphNode] = ()


@dataclass(frozen=True, slots=True)
class _ComputeGraph:
    """Computes a graph. Equal ones give equal answers, so that pages share one."""

    roles_by: str
    checkpoint: Callable[[], None] = field(compare=False)

    def __call__(self, view: IdentityView, question: Question) -> _DescribedGraph:
        graph = compute_graph(view, question, roles_by=self.roles_by, checkpoint=self.checkpoint)
        days = view.find_day_ranges(view.select_exchanges(question))
        describe = make_describer(view, days)
        nodes = [from_graph_node(node, describe(node.organization_id)) for node in graph.nodes]
        return _DescribedGraph(graph.rows, graph.coverage, graph.warnings, nodes)


def get_graph(query: QueryContext) -> pb.GetGraphResponse:
    """A page of the graph: all nodes, then the edges."""
    roles_by = to_roles_by(query.request.roles_by)
    page = list_network_page(
        query,
        pb.GetGraphResponse,
        _ComputeGraph(roles_by, query.check_cancelled),
        _EDGES_BY_IDS,
        get_node_id=lambda node: node.organization.organization_id,
        node_to_wire=_to_wire,
        edge_to_wire=from_graph_edge,
    )
    page.metric_version, page.roles_by = METRIC_VERSION, roles_by
    return page
