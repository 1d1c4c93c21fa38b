"""The count of organizations that recorded something."""

from __future__ import annotations

from itertools import product

import pytest

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL, ReportSide
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.network import balances
from services.network.identity_view import IdentityView
from tests.ledger.folded_ledger import fold_events
from tests.network.column_history import advance_by_slabs
from tests.oracle import answers as oracle
from tests.oracle import fold
from tests.strategies import PROGRAMME, event_id

NAMES = ("alder", "birch", "cedar", "centre")
DIRECTED, SYMMETRIC = "directed", "symmetric"
UNNAMED, GIVER, RECEIVER, THIRD = ReportSide.keys()


@pytest.mark.parametrize(
    ("form", "recorded_by", "side"),
    list(product((DIRECTED, SYMMETRIC), (*NAMES, ""), ReportSide.keys())),
)
def test_recorded_count_equals_oracle(form: str, recorded_by: str, side: str) -> None:
    events = _events(form, recorded_by, side)
    question = Question(programme_id=PROGRAMME)
    expected = oracle.compute_coverage(fold.fold(events), question)
    assert _recorded_count(events) == expected["recorded_count"]


@pytest.mark.parametrize(
    ("recorded_by", "side", "count"),
    [
        pytest.param("alder", UNNAMED, 2, id="the side its recorder is on"),
        pytest.param("centre", GIVER, 2, id="the side that is named"),
        pytest.param("alder", GIVER, 2, id="both"),
        pytest.param("birch", GIVER, 3, id="the side that is named, and the recorder"),
        pytest.param("birch", UNNAMED, 1, id="a side of one"),
        pytest.param("alder", THIRD, 1, id="the recorder alone"),
        pytest.param("centre", UNNAMED, 0, id="nobody"),
    ],
)
def test_recorded_count_includes_whole_reporting_side(
    recorded_by: str, side: str, count: int
) -> None:
    assert _recorded_count(_events(DIRECTED, recorded_by, side)) == count


def _events(form: str, recorded_by: str, side: str) -> list[Event]:
    """A roster, and an exchange from alder and cedar to birch, or of all three together."""
    event = Event(event_id=event_id(9), programme_id=PROGRAMME, recorded_by=recorded_by)
    event.occur_time.FromJsonString("2024-03-04T10:00:00Z")
    content = event.exchange_recorded.exchange
    content.kind = EXCHANGE_KIND_CALL
    content.reported_by = ReportSide.Value(side)
    if form == SYMMETRIC:
        content.party_ids.extend(["alder", "birch", "cedar"])
    else:
        content.giver_ids.extend(["alder", "cedar"])
        content.receiver_ids.append("birch")
    return [*(_registered(number, name) for number, name in enumerate(NAMES)), event]


def _recorded_count(events: list[Event]) -> int:
    """The count of the columns, which equals that of the core."""
    question = to_question(Question(programme_id=PROGRAMME), today=0)
    *_, (columns, _) = advance_by_slabs(events, [])
    coverage = balances.compute_balances(
        IdentityView(columns, question.identity), question
    ).coverage
    assert (
        coverage
        == reference_answers.compute_balances(fold_events(events).ledger, question).coverage
    )
    return coverage.recorded_count


def _registered(number: int, organization_id: str) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    event.organization_registered.organization.organization_id = organization_id
    return event
