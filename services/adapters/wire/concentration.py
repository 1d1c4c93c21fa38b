"""Concentrations on the wire."""

from mutua.v1 import query_service_pb2 as pb
from services.ledger.concentration import METRIC_VERSION, Concentration
from services.ledger.question import to_units


def from_concentration(found: Concentration) -> pb.Concentration:
    return pb.Concentration(
        direction=pb.Direction.ValueType(found.direction),
        organization_count=found.organization_count,
        total=None if found.total is None else to_units(found.total),
        gini=found.gini,
        top_three_share=found.top_three_share,
        lorenz=found.lorenz,
        reasons=found.reasons,
        metric_version=METRIC_VERSION,
        spill_over=None if found.spill_over is None else to_units(found.spill_over),
    )
