"""Questions about the asymmetry of reciprocity: the rpcs of AnalysisService.

Each function fetches the programme's columns, lets `services/network` compute, and converts the
answer to the wire format. They check often whether anybody still waits, because they take long
(decision 0126).
"""

from typing import Final

from mutua.v1 import analysis_service_pb2 as pb
from services.adapters.wire.answer import from_coverage
from services.adapters.wire.asymmetry import from_asymmetry, from_topic_asymmetry
from services.adapters.wire.latency import from_latency
from services.adapters.wire.lift import from_lift, to_attributes
from services.adapters.wire.reciprocity import from_reciprocity
from services.adapters.wire.structure import from_loss, from_structure
from services.adapters.wire.values import to_enum
from services.ledger.periods import Period
from services.network.asymmetry import (
    compute_every_pair,
    compute_family,
    compute_topics,
    find_paybacks,
)
from services.network.latency import compute_latency
from services.network.lift import compute_lifts
from services.network.reciprocity import compute_reciprocity
from services.network.structure import compute_structure, compute_what_if, select_rows
from services.query.organizations import find_organization
from services.query.paging import require_one_page
from services.query.pairings import read_pairings
from services.query.query_context import QueryContext
from services.query.row_order import OrderTerm, RowOrder

_PAIRS_BY_EVIDENCE: Final = RowOrder(
    pb.PairAsymmetry.DESCRIPTOR,
    ("giver_id", "receiver_id"),
    from_asymmetry,
    (OrderTerm("interval_low", descending=True), OrderTerm("contact_days", descending=True)),
)
_TOPICS_BY_NAME: Final = RowOrder(pb.TopicAsymmetry.DESCRIPTOR, ("topic",), from_topic_asymmetry)


def get_reciprocity(query: QueryContext) -> pb.GetReciprocityResponse:
    """How mutual the exchange is, next to what chance would give."""
    answer = compute_reciprocity(
        query.view,
        query.question,
        period=to_enum(Period, query.request.period, "period", Period.UNSPECIFIED),
        seed=query.request.seed,
        checkpoint=query.check_cancelled,
    )
    return pb.GetReciprocityResponse(
        reciprocities=map(from_reciprocity, answer.rows),
        coverage=from_coverage(answer.coverage),
        warnings=answer.warnings,
        unplaced_count=answer.unplaced_count,
    )


def get_lift(query: QueryContext) -> pb.GetLiftResponse:
    """How the flow keeps to organizations that have something in common."""
    answer = compute_lifts(
        query.view,
        query.question,
        attributes=to_attributes(query.request.attributes),
        pairings=read_pairings(query),
        seed=query.request.seed,
        checkpoint=query.check_cancelled,
    )
    return pb.GetLiftResponse(
        lifts=map(from_lift, answer.rows),
        coverage=from_coverage(answer.coverage),
        warnings=answer.warnings,
    )


def get_latency(query: QueryContext) -> pb.GetLatencyResponse:
    """How long it takes until the other side gives."""
    answer = compute_latency(
        query.view,
        query.question,
        period=to_enum(Period, query.request.period, "period", Period.UNSPECIFIED),
        seed=query.request.seed,
        checkpoint=query.check_cancelled,
    )
    return pb.GetLatencyResponse(
        latencies=map(from_latency, answer.rows),
        coverage=from_coverage(answer.coverage),
        warnings=answer.warnings,
        unplaced_count=answer.unplaced_count,
    )


def list_asymmetry(query: QueryContext) -> pb.ListAsymmetryResponse:
    """A page of pairs with evidence, the most one-sided first, and what the network pays back."""
    compute = compute_every_pair if query.request.every_pair else compute_family
    listing = query.list_page(compute, _PAIRS_BY_EVIDENCE, query.page.after_key)
    paybacks = find_paybacks(listing.answer, listing.rows, query.check_cancelled)
    rows = zip(listing.rows, paybacks, strict=True)
    page = pb.ListAsymmetryResponse(**listing.response_fields)
    return query.fill_page(
        page, rows, lambda row: from_asymmetry(*row), lambda row: listing.make_key(row[0])
    )


def list_topic_asymmetry(query: QueryContext) -> pb.ListTopicAsymmetryResponse:
    """A page of topics, and how one-sided the exchange on each is."""
    listing = query.list_page(compute_topics, _TOPICS_BY_NAME, query.page.after_key)
    page = pb.ListTopicAsymmetryResponse(**listing.response_fields)
    return query.fill_page(page, listing.rows, from_topic_asymmetry, listing.make_key)


def get_structure(query: QueryContext) -> pb.GetStructureResponse:
    """How organizations hang together: in all, and by topic.

    Raises ImpossibleQuestionError for an answer that is too large for one response.
    """
    view, question = query.view, query.question
    answer = compute_structure(
        view,
        question,
        by_topic=query.request.by_topic,
        reports_of_nothing=query.snapshot.read_reports_of_nothing(question.programme_id),
        checkpoint=query.check_cancelled,
    )
    response = pb.GetStructureResponse(
        structures=(from_structure(row, select_rows(view, question, row)) for row in answer.rows),
        coverage=from_coverage(answer.coverage),
        warnings=answer.warnings,
    )
    require_one_page(response)
    return response


def get_what_if(query: QueryContext) -> pb.GetWhatIfResponse:
    """What would end if an organization stopped. Raises NotFoundError if no fact names it."""
    answer = compute_what_if(
        query.view,
        query.question,
        find_organization(query.view, query.request.organization_id),
        by_topic=query.request.by_topic,
        checkpoint=query.check_cancelled,
    )
    return pb.GetWhatIfResponse(
        losses=map(from_loss, answer.rows),
        coverage=from_coverage(answer.coverage),
        warnings=answer.warnings,
    )
