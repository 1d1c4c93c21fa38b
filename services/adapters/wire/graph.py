"""The graph on the wire."""

from mutua.v1 import analysis_service_pb2 as pb
from mutua.v1 import query_service_pb2 as query_pb
from mutua.v1 import types_pb2
from services.adapters.wire.answer import edge_fields, from_node
from services.adapters.wire.values import from_day
from services.ledger.errors import ImpossibleQuestionError, Violation
from services.ledger.organization import ATTRIBUTES, describe_unknown_attribute
from services.ledger.question import to_units
from services.network.graph import GraphEdge, GraphNode, KindFlow, RoleCounts, Spell


def to_roles_by(name: str) -> str:
    """The attribute of a request; "" is none.

    Raises ImpossibleQuestionError for a name that is no attribute of organizations.
    """
    if name and name not in ATTRIBUTES:
        words = describe_unknown_attribute(name)
        raise ImpossibleQuestionError(words, (Violation("roles_by", words),))
    return name


def from_graph_node(row: GraphNode, organization: query_pb.Organization) -> pb.GraphNode:
    """A node with the description of its organization."""
    node, standing = from_node(row.node), row.standing
    message = pb.GraphNode(
        organization=organization,
        given=node.given if node.HasField("given") else None,
        received=node.received if node.HasField("received") else None,
        exchange_count=node.exchange_count,
        isolate=node.isolate,
        is_member=standing is not None,
        reasons=row.reasons,
    )
    if standing is not None:
        message.MergeFrom(
            pb.GraphNode(
                constraint=standing.constraint,
                betweenness=standing.betweenness,
                roles=None if standing.roles is None else _from_roles(standing.roles),
            )
        )
    return message


def from_graph_edge(row: GraphEdge) -> pb.GraphEdge:
    return pb.GraphEdge(
        **edge_fields(row.edge),
        undated_count=row.undated_count,
        kinds=map(_from_kind_flow, row.kinds),
        spells=map(_from_spell, row.spells),
    )


def _from_kind_flow(flow: KindFlow) -> pb.KindFlow:
    return pb.KindFlow(
        kind=types_pb2.ExchangeKind.ValueType(flow.kind),
        exchange_count=flow.exchange_count,
        weight=to_units(flow.weight),
    )


def _from_spell(spell: Spell) -> pb.Spell:
    return pb.Spell(first_date=from_day(spell.first_day), last_date=from_day(spell.last_day))


def _from_roles(roles: RoleCounts) -> pb.BrokerageRoles:
    return pb.BrokerageRoles(
        coordinator_count=roles.coordinator,
        itinerant_count=roles.itinerant,
        gatekeeper_count=roles.gatekeeper,
        representative_count=roles.representative,
        liaison_count=roles.liaison,
    )
