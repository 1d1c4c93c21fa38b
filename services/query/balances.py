"""What each organization, or one, gave and received."""

from dataclasses import replace
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_balance, from_coverage
from services.adapters.wire.question import from_question
from services.adapters.wire.values import tidy
from services.ledger.errors import NotFoundError
from services.ledger.identity import resolve
from services.network.balances import compute_balances
from services.query.executor import QueryContext
from services.query.row_order import RowOrder

BY_ID: Final = RowOrder(pb.Balance.DESCRIPTOR, ("organization_id",), from_balance)


def list_balances(asked: QueryContext) -> pb.ListBalancesResponse:
    listing = asked.list_page(compute_balances, BY_ID, asked.page.after_key)
    page = pb.ListBalancesResponse(**listing.response_fields)
    return asked.fill_page(page, listing.rows, from_balance, listing.parse_key)


def get_balance(asked: QueryContext) -> pb.GetBalanceResponse:
    """Raises NotFoundError for an organization that is neither registered nor named."""
    frame, organization_id = asked.frame, tidy(asked.request.organization_id)
    wanted = resolve(frame.aliases, organization_id)
    if wanted not in frame.roster and not frame.is_ever_party(wanted):
        raise NotFoundError(
            f"organization {organization_id!r} is neither registered nor named in an exchange; "
            "mutua organizations lists those that are"
        )
    question = replace(asked.question, organization_ids=())
    found = compute_balances(frame, question, additional_id=wanted)
    [balance] = [row for row in found.rows if row.organization_id == wanted]
    return pb.GetBalanceResponse(
        balance=from_balance(balance),
        question=from_question(replace(asked.resolve_question(), organization_ids=(wanted,))),
        coverage=from_coverage(found.coverage),
        warnings=found.warnings,
    )
