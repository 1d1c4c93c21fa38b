"""Who gives to whom: organizations as nodes, isolates too, and directed ties as edges."""

from bisect import bisect_right
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import edge_fields, from_edge, from_node
from services.network.network import network
from services.query.answering import Asked
from services.query.order import Order

_NODE: Final = "node"
"""The key in the token of a page that ends with a node; the token of an edge is a list."""
BY_IDS: Final = Order(pb.Edge.DESCRIPTOR, ("giver_id", "receiver_id"), from_edge)


def get_network(asked: Asked) -> pb.GetNetworkResponse:
    """A page of the nodes, all of them where they fit, and then of edges."""
    after = asked.page.after
    if isinstance(after, list):  # the key of an edge: all nodes are on earlier pages
        last_node, last_edge = None, after
    else:
        last_node, last_edge = after or {_NODE: ""}, None
    listing = asked.listed(network, BY_IDS, last_edge)
    page = pb.GetNetworkResponse(**listing.rest)
    room = asked.room(page)
    if last_node is not None:
        nodes = listing.found.nodes
        start = bisect_right(nodes, last_node[_NODE], key=lambda node: node.organization_id)
        node_end = room.add(page.nodes, nodes[start:], from_node)
        if node_end.last is not None:
            last_node = {_NODE: node_end.last.organization_id}
        if node_end.has_more:
            page.next_page_token = asked.token(last_node)
            return page
    edges = room.add(page.edges, listing.rows, edge_fields, asked.page.size)
    if edges.has_more:
        after = last_node if edges.last is None else listing.key(edges.last)
        page.next_page_token = asked.token(after)
    return page
