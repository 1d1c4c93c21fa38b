"""Questions about flows: balances, pairs, the network and concentration.

Each function fetches the programme's columns, lets `services/network` compute, and converts the
answer to the wire format.
"""

from dataclasses import replace
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import (
    edge_fields,
    from_balance,
    from_coverage,
    from_edge,
    from_node,
    from_pair,
    pair_fields,
)
from services.adapters.wire.concentration import from_concentration
from services.adapters.wire.question import from_question
from services.network.balances import compute_balances
from services.network.concentration import compute_concentration
from services.network.network import compute_network
from services.network.pairs import compute_pairs
from services.query.network_pages import list_network_page
from services.query.organizations import find_organization
from services.query.query_context import QueryContext
from services.query.row_order import RowOrder

_BALANCES_BY_ID: Final = RowOrder(pb.Balance.DESCRIPTOR, ("organization_id",), from_balance)
_PAIRS_BY_IDS: Final = RowOrder(pb.Pair.DESCRIPTOR, ("giver_id", "receiver_id"), from_pair)
_EDGES_BY_IDS: Final = RowOrder(pb.Edge.DESCRIPTOR, ("giver_id", "receiver_id"), from_edge)


def list_balances(query: QueryContext) -> pb.ListBalancesResponse:
    """A page of what each organization gave and received."""
    listing = query.list_page(compute_balances, _BALANCES_BY_ID, query.page.after_key)
    page = pb.ListBalancesResponse(**listing.response_fields)
    return query.fill_page(page, listing.rows, from_balance, listing.make_key)


def get_balance(query: QueryContext) -> pb.GetBalanceResponse:
    """What one organization gave and received.

    Raises NotFoundError for an organization that is neither registered nor named.
    """
    organization_id = find_organization(query.view, query.request.organization_id)
    question = replace(query.question, organization_ids=())
    answer = compute_balances(query.view, question, additional_id=organization_id)
    [balance] = [row for row in answer.rows if row.organization_id == organization_id]
    resolved_question = replace(query.resolve_question(), organization_ids=(organization_id,))
    return pb.GetBalanceResponse(
        balance=from_balance(balance),
        question=from_question(resolved_question),
        coverage=from_coverage(answer.coverage),
        warnings=answer.warnings,
    )


def list_pairs(query: QueryContext) -> pb.ListPairsResponse:
    """A page of what two organizations gave each other."""
    listing = query.list_page(compute_pairs, _PAIRS_BY_IDS, query.page.after_key)
    page = pb.ListPairsResponse(**listing.response_fields)
    return query.fill_page(page, listing.rows, pair_fields, listing.make_key)


def get_network(query: QueryContext) -> pb.GetNetworkResponse:
    """A page of the network: all nodes, then the edges."""
    return list_network_page(
        query,
        pb.GetNetworkResponse,
        compute_network,
        _EDGES_BY_IDS,
        get_node_id=lambda node: node.organization_id,
        node_to_wire=from_node,
        edge_to_wire=edge_fields,
    )


def get_concentration(query: QueryContext) -> pb.GetConcentrationResponse:
    """How concentrated giving and receiving are on a few organizations."""
    answer = compute_concentration(query.view, query.question)
    return pb.GetConcentrationResponse(
        concentrations=map(from_concentration, answer.rows),
        coverage=from_coverage(answer.coverage),
        warnings=answer.warnings,
    )
