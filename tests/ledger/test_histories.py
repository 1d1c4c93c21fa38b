"""Recorded histories hold in the core and in the embedded size."""

from __future__ import annotations

import pytest

from services.adapters.sqlite_store import SqliteStore
from services.adapters.wire.question import to_question
from services.ledger import answers
from services.ledger.ports import ExchangeFilter
from services.network import balances, columns, pairs
from services.network.frame import Frame
from tests.ledger.product import (
    as_logged,
    as_records,
    counts,
    exchanges,
    folded,
    outcomes,
    rows,
    state_name,
)
from tests.oracle.histories import ExpectedAnswer, History, load_histories
from tests.projector.embedded import empty_store, project

HISTORIES = load_histories()
ANSWERS = [
    pytest.param(history, answer, id=f"{history}-{number}")
    for history in HISTORIES
    for number, answer in enumerate(history.answers)
]
ONE_SLAB, ONE_BY_ONE = "in one slab", "record by record"
slabs = pytest.mark.parametrize("slabs", [ONE_SLAB, ONE_BY_ONE])


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_every_record_has_its_outcome(history: History) -> None:
    found = folded(history.events)
    assert outcomes(found, as_logged(as_records(history.events))) == history.outcomes


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_every_exchange_has_its_state_and_revisions(history: History) -> None:
    assert exchanges(folded(history.events).ledger) == history.exchanges


@pytest.mark.parametrize(("history", "expected"), ANSWERS)
def test_the_core_answers_as_expected(history: History, expected: ExpectedAnswer) -> None:
    ledger = folded(history.events).ledger
    question = to_question(expected.question, today=0)
    if expected.balances is not None:
        assert rows(answers.balances(ledger, question)) == expected.balances
    if expected.pairs is not None:
        assert rows(answers.pairs(ledger, question)) == expected.pairs
    answer = answers.pairs if expected.balances is None else answers.balances
    if expected.coverage is not None:
        assert counts(answer(ledger, question).coverage) == expected.coverage
    if expected.warnings is not None:
        assert list(answer(ledger, question).warnings) == expected.warnings


@slabs
@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_the_store_counts_and_lists_as_expected(history: History, slabs: str) -> None:
    with empty_store() as store:
        _project(store, history, slabs)
        with store.snapshot() as snapshot:
            counted = snapshot.counts("gde")
            listed = snapshot.exchanges("gde", ExchangeFilter(), -1, 1_000)
    assert {
        revisions[-1].exchange_id: {
            "state": state_name(revisions[-1].state),
            "revisions": [revision.event_id for revision in revisions],
        }
        for revisions in listed
    } == history.exchanges
    words = history.outcomes
    assert counted.waiting_count == words.count("waiting")
    assert counted.quarantine_count == sum(word.startswith("quarantined:") for word in words)
    assert counted.fact_count == len({event.event_id for event in history.events})


@slabs
@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_the_columns_answer_as_expected(history: History, slabs: str) -> None:
    with empty_store() as store:
        _project(store, history, slabs)
        with store.snapshot() as snapshot:
            loaded = columns.load(snapshot.flows("gde", 0), snapshot.position())
    for expected in history.answers:
        question = to_question(expected.question, today=0)
        frame = Frame(loaded, question.identity)
        if expected.balances is not None:
            assert rows(balances.balances(frame, question)) == expected.balances
        if expected.pairs is not None:
            assert rows(pairs.pairs(frame, question)) == expected.pairs
        answer = pairs.pairs if expected.balances is None else balances.balances
        if expected.coverage is not None:
            assert counts(answer(frame, question).coverage) == expected.coverage
        if expected.warnings is not None:
            assert list(answer(frame, question).warnings) == expected.warnings


def _project(store: SqliteStore, history: History, slabs: str) -> None:
    records = as_records(history.events)
    project(store, records, range(1, len(records)) if slabs == ONE_BY_ONE else ())
