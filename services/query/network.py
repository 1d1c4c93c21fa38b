"""Who gives to whom: organizations as nodes, isolates too, and directed ties as edges."""

from bisect import bisect_right
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import edge_fields, from_edge, from_node
from services.network.network import network
from services.query.answering import Asked
from services.query.order import Order

_NODE: Final = "node"
"""What a token names the last node of a page by; a token of an edge is its key."""
BY_IDS: Final = Order(pb.Edge.DESCRIPTOR, ("giver_id", "receiver_id"), from_edge)


def get_network(asked: Asked) -> pb.GetNetworkResponse:
    """A page of the nodes, all of them where they fit, and then of edges."""
    after = asked.page.after
    if isinstance(after, list):  # the key of an edge: all nodes are on earlier pages
        last_node, last_edge = None, after
    else:
        last_node, last_edge = after or {_NODE: ""}, None
    listed = asked.listed(network, BY_IDS, last_edge)
    page = pb.GetNetworkResponse(**listed.rest)
    room = asked.room(page)
    if last_node is not None:
        nodes = listed.found.nodes
        start = bisect_right(nodes, last_node[_NODE], key=lambda node: node.organization_id)
        added = room.add(page.nodes, nodes[start:], from_node)
        if added.last is not None:
            last_node = {_NODE: added.last.organization_id}
        if added.has_more:
            page.next_page_token = asked.token(last_node)
            return page
    edges = room.add(page.edges, listed.rows, edge_fields, asked.page.size)
    if edges.has_more:
        after = last_node if edges.last is None else listed.key(edges.last)
        page.next_page_token = asked.token(after)
    return page
