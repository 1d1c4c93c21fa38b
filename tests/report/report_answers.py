"""Answers of a report without a server, for what the page makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from mutua.measures import (
    ReachMeasures,
    ReciprocityMeasures,
    StructureMeasures,
    YardstickBand,
)
from mutua.v1.query_service_pb2 import (
    ALLOCATION_SPLIT,
    IDENTITY_AS_NOW,
    LENS_COUNT,
    Balance,
    Concentration,
    Coverage,
    Direction,
    Edge,
    Node,
    Organization,
    Question,
)
from services.report.answers import ReportAnswers

RECIPROCITY = ReciprocityMeasures(
    report_view="union",
    from_date=None,
    to_date=None,
    organization_count=0,
    exchange_count=0,
    total=0.0,
    tie_count=0,
    mutual_count=0,
    asymmetric_count=0,
    null_count=0,
    reciprocity=None,
    expected_reciprocity=None,
    expected_reciprocity_deviation=None,
    rho=None,
    weighted_reciprocity=None,
    two_way_share=None,
    evenness=None,
    ceiling=None,
    interval_low=None,
    interval_high=None,
    lowest_without=None,
    highest_without=None,
    expected_weighted_reciprocity=None,
    spread=None,
    shuffled_weighted_reciprocity=None,
    shuffle=None,
    rho_weighted=None,
    direct=None,
    circulating=None,
    relayed=None,
    one_way=None,
    gini_given=None,
    gini_received=None,
    verdict=None,
    reasons=("TOO_FEW_ORGANIZATIONS", "TOO_FEW_EXCHANGES"),
    spill_given=0.0,
    spill_received=0.0,
    metric_version=1,
)
"""Of a programme without exchanges."""
MEASURED = replace(
    RECIPROCITY,
    organization_count=8,
    exchange_count=60,
    total=60.0,
    tie_count=9,
    weighted_reciprocity=0.4,
    ceiling=0.7,
    interval_low=0.3,
    interval_high=0.5,
    spread=YardstickBand(0.2, 0.1, 0.3),
    shuffle=YardstickBand(0.25, 0.15, 0.35),
    direct=0.4,
    circulating=0.1,
    relayed=0.2,
    one_way=0.3,
    verdict="above-chance",
    reasons=(),
)


def make_structure(
    ids: Sequence[str], *, isolates: Sequence[str] = (), sources: dict[str, str] | None = None
) -> StructureMeasures:
    """Organizations that all have ties, `sources` some with a single one; no window."""
    sources = sources or {}
    return StructureMeasures(
        topic="",
        organization_count=len(ids) + len(isolates),
        tie_count=len(ids),
        giver_count=len(ids),
        receiver_count=len(ids),
        sole_source_receiver_count=len(sources),
        triads=(),
        components=None,
        reaches=tuple(ReachMeasures("", each, 1, 1, 0, sources.get(each)) for each in ids),
        isolate_count=len(isolates),
        isolate_ids=tuple(isolates),
        newcomer_count=None,
        newcomers=(),
        stopped_count=None,
        stopped_organizations=(),
        reasons=("NO_WINDOW_START",),
        metric_version=1,
        confirmed_isolate_count=0,
        confirmed_isolate_ids=(),
    )


def make_answers(
    names: dict[str, str],
    edges: Sequence[tuple[str, str, float]] = (),
    *,
    isolates: Sequence[str] = (),
    reciprocity: ReciprocityMeasures = RECIPROCITY,
) -> ReportAnswers:
    """The answers about organizations with these names and what they gave each other."""
    given = {each: sum(w for giver, _, w in edges if giver == each) for each in names}
    received = {each: sum(w for _, receiver, w in edges if receiver == each) for each in names}
    balances = [
        Balance(
            organization_id=each,
            given=given[each],
            received=received[each],
            exchange_count=int(given[each] + received[each]),
            isolate=each in isolates,
        )
        for each in names
    ]
    return ReportAnswers(
        question=Question(
            programme_id="gde",
            lens=LENS_COUNT,
            allocation=ALLOCATION_SPLIT,
            identity=IDENTITY_AS_NOW,
        ),
        position="a.0.9",
        as_of_date=date(2026, 11, 30),
        coverage=Coverage(roster_count=len(names), recorded_count=len(names)),
        warnings=(),
        period="month",
        seed=0,
        organizations=tuple(Organization(organization_id=i, name=n) for i, n in names.items()),
        balances=tuple(balances),
        nodes=tuple(Node(organization_id=each, isolate=each in isolates) for each in names),
        edges=tuple(
            Edge(giver_id=giver, receiver_id=receiver, weight=weight, exchange_count=int(weight))
            for giver, receiver, weight in edges
        ),
        pairs=(),
        asymmetries=(),
        concentrations=(
            Concentration(direction=Direction.DIRECTION_GIVING, organization_count=len(names)),
            Concentration(direction=Direction.DIRECTION_RECEIVING, organization_count=len(names)),
        ),
        reciprocity=reciprocity,
        series=(),
        unplaced_count=0,
        structure=make_structure([*given], isolates=isolates),
    )
