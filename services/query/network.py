"""Who gives to whom: organizations as nodes, isolates too, and directed ties as edges."""

from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import edge_fields, from_edge, from_node
from services.network.network import network
from services.query.answering import Asked
from services.query.order import Order

BY_IDS: Final = Order(pb.Edge.DESCRIPTOR, ("giver_id", "receiver_id"), from_edge)


def get_network(asked: Asked) -> pb.GetNetworkResponse:
    """A page of edges; the first one has all nodes."""
    page = asked.listed(network, BY_IDS)
    return pb.GetNetworkResponse(
        edges=map(edge_fields, page.rows),
        nodes=map(from_node, page.found.nodes) if asked.page.after is None else (),
        **page.rest,
    )
