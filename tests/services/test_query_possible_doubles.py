"""Possible double reports are exchanges act by act, through every filter and page by page."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.wire.question import to_question
from services.ledger import reference_answers
from services.ledger.doubles import find_possible_doubles
from services.ledger.errors import ImpossibleQuestionError
from services.query.exchanges import list_exchanges
from tests.ledger.folded_ledger import fold_events
from tests.reports import NAMES, report, report_histories
from tests.services.query_runner import query_runner
from tests.strategies import PROGRAMME, event_id


@settings(max_examples=30, deadline=None)
@given(
    report_histories(),
    st.sampled_from(("", *NAMES)),
    st.sampled_from(("", *NAMES)),
    st.integers(1, 3),
)
def test_list_groups_possible_doubles_by_act(
    events: list[Event], organization: str, giver: str, page_size: int
) -> None:
    ledger = fold_events(events).ledger
    histories = {each.current.event_id: each for each in ledger.histories.values()}
    question = to_question(pb.Question(programme_id=PROGRAMME), today=0)
    organization_id, giver_id = ledger.resolve(organization), ledger.resolve(giver)
    groups = [
        sorted((histories[each.event_id].number, each) for each in group)
        for group in find_possible_doubles(reference_answers.select_exchanges(ledger, question))
    ]
    expected = [
        histories[each.event_id].exchange_id
        for group in sorted(groups, key=lambda group: group[0][0])
        for _, each in group
        if (not organization or organization_id in each.parties)
        and (not giver or (giver_id in each.exchange.giver_ids and not each.is_internal))
    ]
    request = pb.ListExchangesRequest(
        question=pb.Question(
            programme_id=PROGRAMME, organization_ids=[organization] if organization else []
        ),
        giver_id=giver,
        possible_doubles=True,
        page_size=page_size,
    )
    with query_runner(events) as runner:
        exchanges = runner.list_rows(list_exchanges, request)
    assert [each.exchange_id for each in exchanges] == expected


def test_acts_stay_together_and_answer_warns() -> None:
    reports = [
        report(1, "a", "b", by="a"),
        report(2, "c", "b", by="c"),
        report(3, "x", "y", by="x"),
        report(4, "c", "b", by="b"),
        report(5, "a", "b", by="b"),
    ]
    reports[4].source.batch = "receivers"
    request = pb.ListExchangesRequest(
        question=pb.Question(programme_id=PROGRAMME), possible_doubles=True, page_size=1
    )
    with query_runner(reports) as runner:
        exchanges = runner.list_rows(list_exchanges, request)
        assert [each.exchange_id for each in exchanges] == [event_id(each) for each in (1, 5, 2, 4)]
        request.page_token = ""
        answer = runner.run(list_exchanges, request)
        assert (list(answer.warnings), answer.coverage.possible_double_count) == (
            ["POSSIBLE_DOUBLE_REPORTS"],
            2,
        )
        request.batch = "receivers"
        [only] = runner.list_rows(list_exchanges, request)
        assert only.exchange_id == event_id(5)
        request.page_token = ""
        request.order_by = "occur_time"
        with pytest.raises(ImpossibleQuestionError, match="act by act"):
            runner.run(list_exchanges, request)
