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
from services.ledger import concentration as obvious
from services.ledger import reference_answers
from services.ledger.enums import Allocation, Identity, Lens
from services.ledger.errors import ImpossibleQuestionError
from services.ledger.question import Answer, Network, Question
from services.ledger.state import Ledger
from services.network import balances, concentration, network, pairs
from services.network.identity_view import IdentityView
from tests.ledger.folded_ledger import fold_events, to_json_counts, to_json_graph, to_json_rows
from tests.network.column_history import IDENTITIES, advance_by_slabs
from tests.oracle import answers as oracle
from tests.oracle import fold
from tests.oracle.concentration import compute_concentration as oracle_concentration
from tests.strategies import PROGRAMME, histories, questions, slab_cuts

SETTINGS = settings(max_examples=60, deadline=None)
IMPOSSIBLE = "QUESTION_IMPOSSIBLE"
LENSES = pytest.mark.parametrize("lens", list(Lens), ids=lambda lens: lens.name.lower())
Subject = TypeVar("Subject")
rich_histories = histories(exchanges=6, max_facts=14)


@SETTINGS
@given(rich_histories, st.lists(questions(), min_size=1, max_size=8))
def test_reference_answers_equal_oracle(events: list[Event], asked: list[pb.Question]) -> None:
    ledger, expected = fold_events(events).ledger, fold.fold(events)
    for question in asked:
        ours = to_question(question, today=0)
        told = _told(reference_answers.compute_balances, ledger, ours)
        assert told == _expected(oracle.compute_balances, expected, question)
        told = _told(reference_answers.compute_pairs, ledger, ours)
        assert told == _expected(oracle.compute_pairs, expected, question)
        told = _told(reference_answers.compute_network, ledger, ours)
        assert told == _expected(oracle.compute_network, expected, question)
        told = _told(obvious.compute_concentration, ledger, ours)
        assert told == _expected(oracle_concentration, expected, question)


@SETTINGS
@given(st.data(), rich_histories, st.lists(questions(), min_size=1, max_size=8))
def test_column_answers_equal_reference(
    data: st.DataObject, events: list[Event], asked: list[pb.Question]
) -> None:
    ledger = fold_events(events).ledger
    *_, (whole, frames) = advance_by_slabs(events, data.draw(slab_cuts(len(events))))
    for question in (to_question(each, today=0) for each in asked):
        for frame in (IdentityView(whole, question.identity), frames[question.identity]):
            assert _answer(balances.compute_balances, frame, question) == _answer(
                reference_answers.compute_balances, ledger, question
            )
            assert _answer(pairs.compute_pairs, frame, question) == _answer(
                reference_answers.compute_pairs, ledger, question
            )
            assert _answer(network.compute_network, frame, question) == _answer(
                reference_answers.compute_network, ledger, question
            )
            assert _answer(concentration.compute_concentration, frame, question) == _answer(
                obvious.compute_concentration, ledger, question
            )


@SETTINGS
@given(st.data(), rich_histories, questions())
def test_view_is_unchanged_when_others_advance_from_it(
    data: st.DataObject, events: list[Event], asked: pb.Question
) -> None:
    question = to_question(asked, today=0)
    ends = [*data.draw(slab_cuts(len(events))), len(events)]
    seen = [frames[question.identity] for _, frames in advance_by_slabs(events, ends[:-1])]
    for end, frame in zip(ends, seen, strict=True):
        ledger = fold_events(events[:end]).ledger
        found = _answer(network.compute_network, frame, question)
        assert found == _answer(reference_answers.compute_network, ledger, question)


@SETTINGS
@given(rich_histories)
def test_given_sum_equals_received_sum(events: list[Event]) -> None:
    *_, (columns, _) = advance_by_slabs(events, [])
    for identity in IDENTITIES:
        frame = IdentityView(columns, identity)
        for lens in Lens:
            question = Question(programme_id=PROGRAMME, lens=lens, identity=identity)
            each = balances.compute_balances(frame, question).rows
            given_sum = sum(row.given or 0 for row in each)
            assert given_sum == sum(row.received or 0 for row in each)
            ties = pairs.compute_pairs(frame, question).rows
            assert given_sum == sum(row.given + row.received for row in ties)
            edges = network.compute_network(frame, question).rows
            assert given_sum == sum(edge.weight for edge in edges)


@SETTINGS
@given(rich_histories, questions())
def test_day_ranges_equal_days_of_exchanges(events: list[Event], asked: pb.Question) -> None:
    question = to_question(asked, today=0)
    *_, (columns, _) = advance_by_slabs(events, [])
    frame, ledger = IdentityView(columns, question.identity), fold_events(events).ledger
    days: dict[str, list[int]] = {}
    for exchange in reference_answers.select_exchanges(ledger, question):
        for party in exchange.parties:
            days.setdefault(party, []).append(exchange.day)
    inside = frame.select_exchanges(question)
    assert frame.find_day_ranges(inside) == {
        name: (min(each), max(each)) for name, each in days.items()
    }
    assert {*frame.index.ids[frame.find_parties(inside)]} == {*days}


@LENSES
def test_empty_ledger_has_answers(lens: Lens) -> None:
    *_, (columns, _) = advance_by_slabs([], [])
    frame, ledger = IdentityView(columns, Identity.AS_NOW), fold_events([]).ledger
    once = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.ONCE)
    full = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.FULL)
    assert _answer(balances.compute_balances, frame, once) == _answer(
        reference_answers.compute_balances, ledger, once
    )
    assert _answer(pairs.compute_pairs, frame, full) == _answer(
        reference_answers.compute_pairs, ledger, full
    )
    assert _answer(network.compute_network, frame, full) == _answer(
        reference_answers.compute_network, ledger, full
    )
    found = concentration.compute_concentration(frame, once).rows
    assert all(row.gini is row.top_three_share is None for row in found)
    assert all(row.reasons for row in found)


def _answer(
    ask: Callable[[Subject, Question], Answer[Any]], subject: Subject, question: Question
) -> Any:
    try:
        answer = ask(subject, question)
    except ImpossibleQuestionError as impossible:
        return impossible.message
    nodes = list(answer.nodes) if isinstance(answer, Network) else []
    return list(answer.rows), nodes, answer.coverage, answer.warnings


def _told(
    ask: Callable[[Ledger, Question], Answer[Any]], ledger: Ledger, question: Question
) -> Any:
    """An answer in the words of the contract."""
    try:
        answer = ask(ledger, question)
    except ImpossibleQuestionError as impossible:
        return impossible.reason
    found = to_json_graph(answer) if isinstance(answer, Network) else to_json_rows(answer)
    return found, to_json_counts(answer.coverage), list(answer.warnings)


def _expected(
    ask: Callable[[fold.OracleLedger, pb.Question], Any],
    ledger: fold.OracleLedger,
    question: pb.Question,
) -> Any:
    try:
        found = ask(ledger, question)
    except oracle.UnanswerableQuestionError:
        return IMPOSSIBLE
    if isinstance(found, tuple):
        found = dict(zip(("edges", "nodes"), found, strict=True))
    return found, oracle.compute_coverage(ledger, question), oracle.find_warnings(ledger, question)
