"""The question that lists organizations: the roster and every other party."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.answer import from_organization
from services.adapters.wire.question import from_question
from services.adapters.wire.values import tidy
from services.ledger.enums import Population
from services.ledger.errors import NotFoundError
from services.ledger.identity import resolve
from services.ledger.organization import Organization
from services.ledger.question import UNBOUND_NAMES, Answer, Question
from services.ledger.times import Day
from services.network.identity_view import IdentityView
from services.query.query_context import QueryContext
from services.query.row_order import RowOrder


def _to_wire(row: pb.Organization) -> pb.Organization:
    return row


_BY_ID: Final = RowOrder(pb.Organization.DESCRIPTOR, ("organization_id",), _to_wire)


def list_organizations(query: QueryContext) -> pb.ListOrganizationsResponse:
    """A page of organizations. Without a population, the list has the whole roster."""
    listing = query.list_page(find_organizations, _BY_ID, query.page.after_key)
    # No population means the whole roster, so the response echoes the population as sent.
    question = replace(query.resolve_question(), population=query.question.population)
    page = pb.ListOrganizationsResponse(question=from_question(question), **listing.response_fields)
    return query.fill_page(page, listing.rows, _to_wire, listing.make_key)


def find_organizations(view: IdentityView, question: Question) -> Answer[pb.Organization]:
    """The roster and every other party of a standing exchange in the window, by id.

    With a population, the list has that population instead. Without one, it also has registered
    organizations that are not in force.
    """
    exchanges = view.select_exchanges(question)
    days = view.find_day_ranges(exchanges)
    requested_ids = view.resolve_requested_ids(question)
    listed_ids = {*view.roster, *days}
    if question.population is not Population.UNSPECIFIED:
        listed_ids = {
            *view.index.ids[
                view.find_row_organizations(question, view.find_parties(exchanges))
            ].tolist()
        }
    row_ids = sorted(listed_ids & requested_ids if requested_ids else listed_ids)
    rows = list(map(make_describer(view, days), row_ids))
    warnings = (UNBOUND_NAMES,) if view.has_unbound_names(exchanges) else ()
    return Answer(rows, view.compute_coverage(question, exchanges), warnings)


def make_describer(
    view: IdentityView, days: Mapping[str, tuple[Day, Day]]
) -> Callable[[str], pb.Organization]:
    """Returns what describes organizations by id; `days` has first and last of their exchanges."""
    aliases = defaultdict(list)
    for alias in sorted(view.columns.aliases):
        aliases[resolve(view.columns.aliases, alias)].append(alias)

    def describe(organization_id: str) -> pb.Organization:
        versions = view.roster.get(organization_id)
        first_day, last_day = days.get(organization_id, (None, None))
        return from_organization(
            versions[-1] if versions else Organization(organization_id=organization_id),
            registered=versions is not None,
            aliases=aliases[organization_id],
            first_day=first_day,
            last_day=last_day,
        )

    return describe


def find_organization(view: IdentityView, typed_id: str) -> str:
    """The organization with an id or alias.

    Raises NotFoundError for an organization that is neither registered nor named.
    """
    requested_id = tidy(typed_id)
    organization_id = resolve(view.aliases, requested_id)
    if organization_id not in view.roster and not view.is_ever_party(organization_id):
        raise NotFoundError(
            f"organization {requested_id!r} is neither registered nor named in an exchange",
            remedy="mutua organizations lists all that are",
        )
    return organization_id


def count_organizations(view: IdentityView, question: Question) -> int:
    """How many organizations are registered or named in a standing exchange."""
    return len({*view.roster, *view.find_day_ranges(view.select_exchanges(question))})
