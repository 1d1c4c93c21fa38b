"""Columns, reference answers and oracle agree on every question."""

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
from services.ledger.question import Answer, Network, Pair, Question
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
EVIDENCE = ("p_value", "q_value", "interval_low", "interval_high")
IMPOSSIBLE = "QUESTION_IMPOSSIBLE"
LENSES = pytest.mark.parametrize("lens", list(Lens), ids=lambda lens: lens.name.lower())
Subject = TypeVar("Subject")
rich_histories = histories(exchanges=6, max_facts=14)


@SETTINGS
@given(rich_histories, st.lists(questions(), min_size=1, max_size=8))
def test_reference_answers_equal_oracle(events: list[Event], messages: list[pb.Question]) -> None:
    ledger, expected = fold_events(events).ledger, fold.fold(events)
    for question in messages:
        core_question = to_question(question, today=0)
        answer = _answer_or_reason(reference_answers.compute_balances, ledger, core_question)
        assert answer == _expected(oracle.compute_balances, expected, question)
        answer = _answer_or_reason(reference_answers.compute_pairs, ledger, core_question)
        assert answer == _expected(_compute_pairs_without_evidence, expected, question)
        answer = _answer_or_reason(reference_answers.compute_network, ledger, core_question)
        assert answer == _expected(oracle.compute_network, expected, question)
        answer = _answer_or_reason(obvious.compute_concentration, ledger, core_question)
        assert answer == _expected(oracle_concentration, expected, question)


@SETTINGS
@given(st.data(), rich_histories, st.lists(questions(), min_size=1, max_size=8))
def test_column_answers_equal_reference(
    data: st.DataObject, events: list[Event], messages: list[pb.Question]
) -> None:
    ledger = fold_events(events).ledger
    *_, (whole, views) = advance_by_slabs(events, data.draw(slab_cuts(len(events))))
    for question in (to_question(each, today=0) for each in messages):
        for view in (IdentityView(whole, question.identity), views[question.identity]):
            assert _answer(balances.compute_balances, view, question) == _answer(
                reference_answers.compute_balances, ledger, question
            )
            assert _answer(_compute_plain_pairs, view, question) == _answer(
                reference_answers.compute_pairs, ledger, question
            )
            assert _answer(network.compute_network, view, question) == _answer(
                reference_answers.compute_network, ledger, question
            )
            assert _answer(concentration.compute_concentration, view, question) == _answer(
                obvious.compute_concentration, ledger, question
            )


@SETTINGS
@given(st.data(), rich_histories, questions())
def test_view_is_unchanged_when_others_advance_from_it(
    data: st.DataObject, events: list[Event], message: pb.Question
) -> None:
    question = to_question(message, today=0)
    ends = [*data.draw(slab_cuts(len(events))), len(events)]
    earlier_views = [views[question.identity] for _, views in advance_by_slabs(events, ends[:-1])]
    for end, view in zip(ends, earlier_views, strict=True):
        ledger = fold_events(events[:end]).ledger
        rows = _answer(network.compute_network, view, question)
        assert rows == _answer(reference_answers.compute_network, ledger, question)


@SETTINGS
@given(rich_histories)
def test_given_sum_equals_received_sum(events: list[Event]) -> None:
    *_, (columns, _) = advance_by_slabs(events, [])
    for identity in IDENTITIES:
        view = IdentityView(columns, identity)
        for lens in Lens:
            question = Question(programme_id=PROGRAMME, lens=lens, identity=identity)
            each = balances.compute_balances(view, question).rows
            given_sum = sum(row.given or 0 for row in each)
            assert given_sum == sum(row.received or 0 for row in each)
            ties = pairs.compute_pairs(view, question).rows
            assert given_sum == sum(row.given + row.received for row in ties)
            edges = network.compute_network(view, question).rows
            assert given_sum == sum(edge.weight for edge in edges)


@SETTINGS
@given(rich_histories, questions())
def test_day_ranges_equal_days_of_exchanges(events: list[Event], message: pb.Question) -> None:
    question = to_question(message, today=0)
    *_, (columns, _) = advance_by_slabs(events, [])
    view, ledger = IdentityView(columns, question.identity), fold_events(events).ledger
    days: dict[str, list[int]] = {}
    for exchange in reference_answers.select_exchanges(ledger, question):
        for party in exchange.parties:
            days.setdefault(party, []).append(exchange.day)
    inside = view.select_exchanges(question)
    assert view.find_day_ranges(inside) == {
        name: (min(each), max(each)) for name, each in days.items()
    }
    assert {*view.index.ids[view.find_parties(inside)]} == {*days}


@LENSES
def test_empty_ledger_has_answers(lens: Lens) -> None:
    *_, (columns, _) = advance_by_slabs([], [])
    view, ledger = IdentityView(columns, Identity.AS_NOW), fold_events([]).ledger
    once = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.ONCE)
    full = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.FULL)
    assert _answer(balances.compute_balances, view, once) == _answer(
        reference_answers.compute_balances, ledger, once
    )
    assert _answer(pairs.compute_pairs, view, full) == _answer(
        reference_answers.compute_pairs, ledger, full
    )
    assert _answer(network.compute_network, view, full) == _answer(
        reference_answers.compute_network, ledger, full
    )
    rows = concentration.compute_concentration(view, once).rows
    assert all(row.gini is row.top_three_share is None for row in rows)
    assert all(row.reasons for row in rows)


def _compute_plain_pairs(view: IdentityView, question: Question) -> Answer[Pair]:
    """Pairs without evidence, which the reference answers do not have."""
    answer = pairs.compute_pairs(view, question)
    rows = [
        row._replace(p_value=None, q_value=None, interval_low=None, interval_high=None)
        for row in answer.rows
    ]
    return Answer(rows, answer.coverage, answer.warnings)


def _compute_pairs_without_evidence(
    ledger: fold.OracleLedger, question: pb.Question
) -> list[oracle.Row]:
    return [
        {name: value for name, value in row.items() if name not in EVIDENCE}
        for row in oracle.compute_pairs(ledger, question)
    ]


def _answer(
    ask: Callable[[Subject, Question], Answer[Any]], subject: Subject, question: Question
) -> Any:
    try:
        answer = ask(subject, question)
    except ImpossibleQuestionError as impossible:
        return impossible.message
    nodes = list(answer.nodes) if isinstance(answer, Network) else []
    return list(answer.rows), nodes, answer.coverage, answer.warnings


def _answer_or_reason(
    ask: Callable[[Ledger, Question], Answer[Any]], ledger: Ledger, question: Question
) -> Any:
    """An answer as JSON of the contract."""
    try:
        answer = ask(ledger, question)
    except ImpossibleQuestionError as impossible:
        return impossible.reason
    rows = to_json_graph(answer) if isinstance(answer, Network) else to_json_rows(answer)
    return rows, to_json_counts(answer.coverage), list(answer.warnings)


def _expected(
    ask: Callable[[fold.OracleLedger, pb.Question], Any],
    ledger: fold.OracleLedger,
    question: pb.Question,
) -> Any:
    try:
        rows = ask(ledger, question)
    except oracle.UnanswerableQuestionError:
        return IMPOSSIBLE
    if isinstance(rows, tuple):
        rows = dict(zip(("edges", "nodes"), rows, strict=True))
    return rows, oracle.compute_coverage(ledger, question), oracle.find_warnings(ledger, question)
