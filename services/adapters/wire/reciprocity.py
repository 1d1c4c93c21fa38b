"""The reciprocity family on the wire."""

from mutua.v1 import analysis_service_pb2 as pb
from mutua.v1 import query_service_pb2
from services.adapters.wire.values import from_day
from services.ledger.question import to_units
from services.measures.reciprocity import METRIC_VERSION, Yardstick
from services.measures.weighted_reciprocity import WithoutOrganization
from services.network.reciprocity import ReciprocityRow


def from_reciprocity(row: ReciprocityRow) -> pb.Reciprocity:
    measures, graph = row.measures, row.flows.graph
    ties, census = measures.ties, measures.ties.census
    message = pb.Reciprocity(
        report_view=query_service_pb2.REPORT_VIEW_UNION,
        organization_count=graph.size,
        exchange_count=row.exchange_count,
        total=to_units(graph.total),
        tie_count=len(graph.giver),
        mutual_count=census.mutual,
        asymmetric_count=census.asymmetric,
        null_count=census.null,
        reciprocity=ties.reciprocity,
        expected_reciprocity=ties.expected,
        expected_reciprocity_deviation=ties.deviation,
        rho=ties.rho,
        rho_weighted=measures.rho_weighted,
        gini_given=measures.gini_given,
        gini_received=measures.gini_received,
        verdict=None if measures.verdict is None else pb.Verdict.ValueType(measures.verdict),
        reasons=measures.reasons,
        spill_given=to_units(row.flows.spill_given),
        spill_received=to_units(row.flows.spill_received),
        metric_version=METRIC_VERSION,
    )
    if row.span is not None:
        message.from_date.CopyFrom(from_day(row.span.first))
        message.to_date.CopyFrom(from_day(row.span.end))
    _set_weights(message, row)
    if measures.split is not None:
        message.MergeFrom(pb.Reciprocity(**measures.split._asdict()))
    if measures.spread is not None:
        message.expected_weighted_reciprocity = measures.spread.expected
        message.spread.CopyFrom(_from_yardstick(measures.spread))
    if measures.shuffle is not None:
        message.shuffled_weighted_reciprocity = measures.shuffle.expected
        message.shuffle.CopyFrom(_from_yardstick(measures.shuffle))
    return message


def _set_weights(message: pb.Reciprocity, row: ReciprocityRow) -> None:
    weights, ids = row.measures.weights, row.flows.ids
    if weights is None:
        return
    low, high = weights.interval or (None, None)
    message.MergeFrom(
        pb.Reciprocity(
            weighted_reciprocity=weights.reciprocity,
            two_way_share=weights.two_way_share,
            evenness=weights.evenness,
            ceiling=weights.ceiling,
            interval_low=low,
            interval_high=high,
            lowest_without=_from_extreme(weights.lowest, ids),
            highest_without=_from_extreme(weights.highest, ids),
        )
    )


def _from_yardstick(yardstick: Yardstick) -> pb.Yardstick:
    return pb.Yardstick(**yardstick._asdict())


def _from_extreme(
    extreme: WithoutOrganization | None, ids: tuple[str, ...]
) -> pb.WithoutOrganization | None:
    if extreme is None:
        return None
    return pb.WithoutOrganization(
        organization_id=ids[extreme.organization], weighted_reciprocity=extreme.reciprocity
    )
