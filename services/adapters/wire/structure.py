"""Structure and losses on the wire."""

from mutua.v1 import analysis_service_pb2 as pb
from services.adapters.wire.values import from_day
from services.ledger.question import to_units
from services.measures.structure import Components
from services.network.structure import METRIC_VERSION, LossRow, Movement, Reach, StructureRow


def from_structure(row: StructureRow, listed: StructureRow) -> pb.Structure:
    """A row with its counts, and the entries of `listed`, the same row or a selection of it."""
    movement = row.movement
    listed_movement = listed.movement or Movement(newcomers={}, stopped={})
    return pb.Structure(
        topic=row.topic,
        organization_count=row.organization_count,
        tie_count=row.tie_count,
        giver_count=sum(reach.fan_out > 0 for reach in row.reaches),
        receiver_count=sum(reach.source_count > 0 for reach in row.reaches),
        sole_source_receiver_count=sum(reach.source_count == 1 for reach in row.reaches),
        triads=[pb.TriadCount(name=name, count=count) for name, count in row.triads.items()],
        components=_from_components(row.components),
        reaches=[_from_reach(row.topic, reach) for reach in listed.reaches],
        isolate_count=len(row.isolates),
        isolate_ids=listed.isolates,
        confirmed_isolate_count=len(row.confirmed_isolates),
        confirmed_isolate_ids=listed.confirmed_isolates,
        newcomer_count=None if movement is None else len(movement.newcomers),
        newcomers=[
            pb.Newcomer(organization_id=name, first_exchange_date=from_day(day))
            for name, day in listed_movement.newcomers.items()
        ],
        stopped_count=None if movement is None else len(movement.stopped),
        stopped_organizations=[
            pb.StoppedOrganization(organization_id=name, last_exchange_date=from_day(day))
            for name, day in listed_movement.stopped.items()
        ],
        reasons=row.reasons,
        metric_version=METRIC_VERSION,
    )


def from_loss(row: LossRow) -> pb.OrganizationLoss:
    return pb.OrganizationLoss(
        topic=row.topic,
        organization_id=row.organization_id,
        given=to_units(row.loss.given),
        received=to_units(row.loss.received),
        total=to_units(row.total),
        share=row.share,
        fan_out=row.fan_out,
        source_count=row.source_count,
        receivers_without_source_ids=row.receivers_without_source,
        components=_from_components(row.loss.components),
        components_without=_from_components(row.loss.components_without),
        separated_ids=row.separated,
        reasons=row.reasons,
        metric_version=METRIC_VERSION,
    )


def _from_reach(topic: str, reach: Reach) -> pb.OrganizationReach:
    return pb.OrganizationReach(
        topic=topic,
        organization_id=reach.organization_id,
        fan_out=reach.fan_out,
        source_count=reach.source_count,
        sole_receiver_count=reach.sole_receiver_count,
        only_source_id=reach.only_source_id,
    )


def _from_components(components: Components) -> pb.ComponentCounts:
    return pb.ComponentCounts(
        weak_count=components.weak_count,
        largest_weak_size=components.largest_weak,
        strong_count=components.strong_count,
        largest_strong_size=components.largest_strong,
    )
