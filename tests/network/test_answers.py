"""Columns, the plain core and the oracle answer every question alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from services.adapters.sqlite_store import SqliteStore
from services.adapters.wire.question import to_question
from services.ledger import answers
from services.ledger.allocation import MILLION
from services.ledger.errors import QuestionImpossible
from services.ledger.question import Answer, Balance, Pair, Question
from services.ledger.state import Ledger
from services.ledger.words import Allocation, Identity, Lens
from services.network import balances, pairs
from services.network.columns import Columns, advance, load
from services.network.frame import Frame, exact_sums
from services.projector.slab import project_slab
from tests.ledger.product import as_records, counts, folded, rows
from tests.oracle import answers as oracle
from tests.oracle import fold
from tests.projector.embedded import LOG_ID, slabs
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


@SETTINGS
@given(st.data(), rich_histories, st.lists(questions(), min_size=1, max_size=8))
def test_columns_answer_as_the_core(
    data: st.DataObject, events: list[Event], asked: list[pb.Question]
) -> None:
    ledger = folded(events).ledger
    at_once, slab_by_slab = _columns(events, data.draw(cuts(len(events))))
    for question in (to_question(each, today=0) for each in asked):
        for columns in (at_once, slab_by_slab):
            frame = Frame(columns, question.identity)
            found = _answer(balances.balances, frame, question)
            assert found == _answer(answers.balances, ledger, question)
            found = _answer(pairs.pairs, frame, question)
            assert found == _answer(answers.pairs, ledger, question)


@SETTINGS
@given(rich_histories)
def test_what_is_given_is_received(events: list[Event]) -> None:
    columns, _ = _columns(events, [])
    for identity in (Identity.RECORDED, Identity.AS_NOW):
        frame = Frame(columns, identity)
        for lens in Lens:
            question = Question(programme_id=PROGRAMME, lens=lens, identity=identity)
            each = balances.balances(frame, question).rows
            given_sum = sum(row.given or 0 for row in each)
            assert given_sum == sum(row.received or 0 for row in each)
            ties = pairs.pairs(frame, question).rows
            assert given_sum == sum(row.given + row.received for row in ties)


@LENSES
def test_an_empty_ledger_has_answers(lens: Lens) -> None:
    columns, _ = _columns([], [])
    frame, ledger = Frame(columns, Identity.AS_NOW), folded([]).ledger
    once = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.ONCE)
    full = Question(programme_id=PROGRAMME, lens=lens, allocation=Allocation.FULL)
    assert balances.balances(frame, once) == answers.balances(ledger, once)
    assert pairs.pairs(frame, full) == answers.pairs(ledger, full)


def test_sums_are_exact_beyond_what_a_double_holds() -> None:
    most = 5_256_000 * MILLION
    amounts = np.full(3_000, most, dtype=np.int64)
    amounts[0] += 1
    assert exact_sums(np.zeros(3_000, dtype=np.int64), amounts, 1).tolist() == [3_000 * most + 1]


def _columns(events: list[Event], where: Sequence[int]) -> tuple[Columns, Columns]:
    """The columns of everything loaded at once, and advanced after each slab."""
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder, "read"))) as store:
        advancing = _level(store, None)
        for slab in slabs(as_records(events), where) if events else ():
            project_slab(store, LOG_ID, slab)
            advancing = _level(store, advancing)
        return _level(store, None), advancing


def _level(store: SqliteStore, columns: Columns | None) -> Columns:
    with store.snapshot() as snapshot:
        position = snapshot.position()
        if columns is None:
            return load(snapshot.flows(PROGRAMME, 0), position)
        return advance(columns, snapshot.flows(PROGRAMME, columns.next_offset), position)


def _answer(
    ask: Callable[[Subject, Question], Answer[Any]], subject: Subject, question: Question
) -> Any:
    try:
        answer = ask(subject, question)
    except QuestionImpossible as impossible:
        return impossible.message
    return list(answer.rows), answer.coverage, answer.warnings


def _told(
    ask: Callable[[Ledger, Question], Answer[Balance]] | Callable[[Ledger, Question], Answer[Pair]],
    ledger: Ledger,
    question: Question,
) -> Any:
    """An answer in the words of the contract."""
    try:
        answer = ask(ledger, question)
    except QuestionImpossible as impossible:
        return impossible.reason
    return rows(answer), counts(answer.coverage), list(answer.warnings)


def _expected(
    ask: Callable[[fold.Ledger, pb.Question], list[oracle.Row]],
    ledger: fold.Ledger,
    question: pb.Question,
) -> Any:
    try:
        found = ask(ledger, question)
    except oracle.QuestionImpossibleError:
        return IMPOSSIBLE
    return found, oracle.coverage(ledger, question), oracle.warnings(ledger, question)
