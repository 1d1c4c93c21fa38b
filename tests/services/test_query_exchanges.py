"""The exchanges behind a number are as many as it says, and the ones it counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua import Client, MutuaError
from mutua.ids import uuid8
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.wire.question import to_question
from services.ledger import answers
from services.ledger.identity import resolve
from services.ledger.question import Question
from services.ledger.state import History, Ledger
from services.ledger.times import day_of
from services.ledger.words import Identity
from services.query.exchanges import list_exchanges
from tests.ledger.product import folded
from tests.services import facts
from tests.services.asking import Asker, asking
from tests.services.facts import exchange
from tests.strategies import ORGANIZATIONS, histories, questions

SETTINGS = settings(max_examples=25, deadline=None)
rich_histories = histories(exchanges=6, max_facts=14)
SIDES = st.sampled_from(("", "", *ORGANIZATIONS))


@st.composite
def sums(draw: st.DrawFn) -> pb.Question:
    """Questions that have totals and edges."""
    question = draw(questions())
    question.allocation = pb.ALLOCATION_SPLIT
    return question


@SETTINGS
@given(rich_histories, st.lists(sums(), min_size=1, max_size=4), st.data())
def test_a_list_holds_the_exchanges_that_are_asked_for(
    events: list[Event], asked: list[pb.Question], data: st.DataObject
) -> None:
    ledger = folded(events).ledger
    with asking(events) as asker:
        for question in asked:
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
                if _is_asked_for(ledger, history, request)
            ]
            found = asker.rows(list_exchanges, request)
            assert [each.exchange_id for each in found] == expected


@SETTINGS
@given(rich_histories, st.lists(sums(), min_size=1, max_size=4))
def test_a_number_has_as_many_exchanges_behind_it(
    events: list[Event], asked: list[pb.Question]
) -> None:
    """What became internal to one organization is listed with it, and counts nowhere."""
    ledger = folded(events).ledger
    with asking(events) as asker:
        for question in asked:
            question.ClearField("organization_ids")
            ours = to_question(question, today=0)
            for pair in answers.pairs(ledger, ours).rows:
                there = _behind(asker, question, pair.giver_id, pair.receiver_id)
                back = _behind(asker, question, pair.receiver_id, pair.giver_id)
                assert (len(there), len(back)) == (pair.given_count, pair.received_count)
            for balance in answers.balances(ledger, ours).rows:
                chosen = pb.Question()
                chosen.CopyFrom(question)
                chosen.organization_ids.append(balance.organization_id)
                listed = _behind(asker, chosen)
                counted = [
                    each
                    for each in listed
                    if not _is_internal(ledger, ours, each, balance.organization_id)
                ]
                assert len(counted) == balance.exchange_count


ORDERS: dict[str, Callable[[pb.Exchange], Any]] = {
    "occur_time": lambda row: _occurred(row),
    "occur_time desc": lambda row: -_occurred(row),
    "record_time desc": lambda row: -row.revisions[-1].record_time.ToMicroseconds(),
    "occur_time desc, record_time": lambda row: (
        -_occurred(row),
        row.revisions[-1].record_time.ToMicroseconds(),
    ),
}


@SETTINGS
@given(rich_histories, st.sampled_from(sorted(ORDERS)), st.integers(1, 5))
def test_exchanges_by_time(events: list[Event], order_by: str, page_size: int) -> None:
    with asking(events) as asker:
        question = pb.Question(programme_id="gde")
        whole = asker.rows(list_exchanges, pb.ListExchangesRequest(question=question))
        request = pb.ListExchangesRequest(question=question, order_by=order_by, page_size=page_size)
        found = asker.rows(list_exchanges, request)
    # Equal ones stay in log order, since sorting is stable.
    assert found == sorted(whole, key=ORDERS[order_by])


def test_one_exchange_with_all_that_was_said_of_it(client: Client) -> None:
    event = exchange()
    correction = facts.correction(event, event.event_id)
    position = client.record([event, correction, exchange()])
    for typed in (event.event_id, f" {event.event_id.upper()}\n"):
        answer = client.get_exchange(typed, min_position=position)
        said = [each.event_id for each in answer.exchange.revisions]
        assert said == [event.event_id, correction.event_id]
        assert answer.exchange == next(iter(client.list_exchanges()))
        assert (answer.position, answer.coverage.exchange_count) == (position, 2)


@pytest.mark.parametrize("exchange_id", ["", "x", uuid8("nobody"), "x" * 10_000, "correction"])
def test_an_exchange_that_nobody_recorded_is_not_found(client: Client, exchange_id: str) -> None:
    """The id of a correction is none of an exchange."""
    event = exchange()
    correction = facts.correction(event, event.event_id)
    position = client.record([event, correction])
    wanted = correction.event_id if exchange_id == "correction" else exchange_id
    with pytest.raises(MutuaError) as refused:
        client.get_exchange(wanted, min_position=position)
    assert refused.value.code is grpc.StatusCode.NOT_FOUND
    assert "mutua exchanges lists those that were" in refused.value.message or len(wanted) > 999


def _behind(
    asker: Asker, question: pb.Question, giver_id: str = "", receiver_id: str = ""
) -> list[pb.Exchange]:
    request = pb.ListExchangesRequest(
        question=question, giver_id=giver_id, receiver_id=receiver_id, standing_only=True
    )
    return asker.rows(list_exchanges, request)


def _is_asked_for(ledger: Ledger, history: History, request: pb.ListExchangesRequest) -> bool:
    question, revision = to_question(request.question, today=0), history.current
    assert revision.said.occur_time is not None
    said = revision.exchange
    givers, receivers, joint = (
        {_mean(ledger, question, each) for each in side}
        for side in (said.giver_ids, said.receiver_ids, said.party_ids)
    )
    chosen = {_mean(ledger, question, each) for each in question.organization_ids}
    return (
        question.places(day_of(revision.said.occur_time))
        and (not question.kinds or said.kind in question.kinds)
        and (not question.formalities or said.formality in question.formalities)
        and (not question.topics or bool({*question.topics} & {*said.topics}))
        and (not chosen or bool(chosen & (givers | receivers | joint)))
        and (not request.giver_id or _mean(ledger, question, request.giver_id) in givers)
        and (not request.receiver_id or _mean(ledger, question, request.receiver_id) in receivers)
        and not (request.standing_only and history.retracted)
    )


def _is_internal(ledger: Ledger, question: Question, row: pb.Exchange, organization: str) -> bool:
    """Whether nobody else was on the other side, or took part."""
    said = ledger.histories[row.exchange_id].current.exchange
    givers, receivers, joint = (
        {_mean(ledger, question, each) for each in side}
        for side in (said.giver_ids, said.receiver_ids, said.party_ids)
    )
    others = {organization}
    if organization in givers:
        others |= receivers
    if organization in receivers:
        others |= givers
    return others | joint == {organization}


def _mean(ledger: Ledger, question: Question, organization_id: str) -> str:
    recorded = question.identity is Identity.RECORDED
    return organization_id if recorded else resolve(ledger.aliases, organization_id)


def _occurred(row: pb.Exchange) -> int:
    said = [each for each in row.revisions if each.HasField("content")][-1]
    return said.occur_time.ToMicroseconds()
