"""Concentrations on the wire."""

from mutua.v1 import query_service_pb2 as pb
from services.ledger.concentration import METRIC_VERSION, Concentration
from services.ledger.question import to_units


def from_concentration(concentration: Concentration) -> pb.Concentration:
    return pb.Concentration(
        direction=pb.Direction.ValueType(concentration.direction),
        organization_count=concentration.organization_count,
        total=None if concentration.total is None else to_units(concentration.total),
        gini=concentration.gini,
        top_three_share=concentration.top_three_share,
        lorenz=concentration.lorenz,
        reasons=concentration.reasons,
        metric_version=METRIC_VERSION,
        spill_over=None if concentration.spill_over is None else to_units(concentration.spill_over),
    )
