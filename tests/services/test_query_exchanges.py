"""ListExchanges returns exactly the evidence of every number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mutua import Client, MutuaError
from mutua.ids import uuid8
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.wire.question import to_question
from services.ledger import state
from services.ledger.enums import Identity
from services.ledger.identity import resolve
from services.ledger.question import Question
from services.ledger.times import day_of
from services.query.exchanges import list_exchanges
from services.query.flows import get_network, list_balances, list_pairs
from tests.ledger.folded_ledger import fold_events, message_to_json
from tests.oracle import answers as oracle
from tests.oracle.fold import OracleLedger, fold
from tests.services import facts
from tests.services.facts import exchange
from tests.services.query_runner import QueryRunner, query_runner
from tests.strategies import ORGANIZATIONS, histories, questions

SETTINGS = settings(max_examples=25, deadline=None)
rich_histories = histories(exchanges=6, max_facts=14)
SIDES = st.sampled_from(("", "", *ORGANIZATIONS))


@st.composite
def sums(draw: st.DrawFn) -> pb.Question:
    """Questions with totals and edges."""
    question = draw(questions())
    question.allocation = pb.ALLOCATION_SPLIT
    return question


@SETTINGS
@given(rich_histories, st.lists(sums(), min_size=1, max_size=4), st.data())
def test_list_has_exactly_the_matching_exchanges(
    events: list[Event], question_list: list[pb.Question], data: st.DataObject
) -> None:
    ledger = fold_events(events).ledger
    with query_runner(events) as runner:
        for question in question_list:
            request = pb.ListExchangesRequest(
                question=question,
                giver_id=data.draw(SIDES),
                receiver_id=data.draw(SIDES),
                standing_only=data.draw(st.booleans()),
                page_size=data.draw(st.integers(1, 4)),
            )
            expected = [
                history.exchange_id
                for history in sorted(ledger.histories.values(), key=lambda each: each.number)
                if _is_selected(ledger, history, request)
            ]
            listed = runner.list_rows(list_exchanges, request)
            assert [each.exchange_id for each in listed] == expected


@SETTINGS
@given(rich_histories, questions())
def test_evidence_adds_up_to_pair(events: list[Event], question: pb.Question) -> None:
    """The exchanges listed for a pair alone give the same row."""
    assume(question.allocation != pb.ALLOCATION_ONCE)
    ledger = fold(events)
    with query_runner(events) as runner:
        for pair in runner.list_rows(list_pairs, pb.ListPairsRequest(question=question)):
            there = _behind(runner, question, pair.giver_id, pair.receiver_id)
            back = _behind(runner, question, pair.receiver_id, pair.giver_id)
            assert (len(there), len(back)) == (pair.given_count, pair.received_count)
            assert message_to_json(pair) in oracle.compute_pairs(
                _only(ledger, [*there, *back]), question
            )


@SETTINGS
@given(rich_histories, questions())
def test_evidence_adds_up_to_tie(events: list[Event], question: pb.Question) -> None:
    assume(question.allocation != pb.ALLOCATION_ONCE)
    ledger = fold(events)
    with query_runner(events) as runner:
        for edge in runner.list_rows(get_network, pb.GetNetworkRequest(question=question)):
            listed = _behind(runner, question, edge.giver_id, edge.receiver_id)
            assert len(listed) == edge.exchange_count
            edges, _ = oracle.compute_network(_only(ledger, listed), question)
            assert message_to_json(edge) in edges


@SETTINGS
@given(rich_histories, questions())
def test_evidence_adds_up_to_balance(events: list[Event], question: pb.Question) -> None:
    assume(question.allocation != pb.ALLOCATION_FULL)
    ledger = fold(events)
    with query_runner(events) as runner:
        for balance in runner.list_rows(list_balances, pb.ListBalancesRequest(question=question)):
            organization_id = balance.organization_id
            given = _behind(runner, question, giver_id=organization_id)
            received = _behind(runner, question, receiver_id=organization_id)
            joint_count = balance.exchange_count - len(given) - len(received)
            assert joint_count == balance.joint_count
            row = message_to_json(balance)
            given_balance = _balance_of(ledger, given, question, organization_id)
            received_balance = _balance_of(ledger, received, question, organization_id)
            for side, side_balance in (("given", given_balance), ("received", received_balance)):
                assert side_balance.get(side, 0) == row.get(side, 0)
                assert side_balance[f"{side}_unknown_count"] == row[f"{side}_unknown_count"]


ORDERS: dict[str, Callable[[pb.Exchange], Any]] = {
    "occur_time": lambda row: _get_occur_time(row),
    "occur_time desc": lambda row: -_get_occur_time(row),
    "record_time desc": lambda row: -row.revisions[-1].record_time.ToMicroseconds(),
    "occur_time desc, record_time": lambda row: (
        -_get_occur_time(row),
        row.revisions[-1].record_time.ToMicroseconds(),
    ),
}


@SETTINGS
@given(rich_histories, st.sampled_from(sorted(ORDERS)), st.integers(1, 5))
def test_exchanges_are_sorted_by_time(events: list[Event], order_by: str, page_size: int) -> None:
    with query_runner(events) as runner:
        question = pb.Question(programme_id="gde")
        whole = runner.list_rows(list_exchanges, pb.ListExchangesRequest(question=question))
        request = pb.ListExchangesRequest(question=question, order_by=order_by, page_size=page_size)
        listed = runner.list_rows(list_exchanges, request)
    # Equal rows stay in log order, because sorting is stable.
    assert listed == sorted(whole, key=ORDERS[order_by])


def test_exchange_has_all_its_revisions(client: Client) -> None:
    event = exchange()
    correction = facts.correction(event, event.event_id)
    position = client.record([event, correction, exchange()])
    for typed in (event.event_id, f" {event.event_id.upper()}\n"):
        answer = client.get_exchange(typed, min_position=position)
        event_ids = [each.event_id for each in answer.exchange.revisions]
        assert event_ids == [event.event_id, correction.event_id]
        assert answer.exchange == next(iter(client.list_exchanges()))
        assert (answer.position, answer.coverage.exchange_count) == (position, 2)


@pytest.mark.parametrize("exchange_id", ["", "x", uuid8("nobody"), "x" * 10_000, "correction"])
def test_unrecorded_exchange_is_not_found(client: Client, exchange_id: str) -> None:
    """The id of a correction is not the id of an exchange."""
    event = exchange()
    correction = facts.correction(event, event.event_id)
    position = client.record([event, correction])
    requested_id = correction.event_id if exchange_id == "correction" else exchange_id
    with pytest.raises(MutuaError) as raised:
        client.get_exchange(requested_id, min_position=position)
    assert raised.value.code is grpc.StatusCode.NOT_FOUND
    assert "mutua exchanges lists what was" in raised.value.message or len(requested_id) > 999


def _behind(
    runner: QueryRunner, question: pb.Question, giver_id: str = "", receiver_id: str = ""
) -> list[pb.Exchange]:
    request = pb.ListExchangesRequest(
        question=question, giver_id=giver_id, receiver_id=receiver_id, standing_only=True
    )
    return runner.list_rows(list_exchanges, request)


def _only(ledger: OracleLedger, listed: list[pb.Exchange]) -> OracleLedger:
    """The ledger with only these exchanges."""
    ids = {each.exchange_id for each in listed}
    exchanges = {name: each for name, each in ledger.exchanges.items() if name in ids}
    return replace(ledger, exchanges=exchanges)


def _balance_of(
    ledger: OracleLedger, listed: list[pb.Exchange], question: pb.Question, organization_id: str
) -> oracle.Row:
    """The balance from the listed exchanges alone."""
    rows = oracle.compute_balances(_only(ledger, listed), question)
    nothing: oracle.Row = {"given_unknown_count": 0, "received_unknown_count": 0}
    return next((row for row in rows if row["organization_id"] == organization_id), nothing)


def _is_selected(
    ledger: state.Ledger, history: state.ExchangeHistory, request: pb.ListExchangesRequest
) -> bool:
    question, revision = to_question(request.question, today=0), history.current
    assert revision.content_event.occur_time is not None
    content = revision.exchange
    givers, receivers, joint = (
        {_resolve(ledger, question, each) for each in side}
        for side in (content.giver_ids, content.receiver_ids, content.party_ids)
    )
    selected_ids = {_resolve(ledger, question, each) for each in question.organization_ids}
    names_a_side, is_internal = request.giver_id or request.receiver_id, givers & receivers
    return (
        question.is_in_window(day_of(revision.content_event.occur_time))
        and (not question.kinds or content.kind in question.kinds)
        and (not question.formalities or content.formality in question.formalities)
        and (not question.topics or bool({*question.topics} & {*content.topics}))
        and (not selected_ids or bool(selected_ids & (givers | receivers | joint)))
        and (not request.giver_id or _resolve(ledger, question, request.giver_id) in givers)
        and (
            not request.receiver_id or _resolve(ledger, question, request.receiver_id) in receivers
        )
        and not (request.standing_only and history.is_retracted)
        and not (names_a_side and is_internal and not history.is_retracted)
    )


def _resolve(ledger: state.Ledger, question: Question, organization_id: str) -> str:
    recorded = question.identity is Identity.RECORDED
    return organization_id if recorded else resolve(ledger.aliases, organization_id)


def _get_occur_time(row: pb.Exchange) -> int:
    content = [each for each in row.revisions if each.HasField("content")][-1]
    return content.occur_time.ToMicroseconds()
