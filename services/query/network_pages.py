"""Pages of nodes and edges: first all nodes, on as many pages as they need, then the edges."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from services.query.query_context import QueryContext
from services.query.row_order import RowOrder

Response = TypeVar("Response", bound=Message)
ToWire = Callable[[Any], Message | Mapping[str, Any]]
_NODE: Final = "node"
"""Key in the token of a page that ends with a node. The token of an edge is a list."""


def list_network_page(
    query: QueryContext,
    response: type[Response],
    compute: Callable[..., Any],
    order: RowOrder[Any],
    *,
    get_node_id: Callable[[Any], str],
    node_to_wire: ToWire,
    edge_to_wire: ToWire,
) -> Response:
    """A page of the network that `compute` answers with: its rows are edges, its nodes by id."""
    after_key = query.page.after_key
    if isinstance(after_key, list):  # the key of an edge: all nodes are on earlier pages
        last_node, last_edge = None, after_key
    else:
        last_node, last_edge = after_key or {_NODE: ""}, None
    listing = query.list_page(compute, order, last_edge)
    message = response(**listing.response_fields)
    page: Any = message
    writer = query.make_page_writer(message)
    if last_node is not None:
        nodes = listing.answer.nodes
        start = bisect_right(nodes, last_node[_NODE], key=get_node_id)
        node_end = writer.add_rows(page.nodes, nodes[start:], node_to_wire)
        if node_end.last is not None:
            last_node = {_NODE: get_node_id(node_end.last)}
        if node_end.has_more:
            page.next_page_token = query.make_token(last_node)
            return message
    edge_end = writer.add_rows(page.edges, listing.rows, edge_to_wire, query.page.size)
    if edge_end.has_more:
        key = last_node if edge_end.last is None else listing.make_key(edge_end.last)
        page.next_page_token = query.make_token(key)
    return message
