"""Who counts as having recorded something, whoever recorded it and whichever side was named."""

from __future__ import annotations

from itertools import product

import pytest

from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import Question
from mutua.v1.types_pb2 import EXCHANGE_KIND_CALL, ReportSide
from services.adapters.wire.question import to_question
from services.ledger import answers
from tests.ledger.product import folded
from tests.oracle import answers as oracle
from tests.oracle import fold
from tests.strategies import PROGRAMME, event_id

DIRECTED, SYMMETRIC = "directed", "symmetric"


@pytest.mark.parametrize(
    ("form", "recorded_by", "side"),
    list(product((DIRECTED, SYMMETRIC), ("alder", "birch", "centre", ""), ReportSide.keys())),
)
def test_recorded_count_is_the_oracles(form: str, recorded_by: str, side: str) -> None:
    events = [_registered(number, name) for number, name in enumerate(("alder", "birch", "centre"))]
    event = Event(event_id=event_id(9), programme_id=PROGRAMME, recorded_by=recorded_by)
    event.occur_time.FromJsonString("2024-03-04T10:00:00Z")
    content = event.exchange_recorded.exchange
    content.kind = EXCHANGE_KIND_CALL
    content.reported_by = ReportSide.Value(side)
    if form == SYMMETRIC:
        content.party_ids.extend(["alder", "birch"])
    else:
        content.giver_ids.append("alder")
        content.receiver_ids.append("birch")
    events.append(event)
    question = Question(programme_id=PROGRAMME)
    found = answers.balances(folded(events).ledger, to_question(question, today=0))
    expected = oracle.coverage(fold.fold(events), question)
    assert found.coverage.recorded_count == expected["recorded_count"]


def _registered(number: int, organization_id: str) -> Event:
    event = Event(event_id=event_id(number), programme_id=PROGRAMME)
    event.organization_registered.organization.organization_id = organization_id
    return event
