"""Columns, the plain core and the oracle answer every question alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.wire.question import to_question
from services.ledger import answers
from services.ledger import concentration as obvious
from services.ledger.errors import QuestionImpossible
from services.ledger.question import Answer, Network, Question
from services.ledger.state import Ledger
from services.ledger.words import Allocation, Identity, Lens
from services.network import balances, concentration, network, pairs
from services.network.frame import Frame
from tests.ledger.product import counts, folded, graph, rows
from tests.network.columns import IDENTITIES, advancing
from tests.oracle import answers as oracle
from tests.oracle import fold
from tests.oracle.concentration import concentration as oracle_concentration
from tests.strategies import PROGRAMME, cuts, histories, questions

SETTINGS = settings(max_examples=60, deadline=None)
IMPOSSIBLE = "QUESTION_IMPOSSIBLE"
LENSES = pytest.mark.parametrize("lens", list(Lens), ids=lambda lens: lens.name.lower())
Subject = TypeVar("Subject")
rich_histories = histories(exchanges=6, max_facts=14)


@SETTINGS
@given(rich_histories, st.lists(questions(), min_size=1, max_size=8))
def test_the_core_answers_as_the_oracle(events: list[Event], asked: list[pb.Question]) -> None:
    ledger, expected = folded(events).ledger, fold.fold(events)
    for question in asked:
        ours = to_question(question, today=0)
        told = _told(answers.balances, ledger, ours)
        assert told == _expected(oracle.balances, expected, question)
        told = _told(answers.pairs, ledger, ours)
        assert told == _expected(oracle.pairs, expected, question)
        told = _told(answers.network, ledger, ours)
        assert told == _expected(oracle.network, expected, question)
        told = _told(obvious.concentration, ledger, ours)
        assert told == _expected(oracle_concentration, expected, question)


@SETTINGS
@given(st.data(), rich_histories, st.lists(questions(), min_size=1, max_size=8))
def test_columns_answer_as_the_core(
    data: st.DataObject, events: list[Event], asked: list[pb.Question]
) -> None:
    ledger = folded(events).ledger
    *_, (whole, frames) = advancing(events, data.draw(cuts(len(events))))
    for question in (to_question(each, today=0) for each in asked):
        for frame in (Frame(whole, question.identity), frames[question.identity]):
            assert _answer(balances.balances, frame, question) == _answer(
                answers.balances, ledger, question
            )
            assert _answer(pairs.pairs, frame, question) == _answer(answers.pairs, ledger, question)
            assert _answer(network.network, frame, question) == _answer(
                answers.network, ledger, question
            )
            assert _answer(concentration.concentration, frame, question) == _answer(
                obvious.concentration, ledger, question
            )


@SETTINGS
@given(st.data(), rich_histories, questions())
def test_a_frame_stays_what_it_was_while_others_advance_from_it(
    data: st.DataObject, events: list[Event], asked: pb.Question
) -> None:
    question = to_question(asked, today=0)
    ends = [*data.draw(cuts(len(events))), len(events)]
    seen = [frames[question.identity] for _, frames in advancing(events, ends[:-1])]
    for end, frame in zip(ends, seen, strict=True):
        ledger = folded(events[:end]).ledger
        found = _answer(network.network, frame, question)
        assert found == _answer(answers.network, ledger, question)


@SETTINGS
@given(rich_histories)
def test_what_is_given_is_received(events: list[Event]) -> None:
    *_, (columns, _) = advancing(events, [])
    for identity in IDENTITIES:
        frame = Frame(columns, identity)
        for lens in Lens:
            question = Question(programme_id=PROGRAMME, lens=lens, identity=identity)
            each = balances.balances(frame, question).rows
            given_sum = sum(row.given or 0 for row in each)
            assert given_sum == sum(row.received or 0 for row in each)
            ties = pairs.pairs(frame, question).rows
            assert given_sum == sum(row.given + row.received for row in ties)
            edges = network.network(frame, question).rows
            assert given_sum == sum(edge.weight for edge in edges)


@SETTINGS
@given(rich_histories, questions())
def test_days_are_those_of_the_exchanges(events: list[Event], asked: pb.Question) -> None:
    question = to_question(asked, today=0)
    *_, (columns, _) = advancing(events, [])
    frame, ledger = Frame(columns, question.identity), folded(events).ledger
    days: dict[str, list[int]] = {}
    for exchange in answers.counted(ledger, question):
        for party in exchange.parties:
            days.setdefault(party, []).append(exchange.day)
    inside = frame.inside(question)
    assert frame.days(inside) == {name: (min(each), max(each)) for name, each in days.items()}
    assert {*frame.known.names[frame.seen(inside)]} == {*days}


@LENSES
def test_an_empty_ledger_has_answers(lens: Lens) -> None:
    *_, (columns, _) = advancing([], [])
    frame, ledger = Frame(columns, Identity.AS_NOW), folded([]).ledger
    once = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.ONCE)
    full = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.FULL)
    assert _answer(balances.balances, frame, once) == _answer(answers.balances, ledger, once)
    assert _answer(pairs.pairs, frame, full) == _answer(answers.pairs, ledger, full)
    assert _answer(network.network, frame, full) == _answer(answers.network, ledger, full)
    found = concentration.concentration(frame, once).rows
    assert all(row.gini is row.top_three_share is None for row in found)
    assert all(row.reasons for row in found)


def _answer(
    ask: Callable[[Subject, Question], Answer[Any]], subject: Subject, question: Question
) -> Any:
    try:
        answer = ask(subject, question)
    except QuestionImpossible as impossible:
        return impossible.message
    nodes = list(answer.nodes) if isinstance(answer, Network) else []
    return list(answer.rows), nodes, answer.coverage, answer.warnings


def _told(
    ask: Callable[[Ledger, Question], Answer[Any]], ledger: Ledger, question: Question
) -> Any:
    """An answer in the words of the contract."""
    try:
        answer = ask(ledger, question)
    except QuestionImpossible as impossible:
        return impossible.reason
    found = graph(answer) if isinstance(answer, Network) else rows(answer)
    return found, counts(answer.coverage), list(answer.warnings)


def _expected(
    ask: Callable[[fold.Ledger, pb.Question], Any], ledger: fold.Ledger, question: pb.Question
) -> Any:
    try:
        found = ask(ledger, question)
    except oracle.QuestionImpossibleError:
        return IMPOSSIBLE
    if isinstance(found, tuple):
        found = dict(zip(("edges", "nodes"), found, strict=True))
    return found, oracle.coverage(ledger, question), oracle.warnings(ledger, question)
