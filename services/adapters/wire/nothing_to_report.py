"""NothingToReport on the wire."""

from mutua.v1 import event_pb2 as pb
from services.adapters.wire.values import tidy
from services.ledger.nothing_to_report import NothingToReport


def tidy_nothing_to_report(fact: pb.NothingToReport) -> None:
    fact.organization_id = tidy(fact.organization_id)


def sort_nothing_to_report(fact: pb.NothingToReport) -> None:
    """Has no sets."""


def to_nothing_to_report(fact: pb.NothingToReport) -> NothingToReport:
    return NothingToReport(organization_id=fact.organization_id)
