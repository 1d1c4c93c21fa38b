"""The roster, and everybody else who was named."""

from collections import defaultdict
from dataclasses import replace
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_organization
from services.adapters.wire.question import from_question
from services.ledger.enums import Population
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.question import UNBOUND_NAMES, Answer, Question
from services.network.identity_view import IdentityView
from services.query.executor import QueryContext
from services.query.row_order import RowOrder


def _itself(row: pb.Organization) -> pb.Organization:
    return row


BY_ID: Final = RowOrder(pb.Organization.DESCRIPTOR, ("organization_id",), _itself)


def list_organizations(asked: QueryContext) -> pb.ListOrganizationsResponse:
    listing = asked.list_page(find_organizations, BY_ID, asked.page.after_key)
    # Without a population the whole roster is listed, which no population is.
    question = replace(asked.resolve_question(), population=asked.question.population)
    page = pb.ListOrganizationsResponse(question=from_question(question), **listing.response_fields)
    return asked.fill_page(page, listing.rows, _itself, listing.parse_key)


def find_organizations(frame: IdentityView, question: Question) -> Answer[pb.Organization]:
    """The roster and every other party of a standing exchange of the window, by id.

    Where a population is asked for it stands for the roster, which otherwise is shown whole, also
    who is not in force.
    """
    inside = frame.select_exchanges(question)
    days = frame.find_day_ranges(inside)
    chosen = frame.resolve_requested_ids(question)
    aliases = defaultdict(list)
    for alias in sorted(frame.columns.aliases):
        aliases[resolve(frame.columns.aliases, alias)].append(alias)
    shown = {*frame.roster, *days}
    if question.population is not Population.UNSPECIFIED:
        shown = {
            *frame.index.ids[
                frame.find_row_organizations(question, frame.find_parties(inside))
            ].tolist()
        }
    rows = []
    for name in sorted(shown & chosen if chosen else shown):
        known = frame.roster.get(name)
        first_day, last_day = days.get(name, (None, None))
        rows.append(
            from_organization(
                known[-1] if known else Organization(organization_id=name),
                registered=known is not None,
                aliases=aliases[name],
                first_day=first_day,
                last_day=last_day,
            )
        )
    warnings = (UNBOUND_NAMES,) if frame.has_unbound_names(inside) else ()
    return Answer(rows, frame.compute_coverage(question, inside), warnings)


def count_organizations(frame: IdentityView, question: Question) -> int:
    """How many organizations are registered or named in a standing exchange."""
    return len({*frame.roster, *frame.find_day_ranges(frame.select_exchanges(question))})
