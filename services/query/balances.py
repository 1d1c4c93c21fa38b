"""What each organization, or one, gave and received."""

from dataclasses import replace
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_balance, from_coverage
from services.adapters.wire.question import from_question
from services.adapters.wire.values import tidy
from services.ledger.errors import NotFound
from services.ledger.identity import resolve
from services.network.balances import balances
from services.query.answering import Asked
from services.query.order import Order

BY_ID: Final = Order(pb.Balance.DESCRIPTOR, ("organization_id",), from_balance)


def list_balances(asked: Asked) -> pb.ListBalancesResponse:
    listing = asked.listed(balances, BY_ID, asked.page.after)
    page = pb.ListBalancesResponse(**listing.rest)
    return asked.fill(page, listing.rows, from_balance, listing.key)


def get_balance(asked: Asked) -> pb.GetBalanceResponse:
    """Raises NotFound for an organization that is neither registered nor named."""
    frame, organization_id = asked.frame, tidy(asked.request.organization_id)
    wanted = resolve(frame.aliases, organization_id)
    if wanted not in frame.roster and not frame.has_seen(wanted):
        raise NotFound(
            f"organization {organization_id!r} is neither registered nor named in an exchange; "
            "mutua organizations lists those that are"
        )
    question = replace(asked.question, organization_ids=())
    found = balances(frame, question, including=wanted)
    [balance] = [row for row in found.rows if row.organization_id == wanted]
    return pb.GetBalanceResponse(
        balance=from_balance(balance),
        question=from_question(replace(asked.answered_question(), organization_ids=(wanted,))),
        coverage=from_coverage(found.coverage),
        warnings=found.warnings,
    )
