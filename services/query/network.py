"""Who gives to whom: organizations as nodes, isolates too, and directed ties as edges."""

from bisect import bisect_right
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import edge_fields, from_edge, from_node
from services.network.network import compute_network
from services.query.executor import QueryContext
from services.query.row_order import RowOrder

_NODE: Final = "node"
"""The key in the token of a page that ends with a node; the token of an edge is a list."""
BY_IDS: Final = RowOrder(pb.Edge.DESCRIPTOR, ("giver_id", "receiver_id"), from_edge)


def get_network(asked: QueryContext) -> pb.GetNetworkResponse:
    """A page of the nodes, all of them where they fit, and then of edges."""
    after = asked.page.after_key
    if isinstance(after, list):  # the key of an edge: all nodes are on earlier pages
        last_node, last_edge = None, after
    else:
        last_node, last_edge = after or {_NODE: ""}, None
    listing = asked.list_page(compute_network, BY_IDS, last_edge)
    page = pb.GetNetworkResponse(**listing.response_fields)
    room = asked.make_page_writer(page)
    if last_node is not None:
        nodes = listing.answer.nodes
        start = bisect_right(nodes, last_node[_NODE], key=lambda node: node.organization_id)
        node_end = room.add_rows(page.nodes, nodes[start:], from_node)
        if node_end.last is not None:
            last_node = {_NODE: node_end.last.organization_id}
        if node_end.has_more:
            page.next_page_token = asked.make_token(last_node)
            return page
    edges = room.add_rows(page.edges, listing.rows, edge_fields, asked.page.size)
    if edges.has_more:
        after = last_node if edges.last is None else listing.parse_key(edges.last)
        page.next_page_token = asked.make_token(after)
    return page
