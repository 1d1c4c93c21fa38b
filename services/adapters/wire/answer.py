"""Answers on the wire."""

from collections.abc import Sequence
from typing import Any, Final

from mutua.v1 import event_pb2, types_pb2
from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.values import from_date, from_day, from_instant
from services.ledger.enums import RevisionState
from services.ledger.organization import Organization
from services.ledger.question import Balance, Coverage, Edge, Node, Pair, to_units
from services.ledger.records import StoredRevision
from services.ledger.times import Day

MAX_EXCHANGE_BYTES: Final = 2 << 20
"""Maximum size of an exchange with its revisions: a page of 3 MiB always has room for one."""
_RECORD_TIME_BYTES: Final = 32
"""Upper bound on the record time of a revision, with the tags and lengths of its fields."""


def from_balance(balance: Balance) -> pb.Balance:
    return pb.Balance(
        organization_id=balance.organization_id,
        given=_units(balance.given),
        received=_units(balance.received),
        net=_units(balance.net),
        net_share=balance.net_share,
        exchange_count=balance.exchange_count,
        given_unknown_count=balance.given_unknown_count,
        received_unknown_count=balance.received_unknown_count,
        joint_count=balance.joint_count,
        reasons=balance.reasons,
        isolate=balance.isolate,
    )


def from_pair(pair: Pair) -> pb.Pair:
    return pb.Pair(**pair_fields(pair))


def pair_fields(pair: Pair) -> Any:
    """Returns the fields of a pb.Pair; a repeated field accepts them, faster than a message."""
    return {
        "giver_id": pair.giver_id,
        "receiver_id": pair.receiver_id,
        "given": to_units(pair.given),
        "received": to_units(pair.received),
        "net": to_units(pair.given - pair.received),
        "given_count": pair.given_count,
        "received_count": pair.received_count,
        "given_days": pair.given_days,
        "received_days": pair.received_days,
        "p_value": pair.p_value,
        "q_value": pair.q_value,
        "interval_low": pair.interval_low,
        "interval_high": pair.interval_high,
        "informants": pair.informants,
        "direction_differs": pair.direction_differs,
        "undated_count": pair.undated_count,
        "given_unknown_count": pair.given_unknown_count,
        "received_unknown_count": pair.received_unknown_count,
        "reasons": pair.reasons,
    }


def from_edge(edge: Edge) -> pb.Edge:
    return pb.Edge(**edge_fields(edge))


def edge_fields(edge: Edge) -> Any:
    """Returns the fields of a pb.Edge; see `pair_fields`."""
    return {
        "giver_id": edge.giver_id,
        "receiver_id": edge.receiver_id,
        "weight": to_units(edge.weight),
        "exchange_count": edge.exchange_count,
        "unknown_count": edge.unknown_count,
    }


def from_node(node: Node) -> pb.Node:
    return pb.Node(
        organization_id=node.organization_id,
        given=_units(node.given),
        received=_units(node.received),
        exchange_count=node.exchange_count,
        isolate=node.isolate,
        reasons=node.reasons,
    )


def from_coverage(coverage: Coverage) -> pb.Coverage:
    return pb.Coverage(
        roster_count=coverage.roster_count,
        recorded_count=coverage.recorded_count,
        exchange_count=coverage.exchange_count,
        unknown_minutes_count=coverage.unknown_minutes_count,
        joint_count=coverage.joint_count,
        straddling_count=coverage.straddling_count,
        internal_count=coverage.internal_count,
        possible_double_count=coverage.possible_double_count,
        straddling_counted_count=coverage.straddling_counted_count,
        straddling_month_count=coverage.straddling_month_count,
        straddling_quarter_count=coverage.straddling_quarter_count,
    )


def from_revisions(rows: Sequence[StoredRevision]) -> pb.Exchange:
    """Builds an exchange from the stored facts about it, oldest first.

    Omits the oldest revisions when all of them exceed MAX_EXCHANGE_BYTES. The current content, and
    the reason of a retraction, always fit, because a fact has 1 MiB at most.
    """
    earlier_count = len(rows) - 1
    room = MAX_EXCHANGE_BYTES - _revision_bytes(rows[-1])
    while earlier_count and (room := room - _revision_bytes(rows[earlier_count - 1])) >= 0:
        earlier_count -= 1
    return pb.Exchange(
        exchange_id=rows[-1].exchange_id,
        state=pb.ExchangeState.ValueType(rows[-1].state),
        revisions=[_revision(row) for row in rows[earlier_count:]],
        earlier_revision_count=earlier_count,
    )


def from_organization(
    organization: Organization,
    *,
    registered: bool,
    aliases: Sequence[str],
    first_day: Day | None,
    last_day: Day | None,
) -> pb.Organization:
    opened, closed = organization.open_date, organization.close_date
    return pb.Organization(
        organization_id=organization.organization_id,
        name=organization.name,
        aliases=aliases,
        type=types_pb2.OrganizationType.ValueType(organization.type),
        sector=organization.sector,
        region=organization.region,
        core_system=organization.core_system,
        strategic_group=organization.strategic_group,
        size=organization.size,
        role=organization.role,
        external_ids=[
            event_pb2.ExternalId(scheme=scheme, value=value)
            for scheme, value in organization.external_ids
        ],
        open_date=None if opened is None else from_date(opened),
        close_date=None if closed is None else from_date(closed),
        registered=registered,
        first_exchange_date=None if first_day is None else from_day(first_day),
        last_exchange_date=None if last_day is None else from_day(last_day),
    )


def _revision_bytes(row: StoredRevision) -> int:
    """Returns an upper bound on the encoded size of a revision."""
    return len(row.value) + _RECORD_TIME_BYTES


def _revision(row: StoredRevision) -> pb.Revision:
    event = event_pb2.Event.FromString(row.value)
    revision = pb.Revision(
        event_id=row.event_id,
        record_time=from_instant(row.record_time),
        recorded_by=row.recorded_by,
        source=event.source if event.HasField("source") else None,
        report_time=event.report_time if event.HasField("report_time") else None,
    )
    if row.state is RevisionState.RETRACTED:
        revision.reason.CopyFrom(event.exchange_retracted.reason)
        return revision
    fact = (
        event.exchange_recorded if row.state is RevisionState.RECORDED else event.exchange_corrected
    )
    revision.content.CopyFrom(fact.exchange)
    revision.occur_time.CopyFrom(event.occur_time)
    revision.occur_precision = event.occur_precision
    revision.visibility = event.visibility
    return revision


def _units(millionths: int | None) -> float | None:
    return None if millionths is None else to_units(millionths)
