"""Lift on the wire."""

from collections.abc import Iterable

from mutua.v1 import analysis_service_pb2 as pb
from services.ledger.errors import ImpossibleQuestionError, Violation
from services.ledger.organization import ATTRIBUTES, describe_unknown_attribute
from services.ledger.question import to_units
from services.measures.lift import METRIC_VERSION
from services.network.lift import PAIRING, LiftRow


def to_attributes(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the attributes of a request in its order, each once; none is all of them.

    Raises ImpossibleQuestionError for a name that is no attribute of organizations.
    """
    attributes = tuple(dict.fromkeys(names)) or (*ATTRIBUTES, PAIRING)
    for index, name in enumerate(attributes):
        if name not in (*ATTRIBUTES, PAIRING):
            words = describe_unknown_attribute(name)
            raise ImpossibleQuestionError(words, (Violation(f"attributes[{index}]", words),))
    return attributes


def from_lift(row: LiftRow) -> pb.Lift:
    measures, groups = row.measures, row.groups
    return pb.Lift(
        attribute=row.attribute,
        group_count=row.group_count,
        organization_count=measures.organization_count,
        unlabelled_count=row.unlabelled_count,
        same_group_share=measures.share,
        expected_share=measures.expected_share,
        lift=measures.lift,
        p_value=measures.p_value,
        left_out=to_units(measures.left_out),
        reasons=measures.reasons,
        metric_version=METRIC_VERSION,
        mixing=[
            pb.MixingCell(
                from_group=groups[giver], to_group=groups[receiver], weight=to_units(sum_)
            )
            for giver, receiver, sum_ in row.iterate_flows()
        ],
    )
