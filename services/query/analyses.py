"""Questions about the asymmetry of reciprocity: the rpcs of AnalysisService.

Each function fetches the programme's columns, lets `services/network` compute, and converts the
answer to the wire format. They check often whether anybody still waits, because they take long
(decision 0126).
"""

from mutua.v1 import analysis_service_pb2 as pb
from services.adapters.wire.answer import from_coverage
from services.adapters.wire.latency import from_latency
from services.adapters.wire.lift import from_lift, to_attributes
from services.adapters.wire.reciprocity import from_reciprocity
from services.adapters.wire.values import to_enum
from services.ledger.periods import Period
from services.network.latency import compute_latency
from services.network.lift import compute_lifts
from services.network.reciprocity import compute_reciprocity
from services.query.query_context import QueryContext


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
